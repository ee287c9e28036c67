"""Pictures of a VAE as one call: what is written, in which words, and that nothing half stays behind."""

import json

import numpy as np
import pytest

from safelight.errors import PictureError, UsageError
from safelight.jobs.generate.generate import generate
from safelight.jobs.generate.settings import GenerateSettings
from safelight.picture import Picture, read, write
from safelight.runtime.images import Vae
from safelight.work import Cancelled


@pytest.fixture
def asked(tiny_vae, tmp_path):
    """Settings with changes."""

    def settings(**changes):
        given = {"model": str(tiny_vae.folder), "output": tmp_path / "new", "count": 5, "device": "cpu"}
        return GenerateSettings.of(**(given | changes))

    return settings


def pixels(folder, count=5):
    return np.concatenate([read(folder / f"{k:05d}.png").pixels[None] for k in range(count)])


def eight_bits(pictures):
    return np.rint(255 * pictures).astype(np.uint8)


def test_pictures_are_those_of_the_vae_and_every_one_has_a_line(asked, tiny_vae, tmp_path):
    seen = []
    report = generate(asked(seed=3, temperature=0.7, class_name=tiny_vae.card.classes[1]), on_progress=seen.append)
    vae = Vae(tiny_vae)
    made = vae.decode(vae.draw_latents(5, [1] * 5, temperature=0.7, seed=3, sampler="aggregate"))
    np.testing.assert_array_equal(pixels(tmp_path / "new"), eight_bits(made))
    header, *lines = [json.loads(line) for line in (tmp_path / "new" / "manifest.jsonl").read_text().splitlines()]
    assert header == {"manifest": 1, "verb": "generate"} and tuple(lines) == report.lines
    size = (tmp_path / "new" / "00002.png").stat().st_size
    facts = {"class": tiny_vae.card.classes[1], "model": tiny_vae.sha256, "seed": 3, "temperature": 0.7}
    assert lines[2] == {"outputs": {"00002.png": size}, **facts, "sampler": "aggregate"}
    assert report.output == tmp_path / "new" and (seen[-1].done, seen[-1].total) == (5, 5)


def test_a_way_begins_and_ends_at_its_pictures(asked, tiny_vae, tmp_path, rng):
    vae, ends = Vae(tiny_vae), (tmp_path / "a.png", tmp_path / "b.png")
    for path in ends:
        write(Picture(rng.integers(0, 256, (tiny_vae.card.height, tiny_vae.card.width, 3), dtype=np.uint8)), path)
    report = generate(asked(interpolate=ends))
    steps = pixels(tmp_path / "new").astype(int)
    for step, path in zip((steps[0], steps[-1]), ends, strict=True):
        assert np.abs(step - eight_bits(vae.reconstruct(vae.prepare([read(path)])))[0]).max() <= 1
    assert report.lines[0]["from"] == str(ends[0]) and report.lines[0]["way"] == "spherical"


def test_a_traversal_varies_one_latent(asked, tiny_vae, tmp_path):
    vae = Vae(tiny_vae)
    report = generate(asked(traverse=1, count=3))
    most_active = int(np.argmax(vae.aggregate_posterior.activity))
    assert [line["latent"] for line in report.lines] == [most_active] * 3
    latents = [rung.repeat(3, axis=0) for rung in vae.draw_latents(1, sampler="aggregate")]
    flat = np.concatenate([rung.reshape(3, -1) for rung in latents], axis=1)
    flat[:, most_active] = (-3, 0, 3)
    parts = np.split(flat, np.cumsum([rung[0].size for rung in latents])[:-1], axis=1)
    moved = [part.reshape(rung.shape) for part, rung in zip(parts, latents, strict=True)]
    np.testing.assert_array_equal(pixels(tmp_path / "new", 3), eight_bits(vae.decode(moved)))


def test_a_grid_is_one_file_with_one_line(asked, tiny_vae, tmp_path):
    report = generate(asked(output=tmp_path / "grid.png", count=12))
    (line,) = report.lines
    assert line["outputs"] == {"grid.png": (tmp_path / "grid.png").stat().st_size} and "class" not in line
    assert read(tmp_path / "grid.png").size == (10 * tiny_vae.card.width, 2 * tiny_vae.card.height)


def test_a_cancelled_call_leaves_nothing(asked, tmp_path):
    def cancel(progress):
        if progress.done == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        generate(asked(), on_progress=cancel)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"interpolate": ("a.png", "b.png"), "traverse": 1}, "give one of them"),
        ({"interpolate": ("a.png", "b.png"), "count": 1}, "at least 2 steps"),
        ({"count": 0}, "-n '0'"),
        ({"sampler": "magic"}, "--sampler 'magic'"),
        ({"traverse": 99999}, "the model has"),
        ({"class_name": "round"}, "use one of"),
        ({"output": "x.jpg"}, "name a folder or a .png"),
    ],
)
def test_wrong_requests(asked, changes, reason):
    with pytest.raises(UsageError, match=reason):
        generate(asked(**changes))


def test_an_end_of_a_way_that_is_missing(asked, tmp_path):
    with pytest.raises(PictureError, match=r"a\.png"):
        generate(asked(interpolate=(tmp_path / "a.png", tmp_path / "b.png")))
