"""A set of pictures on the command line: train, generate, evaluate, as a person does it."""

import itertools
import json

import numpy as np
import pytest

from safelight.picture import Picture, read, write
from support import ROOT, run_cli

RECIPE = """
task = "images"
name = "lights"
validate_every = 50
[card]
summary = "a test"
data_licences = "CC0"
[data]
validation_share = 0.2
test_share = 0.2
[model]
size = "tiny"
[[stages]]
steps = 100
batch = 16
warmup_steps = 10
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder of two classes, and what `safelight train` made of it."""
    home = tmp_path_factory.mktemp("lights")
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:20, :24] / 20
    for k in range(150):
        angle = rng.uniform(0, np.pi / 4) + (k % 2) * np.pi / 2
        slope = np.clip(0.5 + np.cos(angle) * (rows - 0.5) + np.sin(angle) * (columns - 0.6), 0, 1)
        folder = home / "set" / ("steep", "flat")[k % 2]
        folder.mkdir(parents=True, exist_ok=True)
        write(Picture(np.rint(255 * slope[..., None] * rng.uniform(0.5, 1, 3)).astype(np.uint8)), folder / f"{k}.png")
    (home / "lights.toml").write_text(RECIPE)
    done = run_cli("train", "lights.toml", "--data", "set", cwd=home)
    assert not done.returncode, done.stderr
    assert "24x20, colour" in done.stderr and "bundle in runs/lights/bundle" in done.stderr
    return home


def bundle(trained):
    return trained / "runs" / "lights" / "bundle"


def test_the_bundle_is_whole(trained):
    assert "all graphs run" in run_cli("model", "verify", bundle(trained)).stdout
    info = run_cli("model", "info", bundle(trained)).stdout
    assert "test_mse" in info and "flat" in info


