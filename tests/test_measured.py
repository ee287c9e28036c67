"""Numbers in the docs are the measured ones, of the shipped bundle."""

import json
from typing import Any

import pytest

from safelight.bundle import CodecCard, find_bundle
from safelight.runtime.codec.load import read_codec
from tests.support import ROOT, load_benchmark


def results(name: str) -> Any:
    return json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["benchmarks", "gallery", "downstream"])
def test_pages_are_measured_with_the_shipped_bundle(name, photo):
    text = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    assert f"photo {photo.sha256[:12]}" in text, f"run benchmarks/{name}.py (restore.py) again"


def test_numbers_in_the_readme_are_the_measured_ones():
    page = load_benchmark("page")
    assert page.readme_block(results("restore")) in (ROOT / "README.md").read_text(encoding="utf-8")


def test_numbers_of_the_codec_are_the_measured_ones_of_the_shipped_bundle():
    found = results("codec")
    codec = find_bundle("latent", CodecCard)
    name = f"latent {read_codec(codec).sha256.hex()[:12]}"
    assert found["about"]["model"] == name, "run benchmarks/codec.py again"
    assert name in (ROOT / "docs" / "compression.md").read_text(encoding="utf-8")
    page = load_benchmark("codec_page")
    assert page.readme_block(found) in (ROOT / "README.md").read_text(encoding="utf-8")


def test_numbers_of_vaes_in_the_readme_are_the_measured_ones():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    mnist, many = results("vae_mnist"), results("vae_scale")["large"]
    quick, binary = mnist["quick"], mnist["binary"]
    assert f"MNIST, {quick['latents']:.0f} latents | {quick['seconds_of_the_command']:.0f} s for the whole" in readme
    assert f"squared error {quick['test_mse']:.4f} on the test digits" in readme
    assert f"{binary['minutes_of_training']:.0f} minutes of training | negative log-likelihood" in readme
    assert f"negative log-likelihood {binary['negative_log_likelihood_nats']:.1f} nats per test digit" in readme
    assert f"{many['pictures']:,} files of {many['side_px']} × {many['side_px']} pixels" in readme
    assert f"first step after {many['first_step_s']:.0f} s | at most {many['peak_resident_gb']:.2f} GB of" in readme


def test_the_verdicts_on_augmentation_are_the_measured_ones():
    page = (ROOT / "docs" / "augment.md").read_text(encoding="utf-8")
    cases = [case for case in results("augment").values() if isinstance(case, dict) and "first" in case]
    verdicts = [case["first"]["verdict"] for case in cases]
    assert len(verdicts) == 5 and all(verdict in page for verdict in verdicts), "run benchmarks/augment.py --page"
