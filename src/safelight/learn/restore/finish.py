"""From a finished run to a bundle: graphs, calibration, measurements, card.

Half of the held-out pictures calibrate, the other half measure; training sees neither.
"""

import hashlib
import math
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from safelight.bundle import Bundle, Calibration, Card, Familiar, NoiseInput, save_restorer
from safelight.errors import UsageError
from safelight.ladder.restorer import Experts, Restorer, build_experts
from safelight.learn import checkpoint
from safelight.learn.restore.acquaint import Vector, acquaint, evidence, kind, looking_pairs
from safelight.learn.restore.data import RestorationPairs, training_pairs
from safelight.learn.restore.export import export_graphs, halved
from safelight.learn.restore.measure import measure
from safelight.learn.restore.quantise import quantise
from safelight.learn.restore.settings import TrainRecipe
from safelight.learn.restore.store import PixelStore
from safelight.learn.restore.validate import build_validation
from safelight.learn.run import RunFolder
from safelight.runtime.machine import processor
from safelight.runtime.tiling import padded

LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
CALIBRATION_PATCHES = 384
CONFIDENCE = 0.9
"""With which a level is kept on pictures like those of the calibration."""
UNTRAINED_SAMPLER = "The sampler was not trained ({}): use the mean."


def load_model(recipe: TrainRecipe, run: RunFolder) -> Experts:
    """The averaged weights of a run's checkpoint. Raises UsageError if there is none."""
    found = checkpoint.find(run.checkpoint)
    if found is None:
        raise UsageError(f"{run.folder}: holds no checkpoint; train first")
    model = build_experts(recipe.experts, recipe.model.model_dump())
    model.load_state_dict(load_file(found / "ema.safetensors"))
    return model.eval().requires_grad_(False)


def finish(recipe: TrainRecipe, recipe_path: Path, store: PixelStore, run: RunFolder) -> Bundle[Card]:
    """Export, calibrate, measure, and write `<run>/bundle`."""
    model = halved(load_model(recipe, run))
    share = recipe.data.validation_share
    for_calibration, for_measuring = store.part(0, share).halves()
    shutil.rmtree(run.bundle, ignore_errors=True)  # of an earlier export, perhaps of other experts
    parity = 0.0
    for name in recipe.experts:
        folder = run.bundle / name
        folder.mkdir(parents=True, exist_ok=True)
        parity = max(parity, export_graphs(model[name], folder))
        pairs = training_pairs(recipe, for_calibration, "int8", expert=name)
        quantise(folder / "mean.onnx", folder / "mean_int8.onnx", pairs)
    known, held_out = looking_pairs(recipe, store.part(share, 1), for_calibration)
    familiar = acquaint(model, known, held_out)
    calibration = calibrate(model, familiar, held_out)
    card = _card(recipe, recipe_path, store, run, model.first)
    bundle = save_restorer(run.bundle, card, calibration, familiar)
    measured = measure(bundle, build_validation(for_measuring, recipe.seed)) | {"onnx_parity": parity}
    known_numbers = {name: round(value, 7) for name, value in measured.items() if math.isfinite(value)}
    return save_restorer(run.bundle, card.model_copy(update={"measured": known_numbers}), calibration, familiar)


def _card(recipe: TrainRecipe, recipe_path: Path, store: PixelStore, run: RunFolder, model: Restorer) -> Card:
    """All but what is measured; `model` is any of the experts, which are of the same sizes."""
    share, multiple = recipe.data.validation_share, model.trunk.size_multiple
    drawing = {stage.expert for stage in recipe.stages if stage.objective == "posterior"}
    untrained = [] if None in drawing else [name for name in recipe.experts if name not in drawing]
    return Card(
        name=recipe.name,
        task="restore",
        experts=recipe.experts,
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
        measured={},
        limits=(*recipe.card.limits, *([UNTRAINED_SAMPLER.format(", ".join(untrained))] if untrained else [])),
    )


def calibrate(model: Experts, familiar: Familiar, pairs: RestorationPairs) -> Calibration:
    """Fit what the predicted scale is worth, on pictures that were held out for it, degraded as in training.

    With s corrected for the kind of picture (`Familiar.corrected`):
    std_factor² is the sum of e² over that of s², draw_factor² that over the same of draws. (An average of the patches'
    own quotients is ruled by the few of which the correction expects too little.)
    The quantiles are of |e| / s: see `safe_quantile`.
    """
    error, predicted, drawn, quotients = 0.0, 0.0, 0.0, []
    names, stores = tuple(model), pairs.store.each()[:CALIBRATION_PATCHES]
    patches = math.ceil(CALIBRATION_PATCHES / len(stores))
    for store in stores:
        of_picture = []
        for index in range(patches):
            pair = replace(pairs, store=store, stream=f"calibration of {store.entries[0].digest}")[index]
            place = familiar.place(kind(model.first, pair))
            expert = familiar.expert(place)
            seen, correction = evidence(model[names[expert]], pair), familiar.corrected(place, expert)
            error += np.sum(seen.error**2)
            predicted += np.sum((correction.std * seen.scale) ** 2)
            drawn += np.sum((correction.std / correction.spread * seen.drawn) ** 2)
            of_picture.append(seen.error / (correction.interval * seen.scale))
        quotients.append(np.sort(np.concatenate(of_picture)))
    return Calibration(
        std_factor=round(math.sqrt(error / predicted), 5),
        draw_factor=round(math.sqrt(error / drawn), 5),
        levels=LEVELS,
        quantiles=tuple(round(safe_quantile(quotients, level), 5) for level in LEVELS),
        fitted_on=f"{patches} patches of each of {len(stores)} held-out pictures, degraded as in training",
    )


def safe_quantile(quotients: Sequence[Vector], level: float) -> float:
    """How many units an interval must reach to hold a share `level` of the values, so many pictures' worth of sorted
    |error| / unit being known: the smallest number of which an upper confidence bound of what is missed is 1 - level.

    Few pictures say little, however many values they have, and what is right for their average is too little for half
    of all other sets of pictures. (Bates et al., "Distribution-free, risk-controlling prediction sets", JACM 2021,
    with Student's bound over pictures.) One picture has no spread, and gets no such margin.
    """
    from scipy import stats

    pictures = len(quotients)
    errors = float(stats.t.ppf(CONFIDENCE, pictures - 1)) / math.sqrt(pictures) if pictures > 1 else 0.0
    least, most = 0.0, max(float(values[-1]) for values in quotients)
    for _ in range(40):
        middle = (least + most) / 2
        held = np.array([np.searchsorted(values, middle, side="right") / len(values) for values in quotients])
        margin = errors * held.std(ddof=1) if pictures > 1 else 0.0
        least, most = (least, middle) if held.mean() - margin >= level else (middle, most)
    return most
