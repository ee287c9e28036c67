"""From a finished run to a bundle: graphs, calibration, measurements, card.

Half of the held-out pictures calibrate, the other half measure; training sees neither.
"""

import hashlib
import math
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from safelight.bundle import Bundle, Calibration, Card, Familiar, NoiseInput, save_restorer
from safelight.errors import UsageError
from safelight.ladder.restorer import Restorer, build_restorer
from safelight.learn import checkpoint
from safelight.learn.restore.acquaint import HELD_OUT, acquaint, evidence, kind, looking_pairs
from safelight.learn.restore.data import Pair, RestorationPairs, training_pairs
from safelight.learn.restore.export import export_graphs
from safelight.learn.restore.quantise import quantise
from safelight.learn.restore.settings import TrainRecipe
from safelight.learn.restore.store import PixelStore
from safelight.learn.restore.validate import build_validation, graph_psnr_db, validate_mean, validate_posterior
from safelight.learn.run import RunFolder
from safelight.runtime.machine import processor
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


def finish(recipe: TrainRecipe, recipe_path: Path, store: PixelStore, run: RunFolder) -> Bundle[Card]:
    """Export, calibrate, measure, and write `<run>/bundle`."""
    model = load_model(recipe, run)
    folder = run.bundle
    folder.mkdir(exist_ok=True)
    parity = export_graphs(model, folder)
    share = recipe.data.validation_share
    for_calibration, for_measuring = store.part(0, share).halves()
    quantise(folder / "mean.onnx", folder / "mean_int8.onnx", training_pairs(recipe, for_calibration, "int8"))
    known, held_out = looking_pairs(recipe, store.part(share, 1), for_calibration)
    familiar = acquaint(model, known, held_out)
    calibration = calibrate(model, familiar, held_out)
    validation = build_validation(for_measuring, recipe.seed)
    factors = draw_factors(model, familiar, calibration, validation["noise25"])
    measured = validate_mean(model, validation) | validate_posterior(model, validation, factors)
    measured |= {"onnx_parity": parity}
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
        training_minutes=round(run.minutes, 1),
        trained_with=f"{processor()}, {torch.get_num_threads()} threads",
        data_licences=recipe.card.data_licences,
        weights_licence=recipe.card.weights_licence,
        measured={name: round(value, 7) for name, value in measured.items() if math.isfinite(value)},
        limits=(*recipe.card.limits, *([UNTRAINED_SAMPLER] if untrained else [])),
    )
    return save_restorer(folder, card, calibration, familiar)


def calibrate(model: Restorer, familiar: Familiar, pairs: RestorationPairs) -> Calibration:
    """Fit what the predicted scale is worth, on pictures that were held out for it, degraded as in training.

    With s corrected for the kind of picture (`Familiar.corrected`):
    std_factor² is the sum of e² over that of s², draw_factor² that over the same of draws. (An average of the patches'
    own quotients is ruled by the few of which the correction expects too little.)
    The quantiles are those of |e| / s, over all pixel values: a conformal correction (Angelopoulos & Bates, 2021,
    §2.3) of one factor per level.
    """
    error, predicted, drawn, quotients = 0.0, 0.0, 0.0, []
    for index in range(HELD_OUT, HELD_OUT + CALIBRATION_PATCHES):
        pair = pairs[index]
        seen, correction = evidence(model, pair), familiar.corrected(familiar.place(kind(model, pair)))
        error += np.sum(seen.error**2)
        predicted += np.sum((correction.std * seen.scale) ** 2)
        drawn += np.sum((correction.std / correction.spread * seen.drawn) ** 2)
        quotients.append(seen.error / (correction.interval * seen.scale))
    quantiles = np.quantile(np.concatenate(quotients), LEVELS)
    return Calibration(
        std_factor=round(math.sqrt(error / predicted), 5),
        draw_factor=round(math.sqrt(error / drawn), 5),
        levels=LEVELS,
        quantiles=tuple(round(float(q), 5) for q in quantiles),
        fitted_on=f"{CALIBRATION_PATCHES} patches of {pairs.store.pictures} held-out pictures, degraded as in training",
    )


def draw_factors(model: Restorer, familiar: Familiar, calibration: Calibration, batch: Pair) -> Tensor:
    """(B, 1, 1, 1): what the runtime multiplies the scale of each picture's draws by."""
    places = (familiar.place(kind(model, Pair(*example))) for example in zip(*batch, strict=True))
    corrections = [familiar.corrected(place) for place in places]
    return torch.tensor([c.std / c.spread * calibration.draw_factor for c in corrections]).view(-1, 1, 1, 1)
