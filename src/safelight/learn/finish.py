"""From a finished run to a bundle: graphs, calibration on held-out pictures, card."""

import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from safelight.bundle import Bundle, Calibration, Card, Latent, save_bundle
from safelight.errors import UsageError
from safelight.ladder.restorer import Restorer, build_restorer
from safelight.learn import checkpoint
from safelight.learn.data import Pair, RestorationPairs, loader
from safelight.learn.export import export_graphs
from safelight.learn.run import RunFolder
from safelight.learn.settings import TrainRecipe
from safelight.learn.store import PixelStore
from safelight.learn.validate import build_validation, validate_mean, validate_posterior
from safelight.runtime.tiling import padded

LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
CALIBRATION_PAIRS = 512
LIMITS = (
    "Made for photographs with sensor noise up to σ = 55/255, JPEG from quality 8, and slight blur.",
    "Faces, text and patterns are restored by the statistics of other photographs: a sample is a guess, not evidence.",
    "The interval's coverage is exact only on average over pictures like those of the calibration.",
)


def load_model(recipe: TrainRecipe, run: RunFolder) -> Restorer:
    """The averaged weights of a run's checkpoint. Raises UsageError if there is none."""
    found = checkpoint.find(run.checkpoint)
    if found is None:
        raise UsageError(f"{run.folder}: holds no checkpoint; train first")
    model = build_restorer(**recipe.model.model_dump())
    model.load_state_dict(load_file(found / "ema.safetensors"))
    return model.eval().requires_grad_(False)


def finish(recipe: TrainRecipe, recipe_path: Path, store: PixelStore, run: RunFolder) -> Bundle:
    """Export, calibrate, measure on held-out pictures, and write `<run>/bundle`."""
    model = load_model(recipe, run)
    folder = run.folder / "bundle"
    folder.mkdir(exist_ok=True)
    parity = export_graphs(model, folder)
    held_out = store.select(validation=True, share=recipe.data.validation_share)
    validation = build_validation(held_out, recipe.seed)
    measured = validate_mean(model, validation) | validate_posterior(model, validation) | {"onnx_parity": parity}
    known, unseen = (len({e.digest for e in part.entries}) for part in (store, held_out))
    card = Card(
        name=recipe.name,
        task="restore",
        summary="Blind restoration of photographs: noise, JPEG artefacts, slight blur.",
        size_multiple=model.trunk.size_multiple,
        mean_halo_px=padded(model.trunk.reach_px, model.trunk.size_multiple),
        sample_halo_px=padded(model.trunk.reach_px + model.ladder.reach_px, model.trunk.size_multiple),
        latents=tuple(Latent(channels=c, stride_px=2 ** (k + 1)) for k, c in enumerate(model.ladder.latents)),
        recipe=recipe_path.name,
        recipe_sha256=hashlib.sha256(recipe_path.read_bytes()).hexdigest(),
        trained_on=f"{known - unseen} photographs, {unseen} more held out for validation; on the CPU",
        training_minutes=round(_minutes(run), 1),
        weights_licence="Apache-2.0",
        measured={name: round(value, 7) for name, value in measured.items()},
        limits=LIMITS,
    )
    return save_bundle(folder, card, calibrate(model, held_out, recipe))


@torch.inference_mode()
def calibrate(model: Restorer, held_out: PixelStore, recipe: TrainRecipe) -> Calibration:
    """Fit what the predicted scale is worth, on held-out pictures degraded as in training.

    std_factor = sqrt(mean (e / s)²); the quantiles are those of |e| / (std_factor · s): a conformal
    correction (Angelopoulos & Bates, 2021, §2.3) of one factor per level, over all pixel values.
    """
    data = recipe.data
    pairs = RestorationPairs(
        held_out, recipe.degrade, recipe.seed, "calibration", data.patch_px, data.margin_px, data.grey_share
    )
    ratios = []
    for batch in loader(pairs, 0, CALIBRATION_PAIRS // 16, 16, workers=0):
        pair = Pair(*batch)
        output = model(pair.degraded, pair.sigma_01)
        ratios.append(((pair.clean - output.mean) / output.log_scale.exp()).abs().flatten().numpy())
    ratio = np.concatenate(ratios)
    std_factor = float(np.sqrt(np.mean(np.square(ratio, dtype=np.float64))))
    quantiles = np.quantile(ratio / std_factor, LEVELS)
    return Calibration(
        std_factor=round(std_factor, 5),
        levels=LEVELS,
        quantiles=tuple(round(float(q), 5) for q in quantiles),
        fitted_on=f"{CALIBRATION_PAIRS} patches of held-out photographs, degraded as in training",
    )


def _minutes(run: RunFolder) -> float:
    """Wall-clock minutes of training, gaps between sittings left out."""
    times = [json.loads(line)["time"] for line in run.metrics.read_text().splitlines()]
    return float(sum(step for step in np.diff(times) if step < 600)) / 60
