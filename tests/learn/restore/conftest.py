"""A small world to train in: the sample pictures, and a recipe that is done in seconds."""

from pathlib import Path

import pytest

from safelight.picture import Picture, read, write
from tests.support import ROOT

RECIPE = """
name = "tiny"
validate_every = 10
log_every = 5
[card]
summary = "a test"
data_licences = "CC0"
[data]
patch_px = 16
margin_px = 8
workers = 0
grey_share = 0.3
validation_share = 0.4
[[degrade]]
weight = 2
tell_sigma = 0.5
steps = [{ kind = "gaussian_noise", sigma_255 = [0, 50] }]
[[degrade]]
weight = 1
steps = [{ kind = "jpeg", quality = [10, 90] }]
[model]
widths = [8, 16]
blocks_down = [1, 1]
blocks_up = [1]
ladder_widths = [8, 8]
latents = [4, 2]
ladder_blocks = [1, 1]
[[stages]]
objective = "mean"
steps = 20
batch = 4
warmup_steps = 5
[[stages]]
objective = "posterior"
steps = 20
batch = 4
"""


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Crops of the sample pictures, enough for each part of the split."""
    folder = tmp_path_factory.mktemp("pictures")
    for path in sorted((ROOT / "examples" / "samples").glob("*.webp")):
        whole = read(path).pixels
        for k in range(4):
            write(Picture(whole[:160, 130 * k : 130 * k + 140].copy()), folder / f"{path.stem}{k}.png")
    return folder


@pytest.fixture(scope="session")
def tiny_recipe() -> str:
    return RECIPE


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(RECIPE)
    return path
