"""How good a model is, on the command line: numbers, a page, other sets; what makes no sense is one line."""

import json
import shutil

import numpy as np
import pytest

from tests.blobs import write_blobs
from tests.support import run_cli


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """The set that `tiny_vae` was trained on."""
    return write_blobs(tmp_path_factory.mktemp("evaluate") / "set", 180, classes=3)


@pytest.fixture
def evaluate(tiny_vae, pictures, tmp_path):
    def call(*arguments):
        own = ["--model", tiny_vae.folder, "--data", pictures, "--cache", tmp_path / "cache"]
        return run_cli("evaluate", *own, *arguments, cwd=tmp_path)

    return call


def test_numbers_are_told_and_a_page_is_written_by_itself(evaluate, tmp_path):
    page = tmp_path / "page.html"
    done = evaluate("--draws", 20, "--samples", 60, "--json", "--html", page)
    assert not done.returncode, done.stderr
    numbers = json.loads(done.stdout)
    assert (numbers["part"], numbers["pictures"]) == ("test", 33)
    assert numbers["log_likelihood_nats"] >= -numbers["neg_elbo_nats"]
    assert numbers["psnr_db"] == pytest.approx(-10 * np.log10(numbers["mse"]), abs=3)
    assert 0 < numbers["bits_per_dim"] < 9 and any("uniform dequantisation" in note for note in numbers["notes"])
    assert numbers["aggregate_frechet_distance"] >= 0 and any("classifier" in note for note in numbers["notes"])
    assert numbers["nearest_training_rms_of_held_out"] > 0 and numbers["nearest_training_rms_of_samples"] > 0
    html = page.read_text()
    assert html.count("data:image/png;base64,") == 4 and "<svg" not in html and "http://" not in html


def test_the_page_of_a_model_in_its_run_folder_has_curves(tiny_vae, evaluate, tmp_path):
    shutil.copytree(tiny_vae.folder, tmp_path / "run" / "bundle")
    lines = [{"stage": 0, "step": step, "val_mse": 1 / step} for step in (20, 40)]
    (tmp_path / "run" / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    ask = ("--draws", 2, "--samples", 5, "--html", "page.html")
    done = evaluate("--model", tmp_path / "run" / "bundle", *ask)
    assert not done.returncode, done.stderr
    assert "<svg" in (tmp_path / "page.html").read_text()


def test_without_json_the_numbers_are_words(evaluate):
    words = evaluate("--draws", 2, "--samples", 5, "--part", "validation").stdout
    assert "psnr_db" in words and ["pictures", "37"] in [line.split() for line in words.splitlines()]
    assert words.index("Likelihoods are of") < words.index("psnr_db"), "sentences come first"


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        ("--data nowhere", 2, "does not exist"),
        ("--part last", 2, "'auto', 'test'"),
        ("--html page.txt", 2, "end it in .html"),
        ("--model photo", 3, "is a restorer of photographs"),
        ("--downstream flowers", 2, "this comparison is now 'safelight verdict flowers --recipe AUG.toml'"),
    ],
)
def test_wrong_use_is_one_line(evaluate, arguments, code, reason):
    done = evaluate(*arguments.split())
    assert done.returncode == code, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("safelight: ") and reason in last
