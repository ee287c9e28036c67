"""Small sets in every layout, and a VAE of discs, squares and rings."""

from types import SimpleNamespace

import pytest

from tests.augmentation.augment_support import CLASSIC, write_layouts
from tests.blobs import write_blobs


@pytest.fixture(scope="session")
def small_vae(tiny_vae, tmp_path_factory):
    """.set (a folder of two classes, 16x16), .bundle"""
    return SimpleNamespace(set=write_blobs(tmp_path_factory.mktemp("small-vae") / "set", 60), bundle=tiny_vae.folder)


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "aug.toml"
    path.write_text(CLASSIC)
    return path


@pytest.fixture
def drawn(tmp_path):
    """Triangles in COCO, YOLO and masks: .coco, .yolo, .masks"""
    return SimpleNamespace(**write_layouts(tmp_path / "drawn"))