def test_generate_writes_pictures_with_where_they_come_from(trained, tmp_path):
    done = run_cli("generate", "--model", bundle(trained), "-o", tmp_path / "out", "-n", 7, "--class", "flat", "--json")
    assert not done.returncode, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["class"] for line in lines] == ["flat"] * 7
    assert [json.loads(line) for line in (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()] == lines
    pictures = [read(tmp_path / "out" / line["image"]) for line in lines]
    assert all(picture.size == (24, 20) for picture in pictures)
    assert all(b"trainedAlgorithmicMedia" in picture.metadata.xmp for picture in pictures)
    assert len({picture.pixels.tobytes() for picture in pictures}) == 7
    again = run_cli("generate", "--model", bundle(trained), "-o", tmp_path / "more", "-n", 9, "--class", "flat")
    assert not again.returncode, again.stderr
    np.testing.assert_array_equal(read(tmp_path / "more" / "00003.png").pixels, pictures[3].pixels)
    assert (tmp_path / "more" / "grid.png").exists()
    refused = run_cli("generate", "--model", bundle(trained), "-o", tmp_path / "more")
    assert refused.returncode == 2 and "is not an empty folder" in refused.stderr


def test_ways_through_latent_space(trained, tmp_path):
    ends = sorted((trained / "set" / "steep").iterdir())[:2]
    way = run_cli("generate", "--model", bundle(trained), "-o", tmp_path / "way.png", "-n", 6, "--interpolate", *ends)
    assert not way.returncode, way.stderr
    assert read(tmp_path / "way.png").size == (6 * 24, 20)
    done = run_cli("generate", "--model", bundle(trained), "-o", tmp_path / "one", "-n", 5, "--traverse", 1)
    assert not done.returncode, done.stderr
    steps = [read(tmp_path / "one" / f"{k:05d}.png").as_float() for k in range(5)]
    moved = [np.abs(a - b).mean() for a, b in itertools.pairwise(steps)]
    assert min(moved) >= 0 and max(moved) > 0


def test_evaluate_tells_numbers_and_writes_a_page_by_itself(trained, tmp_path):
    page = tmp_path / "page.html"
    ask = ["evaluate", "--model", bundle(trained), "--data", trained / "set", "--cache", tmp_path / "cache"]
    done = run_cli(*ask, "--draws", 20, "--samples", 60, "--json", "--html", page)
    assert not done.returncode, done.stderr
    told = json.loads(done.stdout)
    assert told["part"] == "test" and 10 < told["pictures"] < 60
    assert told["log_likelihood_nats"] >= told["elbo_nats"] - 20
    assert told["psnr_db"] == pytest.approx(-10 * np.log10(told["mse"]), abs=3)
    assert 0 < told["bits_per_dim"] < 9 and "uniform dequantisation" in told["notes"][0]
    if told["pictures"] >= 20:
        assert told["aggregate_frechet_distance"] >= 0 and "classifier" in told["notes"][1]
    html = page.read_text()
    assert html.count("data:image/png;base64,") == 4 and "<svg" in html and "http://" not in html
    assert told["nearest_training_rms_of_held_out"] > 0 and told["nearest_training_rms_of_samples"] > 0
    words = run_cli(*ask, "--draws", 2, "--samples", 5, "--part", "validation").stdout
    assert "psnr_db" in words


def test_of_another_set_all_is_measured_and_training_pictures_are_named(trained, tmp_path):
    np.savez(tmp_path / "other.npz", images=np.random.default_rng(1).integers(0, 256, (30, 20, 24, 3), dtype=np.uint8))
    ask = ["evaluate", "--model", bundle(trained), "--draws", 2, "--samples", 30, "--json", "--cache", tmp_path]
    other = json.loads(run_cli(*ask, "--data", tmp_path / "other.npz").stdout)
    assert (other["part"], other["pictures"]) == ("all", 30) and "nearest_training_rms_of_samples" not in other
    whole = json.loads(run_cli(*ask, "--data", trained / "set", "--part", "all").stdout)
    assert any("of these 150 pictures were trained on" in note for note in whole["notes"])


@pytest.mark.parametrize(
    ("ask", "code", "reason"),
    [
        (["generate", "--model", "{bundle}", "-o", "x", "--class", "round"], 2, "use one of: flat, steep"),
        (["generate", "--model", "{bundle}", "-o", "x", "--traverse", "99999"], 2, "the model has"),
        (["generate", "--model", "{bundle}", "-o", "x", "--sampler", "magic"], 2, "use prior or aggregate"),
        (["generate", "--model", "{bundle}", "-o", "x.png", "--interpolate", "a.png", "b.png"], 1, "a.png"),
        (["generate", "--model", "{bundle}", "-o", "x.jpg"], 2, "name a folder or a .png"),
        (
            ["generate", "--model", "{bundle}", "-o", "x", "--class", "flat", "--sampler", "prior"],
            2,
            "knows no classes",
        ),
        (["generate", "--model", "{bundle}", "-o", "x", "--class", "flat", "--traverse", "1"], 2, "leave --class out"),
        (["generate", "--model", "photo", "-o", "x"], 3, "restores photographs"),
        (["enhance", "a.png", "-o", "x", "--model", "{bundle}"], 3, "use generate"),
        (["evaluate", "--model", "{bundle}", "--data", "nowhere"], 2, "does not exist"),
        (["evaluate", "--model", "{bundle}", "--data", "{set}", "--part", "last"], 2, "use auto, all"),
        (["evaluate", "--model", "{bundle}", "--data", "{set}", "--html", "page.txt"], 2, "end it in .html"),
        (["train", "{recipe}", "--data", "{set}", "--budget", "soon"], 2, "write 90s, 10m or 2h"),
        (["train", "{recipe}", "--data", "{set}"], 2, "holds a run already"),
        (["train", "{recipe}", "--data", "{set}", "--start", "photo"], 2, "for restoration recipes"),
    ],
)
def test_wrong_use_is_one_line(trained, tmp_path, ask, code, reason):
    places = {"bundle": bundle(trained), "set": trained / "set", "recipe": trained / "lights.toml"}
    if ask[0] == "enhance":
        write(Picture(np.zeros((20, 20, 3), np.uint8)), trained / "a.png")
    done = run_cli(*(word.format(**places) for word in ask), cwd=trained)
    (trained / "a.png").unlink(missing_ok=True)
    assert done.returncode == code, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("safelight: ") and reason in last
    assert "Traceback" not in done.stderr


def test_the_published_recipe_says_how_it_is_run():
    assert (ROOT / "recipes" / "dataset.toml").read_text().startswith("# safelight train recipes/dataset.toml --data ")
