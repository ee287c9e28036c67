"""What many tests share. Tests that need the project's data find it by SAFELIGHT_DATA and say when it is missing."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

from safelight.bundle import Bundle, Calibration, OodReference, find_bundle, open_bundle
from support import DATA


@pytest.fixture(scope="session")
def data() -> Path:
    if not DATA.is_dir():
        pytest.skip(f"no data at {DATA}; set SAFELIGHT_DATA to run this test")
    return DATA


@pytest.fixture(scope="session")
def photo() -> Bundle:
    """The shipped bundle."""
    return find_bundle("photo")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """An exported bundle with random weights of ordinary size: it changes pictures a lot, and runs fast. Of its two
    experts the first serves all pictures.
    """
    import torch

    from safelight.bundle import NoiseInput, RestorerCard, save_restorer
    from safelight.ladder.restorer import build_experts
    from safelight.learn.restore.export import export_graphs, halved
    from safelight.runtime.restore.look import OF_PATTERNS, OF_REMOVED
    from safelight.runtime.restore.tiling import padded

    torch.manual_seed(0)
    sizes = {"widths": (8, 8, 16), "blocks_down": (1, 1, 1), "blocks_up": (1, 1)}
    sizes |= {"ladder_widths": (8, 8, 8), "latents": (3, 2, 2), "ladder_blocks": (1, 0, 1)}
    experts = build_experts(("one", "other"), sizes)
    for name, parameter in experts.named_parameters():
        if name.endswith(("tail.weight", "prior.weight")):
            torch.nn.init.normal_(parameter, std=0.05)
    folder = tmp_path_factory.mktemp("tiny") / "tiny"
    for name in halved(experts):
        own = folder / name
        own.mkdir(parents=True)
        export_graphs(experts[name], own)
        shutil.copy(own / "mean.onnx", own / "mean_int8.onnx")  # what it computes in is tested with a trained model
    model = experts.first
    card = RestorerCard(
        name="tiny",
        task="restore",
        experts=tuple(experts),
        summary="random weights",
        size_multiple=model.trunk.size_multiple,
        mean_halo_px=padded(model.mean_reach_px, 8),
        sample_halo_px=padded(model.sample_reach_px, 8),
        noise_inputs=tuple(NoiseInput(channels=c, stride_px=s) for c, s in model.noise_inputs),
        recipe="none",
        recipe_sha256="0",
        trained_on="nothing",
        training_minutes=0,
        trained_with="nothing",
        data_licences="none",
        weights_licence="Apache-2.0",
        measured={},
        limits=(),
    )
    return save_restorer(folder, card, *_worth(2 * model.ladder.specs[-1].condition + OF_REMOVED + OF_PATTERNS))


def _worth(statistics: int) -> tuple[Calibration, OodReference]:
    """What the scale of `tiny` is said to be worth, and what it is said to know, in so many statistics of a look."""
    calibration = Calibration(
        std_factor=1.5, draw_factor=1.2, levels=(0.5, 0.9), quantiles=(0.6, 1.7), fitted_on="nothing"
    )
    known = np.random.default_rng(0).standard_normal((5, 2)).astype(np.float32)
    familiar = OodReference(
        centre=np.zeros(statistics, np.float32),
        projection=np.full((statistics, 2), 0.01, np.float32),
        reference=known,
        limit=np.float32(100),
        error=np.tile(np.float32([-8, -7]), (5, 1)),
        correction=np.tile(np.float32([0.1, 0.3, 0]), (5, 2, 1)),
    )
    return calibration, familiar


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


settings.register_profile("shared machine", deadline=None)  # tests are not timed: CI's machine is noisy
settings.load_profile("shared machine")
