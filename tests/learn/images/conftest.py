"""A small set of pictures, and a recipe that is done in seconds."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from safelight.picture import Picture, write
from tests.blobs import RECIPE, blobs


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of 60 pictures."""
    root = tmp_path_factory.mktemp("blobs")
    for k, (pixels, label) in enumerate(zip(*blobs(120, 0), strict=True)):
        home = root / ("square", "disc")[label]
        home.mkdir(exist_ok=True)
        write(Picture(pixels), home / f"{k}.png")
    return root


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "blobs.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="session")
def recipe_text() -> str:
    return RECIPE


@pytest.fixture
def unfinished(monkeypatch) -> None:
    """The run is what is tested, not its bundle."""
    nothing = SimpleNamespace(folder="nowhere", card=SimpleNamespace(measured={}, detail=None))
    monkeypatch.setattr("safelight.learn.images.train.finish", lambda *_, **__: nothing)
