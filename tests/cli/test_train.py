"""Training on the command line: from a folder to a bundle; what makes no sense is one line."""

import numpy as np
import pytest

from safelight.picture import Picture, write
from tests.support import ROOT, run_cli

torch = pytest.importorskip("torch")
RECIPE = """
task = "images"
name = "lights"
validate_every = 10
[card]
summary = "a test"
data_licences = "CC0"
[data]
validation_share = 0.2
test_share = 0.2
[model]
size = "tiny"
[[stages]]
steps = 20
batch = 16
warmup_steps = 5
"""


@pytest.fixture
def home(tmp_path):
    """A recipe, and a folder of two classes: slopes of light in colour."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:20, :24] / 20
    for k in range(150):
        angle = rng.uniform(0, np.pi / 4) + (k % 2) * np.pi / 2
        slope = np.clip(0.5 + np.cos(angle) * (rows - 0.5) + np.sin(angle) * (columns - 0.6), 0, 1)
        folder = tmp_path / "set" / ("steep", "flat")[k % 2]
        folder.mkdir(parents=True, exist_ok=True)
        write(Picture(np.rint(255 * slope[..., None] * rng.uniform(0.5, 1, 3)).astype(np.uint8)), folder / f"{k}.png")
    (tmp_path / "lights.toml").write_text(RECIPE)
    return tmp_path


@pytest.mark.slow
def test_a_folder_becomes_a_bundle(home):
    done = run_cli("train", "lights.toml", "--data", "set", cwd=home)
    assert not done.returncode, done.stderr
    assert "24x20, colour" in done.stderr and "bundle in runs/lights/bundle" in done.stderr
    assert "all graphs run" in run_cli("model", "verify", "runs/lights/bundle", cwd=home).stdout
    info = run_cli("model", "info", "runs/lights/bundle", cwd=home).stdout
    assert "test_mse" in info and "flat" in info
    again = run_cli("train", "lights.toml", "--data", "set", cwd=home)
    assert again.returncode == 2 and "holds a run already" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        ("--data set --budget soon", 2, "write 90s, 10m or 2h"),
        ("--data set --stop-at 0", 2, "--stop-at '0': must be more than 0"),
        ("--data set --start photo", 2, "for restoration recipes"),
        ("--data nowhere", 2, "does not exist"),
        ("", 2, "names no data.folder; give --data"),
        ("--data set --resume", 2, "nothing to resume; train without --resume"),
    ],
)
def test_wrong_use_is_one_line(home, arguments, code, reason):
    done = run_cli("train", "lights.toml", *arguments.split(), cwd=home)
    assert done.returncode == code, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("safelight: ") and reason in last


def test_the_published_recipe_says_how_it_is_run():
    assert (ROOT / "recipes" / "dataset.toml").read_text().startswith("# safelight train recipes/dataset.toml --data ")
