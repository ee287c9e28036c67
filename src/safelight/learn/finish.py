"""From a finished run to a bundle: graphs, calibration, measurements, card.

Half of the held-out pictures calibrate, the other half measure; training sees neither.
"""

import hashlib
import json
import math
import platform
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from safelight.bundle import Bundle, Calibration, Card, Familiar, NoiseInput, save_bundle
from safelight.errors import UsageError
from safelight.ladder.restorer import Restorer, build_restorer
from safelight.learn import checkpoint
from safelight.learn.acquaint import HELD_OUT, acquaint, kind, looking_pairs, ratios
from safelight.learn.data import RestorationPairs, training_pairs
from safelight.learn.export import export_graphs
from safelight.learn.quantise import quantise
from safelight.learn.run import RunFolder
from safelight.learn.settings import TrainRecipe
from safelight.learn.store import PixelStore
from safelight.learn.validate import build_validation, graph_psnr_db, validate_mean, validate_posterior
from safelight.runtime.tiling import padded

LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
CALIBRATION_PATCHES = 384
UNTRAINED_SAMPLER = "The sampler was not trained: use the mean."


def load_model(recipe: TrainRecipe, run: RunFolder) -> Restorer:
    """The averaged weights of a run's checkpoint. Raises UsageError if there is none."""
    found = checkpoint.find(run.checkpoint)
    if found is None:
        raise UsageError(f"{run.folder}: holds no checkpoint; train first")
    model = build_restorer(**recipe.model.model_dump())
    model.load_state_dict(load_file(found / "ema.safetensors"))
    return model.eval().requires_grad_(False)


def finish(recipe: TrainRecipe, recipe_path: Path, store: PixelStore, run: RunFolder) -> Bundle:
    """Export, calibrate, measure, and write `<run>/bundle`."""
    model = load_model(recipe, run)
    folder = run.folder / "bundle"
    folder.mkdir(exist_ok=True)
    parity = export_graphs(model, folder)
    share = recipe.data.validation_share
    for_calibration, for_measuring = store.part(0, share).halves()
    quantise(folder / "mean.onnx", folder / "mean_int8.onnx", training_pairs(recipe, for_calibration, "int8"))
    validation = build_validation(for_measuring, recipe.seed)
    measured = validate_mean(model, validation) | validate_posterior(model, validation) | {"onnx_parity": parity}
    measured["val_noise25_int8_psnr_db"] = graph_psnr_db(folder / "mean_int8.onnx", validation["noise25"])
    untrained = all(stage.objective != "posterior" for stage in recipe.stages)
    multiple = model.trunk.size_multiple
    card = Card(
        name=recipe.name,
        task="restore",
        summary=recipe.card.summary,
        size_multiple=multiple,
        mean_halo_px=padded(model.mean_reach_px, multiple),
        sample_halo_px=padded(model.sample_reach_px, multiple),
        noise_inputs=tuple(NoiseInput(channels=c, stride_px=s) for c, s in model.noise_inputs),
        recipe=recipe_path.name,
        recipe_sha256=hashlib.sha256(recipe_path.read_bytes()).hexdigest(),
        started_from=run.started_from,
        trained_on=f"{store.part(share, 1).pictures} photographs; {store.part(0, share).pictures} more held out",
        training_minutes=round(_minutes(run), 1),
        trained_with=f"{_processor()}, {torch.get_num_threads()} threads",
        data_licences=recipe.card.data_licences,
        weights_licence=recipe.card.weights_licence,
        measured={name: round(value, 7) for name, value in measured.items() if math.isfinite(value)},
        limits=(*recipe.card.limits, *([UNTRAINED_SAMPLER] if untrained else [])),
    )
    known, held_out = looking_pairs(recipe, store.part(share, 1), for_calibration)
    familiar = acquaint(model, known, held_out)
    return save_bundle(folder, card, calibrate(model, familiar, held_out), familiar)


def calibrate(model: Restorer, familiar: Familiar, pairs: RestorationPairs) -> Calibration:
    """Fit what the predicted scale is worth, on pictures that were held out for it, degraded as in training.

    With s corrected for the kind of picture, std_factor = sqrt(mean (e / s)²); the quantiles are those of
    |e| / (std_factor · s): a conformal correction (Angelopoulos & Bates, 2021, §2.3) of one factor per
    level, over all pixel values.
    """
    fresh = [pairs[index] for index in range(HELD_OUT, HELD_OUT + CALIBRATION_PATCHES)]
    factors = [familiar.scale_factor(familiar.place(kind(model, pair))) for pair in fresh]
    ratio = np.concatenate([ratios(model, pair) / factor for pair, factor in zip(fresh, factors, strict=True)])
    std_factor = float(np.sqrt(np.mean(np.square(ratio, dtype=np.float64))))
    quantiles = np.quantile(ratio / std_factor, LEVELS)
    return Calibration(
        std_factor=round(std_factor, 5),
        levels=LEVELS,
        quantiles=tuple(round(float(q), 5) for q in quantiles),
        fitted_on=f"{len(fresh)} patches of {pairs.store.pictures} held-out pictures, degraded as in training",
    )


def _minutes(run: RunFolder) -> float:
    """Wall-clock minutes of training, gaps between sittings left out."""
    times = [json.loads(line)["time"] for line in run.metrics.read_text().splitlines()]
    return float(sum(step for step in np.diff(times) if step < 600)) / 60


def _processor() -> str:
    """The processor's name, as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
