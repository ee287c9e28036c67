"""What the docs say is run."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from safelight.picture import Picture, write
from support import ROOT, run_cli

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SNIPPETS = [
    pytest.param(code, id=f"{page.name}-{k}")
    for page in PAGES
    if page.name != "tutorial.md"  # tests/cli/test_tutorial.py has what it needs
    for k, code in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL))
]


def test_there_are_snippets():
    assert len(SNIPPETS) >= 2


@pytest.mark.parametrize("code", SNIPPETS)
def test_snippets_run(code, tmp_path, monkeypatch, rng):
    monkeypatch.chdir(tmp_path)
    write(Picture(rng.integers(0, 65536, (24, 32, 3), dtype=np.uint16)), "a.tif")
    exec(compile(code, "snippet", "exec"), {})


def test_options_in_the_docs_exist():
    helps = {
        verb: run_cli(verb, "--help").stdout for verb in ("enhance", "train", "data", "generate", "evaluate", "augment")
    }
    assert all(helps.values())
    known = "".join(helps.values())
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for option in re.findall(r"`(--[a-z][a-z-]+)", text):
            assert option in known or option in ("--help",), f"{page.name}: {option}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path):
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_make_help_prints_itself():
    import subprocess

    told = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {"help", "demo", "test", "lint"} <= {line.split()[0] for line in told.splitlines()}


@pytest.mark.parametrize("name", ["benchmarks", "gallery", "downstream"])
def test_pages_are_measured_with_the_shipped_bundle(name, photo):
    text = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    assert f"photo {photo.sha256[:12]}" in text, f"run benchmarks/{name}.py (restore.py) again"


def test_numbers_in_the_readme_are_the_measured_ones():
    import importlib.util

    spec = importlib.util.spec_from_file_location("page", ROOT / "benchmarks" / "page.py")
    page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(page)
    results = json.loads((ROOT / "benchmarks" / "results" / "restore.json").read_text())
    assert page.readme_block(results) in (ROOT / "README.md").read_text()


def test_numbers_of_vaes_in_the_readme_are_the_measured_ones():

    results = ROOT / "benchmarks" / "results"
    mnist, large = (json.loads((results / f"vae_{name}.json").read_text()) for name in ("mnist", "scale"))
    readme = " ".join((ROOT / "README.md").read_text().split())
    assert f"to a squared error of {mnist['quick']['test_mse']:.4f} with 32 latents" in readme
    assert f"to {mnist['binary']['negative_log_likelihood_nats']:.1f} nats" in readme
    assert f"after {large['large']['first_step_s']:.0f} seconds" in readme
    assert f"{large['large']['peak_resident_gb']:.2f} GB" in readme


def test_the_verdicts_on_augmentation_are_the_measured_ones():
    found = json.loads((ROOT / "benchmarks" / "results" / "augment.json").read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "augment.md").read_text(encoding="utf-8")
    told = [case["first"]["verdict"] for case in found.values() if isinstance(case, dict) and "first" in case]
    assert len(told) == 5 and all(verdict in page for verdict in told), "run benchmarks/augment.py --page"
