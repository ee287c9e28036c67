"""New pictures on the command line: samples, classes, ways through latent space; what makes no sense is one line."""

import itertools
import json

import numpy as np
import pytest

from safelight.picture import read
from tests.blobs import write_blobs
from tests.support import run_cli


def generate(tiny_vae, *arguments, **options):
    return run_cli("generate", "--model", tiny_vae.folder, *arguments, **options)


def test_pictures_are_written_with_where_they_come_from(tiny_vae, tmp_path):
    done = generate(tiny_vae, "-o", tmp_path / "out", "-n", 7, "--class", "ring", "--json")
    assert not done.returncode, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["class"] for line in lines] == ["ring"] * 7
    header, *rest = [json.loads(line) for line in (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()]
    assert header == {"manifest": 1, "verb": "generate"} and rest == lines
    files = [tmp_path / "out" / name for line in lines for name in line["outputs"]]
    assert [size for line in lines for size in line["outputs"].values()] == [file.stat().st_size for file in files]
    pictures = [read(file) for file in files]
    assert all(picture.size == (16, 16) for picture in pictures)
    assert all(b"trainedAlgorithmicMedia" in picture.metadata.xmp for picture in pictures)
    assert len({picture.pixels.tobytes() for picture in pictures}) == 7


def test_a_picture_depends_on_its_number_and_a_full_folder_is_refused(tiny_vae, tmp_path):
    for name, count in (("few", 3), ("more", 5)):
        assert not generate(tiny_vae, "-o", tmp_path / name, "-n", count, "--class", "ring").returncode
    few, more = (read(tmp_path / name / "00002.png").pixels for name in ("few", "more"))
    np.testing.assert_array_equal(few, more)
    assert (tmp_path / "more" / "grid.png").exists()
    refused = generate(tiny_vae, "-o", tmp_path / "more")
    assert refused.returncode == 2 and "is not an empty folder" in refused.stderr


def test_ways_through_latent_space(tiny_vae, tmp_path):
    ends = sorted((write_blobs(tmp_path / "set", 6) / "disc").iterdir())[:2]
    way = generate(tiny_vae, "-o", tmp_path / "way.png", "-n", 6, "--interpolate", *ends)
    assert not way.returncode, way.stderr
    assert read(tmp_path / "way.png").size == (6 * 16, 16)
    done = generate(tiny_vae, "-o", tmp_path / "one", "-n", 5, "--traverse", 1)
    assert not done.returncode, done.stderr
    steps = [read(tmp_path / "one" / f"{k:05d}.png").as_float() for k in range(5)]
    assert max(np.abs(a - b).mean() for a, b in itertools.pairwise(steps)) > 0


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        ("-o x --class round", 2, "use one of: disc, ring, square"),
        ("-o x --traverse 99999", 2, "the model has"),
        ("-o x --sampler magic", 2, "'aggregate' or 'prior'"),
        ("-o x.png --interpolate a.png b.png", 1, "a.png"),
        ("-o x.jpg", 2, "name a folder or a .png"),
        ("-o x --class disc --sampler prior", 2, "knows no classes"),
        ("-o x --class disc --traverse 1", 2, "leave --class out"),
        ("-o x --model photo", 3, "is a restorer of photographs, and a VAE of a set of pictures is needed"),
    ],
)
def test_wrong_use_is_one_line(tiny_vae, tmp_path, arguments, code, reason):
    done = generate(tiny_vae, *arguments.split(), cwd=tmp_path)
    assert done.returncode == code, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("safelight: ") and reason in last
