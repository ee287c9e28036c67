"""Make the small bundles of tests/bundles: `python -m tests.make_bundles [NAME]`. Needs torch; their tests do not.

restore   two experts with random weights of ordinary size: it changes pictures a lot, and runs fast
images    a VAE of discs, squares and rings with two rungs and a classifier, trained for some seconds
codec     the KLT of the sample pictures, and random weights of ordinary size in all convolutions
"""

import shutil
import sys
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from safelight.bundle import Bundle, Calibration, NoiseInput, OodReference, RestorerCard, seal
from safelight.bundle.codec import CodecCard, Group
from safelight.bundle.restore import CALIBRATION, INT8_GRAPH, MEAN_GRAPH, OOD_REFERENCE
from safelight.coding.tables import Tables
from safelight.ladder.codec import CodecNet
from safelight.ladder.restorer import Experts, RestorerNet, build_experts
from safelight.learn.codec.convert import convert
from safelight.learn.codec.data import block_covariance, calibration_patches
from safelight.learn.codec.finish import halo, write_bundle
from safelight.learn.codec.recipe import CodecRecipe
from safelight.learn.images import classify
from safelight.learn.restore.export import export_graphs, halved
from safelight.learn.settings import TrainSettings
from safelight.learn.store import build_store
from safelight.learn.train import train
from safelight.runtime.restore.look import OF_PATTERNS, OF_REMOVED
from safelight.runtime.restore.tiling import padded
from tests.blobs import RECIPE, write_blobs

HOME = Path(__file__).parent / "bundles"
SAMPLES = Path(__file__).parent.parent / "examples" / "samples"
SIZES = {
    "widths": (8, 8, 16),
    "blocks_down": (1, 1, 1),
    "blocks_up": (1, 1),
    "ladder_widths": (8, 8, 8),
    "latents": (3, 2, 2),
    "ladder_blocks": (1, 0, 1),
}


def make_restorer(folder: Path) -> Bundle[RestorerCard]:
    """Of its two experts the first serves all pictures."""
    experts = _random_experts()
    for name in experts:
        own = folder / name
        own.mkdir(parents=True)
        export_graphs(experts[name], own)
        shutil.copy(own / MEAN_GRAPH, own / INT8_GRAPH)  # what it computes in is tested with a trained model
    (folder / CALIBRATION).write_text(_calibration().model_dump_json(indent=2) + "\n", encoding="utf-8")
    statistics = 2 * experts.first.ladder.specs[-1].condition + OF_REMOVED + OF_PATTERNS
    _reference(statistics).save(folder / OOD_REFERENCE)
    return seal(folder, _card(experts.first, tuple(experts)))


def _random_experts() -> Experts:
    torch.manual_seed(0)
    experts = build_experts(("one", "other"), SIZES)
    for name, parameter in experts.named_parameters():
        if name.endswith(("tail.weight", "prior.weight")):
            nn.init.normal_(parameter, std=0.05)
    return halved(experts)


