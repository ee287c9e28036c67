"""What many tests share. Tests that need the project's data find it by SAFELIGHT_DATA and say when it is missing."""

import os
import shutil
import time
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

from safelight.bundle import Bundle, CodecCard, RestorerCard, VaeCard, find_bundle, open_bundle
from tests.support import BUNDLES, CHROMIUM, DATA, ROOT

os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch's threads wait for each other when networks are this small
settings.register_profile("shared machine", deadline=None)  # tests are not timed: CI's machine is noisy
settings.load_profile("shared machine")


TESTS = ROOT / "tests"
LONG_S = 2.0
"""Of processor time. A test that takes longer should have the mark `slow`, so that `make quick` stays quick."""
LONG = pytest.StashKey[dict[str, float]]()


SLOWEST = (
    "interrupted/test_trouble.py",
    "learn/test_processes.py",
    "studio/test_in_a_browser.py",
    "jobs/test_remote.py",
    "cli/test_tutorial.py",
    "jobs/test_storage.py",
    "learn/restore/test_train.py",
    "downstream/test_verdict.py",
    "work/test_cluster.py",
    "augmentation/test_on_cluster.py",
    "learn/images/test_train_images.py",
    "learn/restore/test_experts.py",
    "studio/test_sets.py",
)
"""Files that come first, so that no process works on one of them alone at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {TESTS / name: place for place, name in enumerate(SLOWEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    begun = time.process_time()
    result = yield
    taken = time.process_time() - begun
    if taken > LONG_S and item.get_closest_marker("slow") is None:
        item.config.stash.setdefault(LONG, {})[item.nodeid] = taken
    return result


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for name, taken in config.stash.get(LONG, {}).items():
        terminalreporter.write_line(f"{name}: {taken:.1f} s of processor time; mark it slow, or make it faster")


@pytest.fixture(scope="session")
def data() -> Path:
    if not DATA.is_dir():
        pytest.skip(f"no data at {DATA}; set SAFELIGHT_DATA to run this test")
    return DATA


@pytest.fixture(scope="session")
def photo() -> Bundle[RestorerCard]:
    """The shipped bundle."""
    return find_bundle("photo", RestorerCard)


@pytest.fixture(scope="session")
def tiny() -> Bundle[RestorerCard]:
    """A restorer with random weights: it changes pictures a lot, and runs fast. `one` of its two experts serves all."""
    return find_bundle(BUNDLES / "restore", RestorerCard)


@pytest.fixture(scope="session")
def tiny_vae() -> Bundle[VaeCard]:
    """A VAE of `tests.blobs.write_blobs(folder, 180, classes=3)`: two rungs, three classes, not conditional."""
    return find_bundle(BUNDLES / "images", VaeCard)


@pytest.fixture(scope="session")
def tiny_codec() -> Bundle[CodecCard]:
    """A codec that is not trained, with two groups of channels."""
    return find_bundle(BUNDLES / "codec", CodecCard)


@pytest.fixture
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is kept for later runs begins empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def tiny_copy(tiny: Bundle, tmp_path: Path) -> Path:
    """A bundle to damage."""
    folder = tmp_path / "copy"
    shutil.copytree(tiny.folder, folder)
    open_bundle(folder)
    return folder


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def exif_block() -> bytes:
    """EXIF as a camera writes it: orientation, UTF-8 text, exposure, an opaque MakerNote, GPS; no prefix."""
    exif = Image.Exif()
    exif[0x010F] = "Kamera"
    exif[0x0112] = 6
    exif[0x8298] = "Jo"
    details = exif.get_ifd(0x8769)
    details[0x829A] = 0.008
    details[0x9003] = "2026:01:02 03:04:05"
    details[0x927C] = b"Maker\0\1\2" + bytes(range(200))
    gps = exif.get_ifd(0x8825)
    gps[1], gps[2] = "N", (10.0, 20.0, 30.5)
    return exif.tobytes().removeprefix(b"Exif\0\0")


@pytest.fixture(scope="module")
def browser() -> Generator[object, None, None]:
    """Chromium without a window."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()
