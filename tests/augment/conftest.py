"""Small sets in every layout, and a VAE of discs and squares that was really trained, in seconds."""

from types import SimpleNamespace

import pytest
from augment_support import CLASSIC, write_layouts

from blobs import RECIPE, blobs
from safelight.picture import Picture, write
from support import run_cli


@pytest.fixture(scope="session")
def small_vae(tmp_path_factory):
    """.set (a folder of two classes, 16x16), .bundle"""
    home = tmp_path_factory.mktemp("small-vae")
    for k, (pixels, label) in enumerate(zip(*blobs(60, 0), strict=True)):
        place = home / "set" / ("square", "disc")[label]
        place.mkdir(parents=True, exist_ok=True)
        write(Picture(pixels), place / f"{k}.png")
    (home / "blobs.toml").write_text(RECIPE.replace("steps = 40", "steps = 200"))
    done = run_cli("train", "blobs.toml", "--data", "set", "--run", "run", cwd=home)
    assert not done.returncode, done.stderr
    return SimpleNamespace(set=home / "set", bundle=home / "run" / "bundle")


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "aug.toml"
    path.write_text(CLASSIC)
    return path


@pytest.fixture
def drawn(tmp_path):
    """Triangles in COCO, YOLO and masks: .coco, .yolo, .masks"""
    return SimpleNamespace(**write_layouts(tmp_path / "drawn"))