def _card(model: RestorerNet, experts: tuple[str, ...]) -> RestorerCard:
    return RestorerCard(
        name="tiny",
        task="restore",
        experts=experts,
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


def _calibration() -> Calibration:
    levels, quantiles = (0.5, 0.9), (0.6, 1.7)
    return Calibration(std_factor=1.5, draw_factor=1.2, levels=levels, quantiles=quantiles, fitted_on="nothing")


def _reference(statistics: int) -> OodReference:
    """Training pictures lie anywhere, and no picture is out of distribution."""
    return OodReference(
        centre=np.zeros(statistics, np.float32),
        projection=np.full((statistics, 2), 0.01, np.float32),
        reference=np.random.default_rng(0).standard_normal((5, 2)).astype(np.float32),
        limit=np.float32(100),
        error=np.tile(np.float32([-8, -7]), (5, 1)),
        correction=np.tile(np.float32([0.1, 0.3, 0]), (5, 2, 1)),
    )


class SmallClassifier(nn.Module):
    """Stands in for `classify.Classifier`, whose weights would be most of the bundle."""

    def __init__(self, channels: int, classes: int, side_px: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in ((channels, 16), (16, 24)))
        self.tail = nn.Linear(24, classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = 2 * x - 1
        for layer in self.layers:
            h = F.relu(layer(h))
        features = h.mean(dim=(2, 3))
        return features, self.tail(features)


def make_vae(folder: Path) -> None:
    """180 pictures, of which some validate and some test."""
    longer = {"Classifier": SmallClassifier, "MOST_EPOCHS": 500, "MOST_SECONDS": 120}
    with tempfile.TemporaryDirectory() as home, mock.patch.multiple(classify, **longer):
        recipe, run = Path(home) / "blobs.toml", Path(home) / "run"
        text = RECIPE.replace("steps = 40", "steps = 400").replace("batch = 8", "batch = 16")
        text = text.replace("validate_every = 20", "validate_every = 100")
        text = text.replace("widths = [8, 16]", "widths = [8, 16, 16]").replace("blocks = [1, 1]", "blocks = [1, 1, 1]")
        recipe.write_text(text.replace("latents = [0, 2]", "latents = [0, 2, 2]"), encoding="utf-8")
        pictures = write_blobs(Path(home) / "set", 180, classes=3)
        train(TrainSettings(recipe=recipe, data=pictures, run=run, cache=Path(home) / "cache"))
        shutil.copytree(run / "bundle", folder)


def make_codec(folder: Path) -> None:
    """Small, and not trained: it compresses as its KLT does, with the noise of its convolutions."""
    recipe = CodecRecipe(
        task="codec",
        name="tiny",
        card={"summary": "random weights", "data_licences": "none"},
        model={
            "groups": [{"channels": 6, "parities": 2}, {"channels": 10, "parities": 1}],
            "widths": [8, 8, 16],
            "depths": [1, 1, 1],
            "context_width": 16,
            "hyper_channels": 4,
            "levels": 3,
        },
        stages=[{"steps": 1}],
    )
    with tempfile.TemporaryDirectory() as cache:
        store, _ = build_store(SAMPLES, Path(cache), (1.0,), 192)
        torch.manual_seed(0)
        model = recipe.model.build()
        model.initialise(block_covariance(store, 0))
        _shake(model)
        converted = convert(model.requires_grad_(False), calibration_patches(recipe, store, model.levels))
    card = CodecCard(
        name="tiny",
        task="codec",
        summary="random weights",
        programs=tuple(converted.programs),
        groups=tuple(Group(channels=group.channels, parities=group.parities) for group in recipe.model.groups),
        analysis_halo=halo(recipe.model.depths),
        synthesis_halo=halo(recipe.model.depths),
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
    write_bundle(folder, converted, Tables.logistic(), card)


def _shake(model: CodecNet) -> None:
    """Weights that make every network matter: without them means, scales and hyper-latents would be 0."""
    stds = {".table": 0.05, "tail.weight": 0.02, "head.weight": 0.5, "hyper_log_gains": 0.3, "hyper_log_scale": 0.3}
    for name, parameter in model.named_parameters():
        std = next((std for part, std in stds.items() if part in name), None)
        if std is not None:
            nn.init.normal_(parameter, std=std)
        elif name.startswith("hyper_analysis") and name.endswith("weight"):
            parameter.data.mul_(3)
    for step in model.passes:
        half = len(step.head.weight) // 2
        step.head.weight.data[half:].mul_(3)  # so that some scales are far too small, and symbols escape


MAKERS = {"restore": make_restorer, "images": make_vae, "codec": make_codec}

if __name__ == "__main__":
    torch.set_num_threads(1)
    for name in sys.argv[1:] or MAKERS:
        shutil.rmtree(HOME / name, ignore_errors=True)
        MAKERS[name](HOME / name)
