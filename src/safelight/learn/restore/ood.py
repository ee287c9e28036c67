"""Fit the out-of-distribution reference of a restorer (`bundle.restore.ood`).

Training pictures, degraded as in training, are the reference. They also show what the predicted scale is worth for
each kind of picture. Held-out pictures say how far from the training pictures a picture of the same kind may lie, and
how much it may look like a drawing.
"""

import math
from dataclasses import replace
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from safelight.bundle import Correction, OodReference
from safelight.bundle.names import SIGMA_UNKNOWN
from safelight.ladder.restorer import Experts, RestorerNet
from safelight.learn.restore.data import Pair, RestorationPairs, training_pairs
from safelight.learn.restore.objectives import draw_noise
from safelight.learn.restore.recipe import RestoreRecipe
from safelight.learn.store import PixelStore
from safelight.runtime.restore.drawings import drawn_score
from safelight.runtime.restore.look import OF_PATTERNS, OF_REMOVED, WINDOW_PX, corners, statistics

REFERENCES, HELD_OUT = 1024, 384
"""Training patches that are kept, and held-out patches that set the limit."""
SIDES_PX = (2 * WINDOW_PX, WINDOW_PX)
"""Of the patches: the larger if there are pictures that large."""
DIMENSIONS = 8
"""Of the features; what was removed and the patterns keep their own."""
BEYOND_SHARE = 0.02
"""Of the held-out patches, how many may lie beyond the limit."""
BORDER_PX = 32
"""Nearer to a patch's border the model knows less than within a picture."""
EVERY = 7
"""Of how many values one is kept; prime, so that no grid is favoured."""
AT_LEVEL = 0.9
"""Of the interval that the second correction makes right."""
LEAST = 1e-3
"""Of a correction that is needed, and of an error: a patch without any error says nothing more."""

Vector = NDArray[np.float64]


def looking_pairs(
    recipe: RestoreRecipe, training: PixelStore, held_out: PixelStore
) -> tuple[RestorationPairs, RestorationPairs]:
    """Patches that are large enough to be looked at as whole pictures are, as large as most pictures of both allow."""

    def fits(side: int) -> bool:
        return all(2 * s.at_least(side + recipe.data.margin_px).pictures >= s.pictures for s in (training, held_out))

    side = next((side for side in SIDES_PX if fits(side)), SIDES_PX[-1])
    return training_pairs(recipe, training, "familiar", side), training_pairs(recipe, held_out, "calibration", side)


def fit_ood_reference(model: Experts, training: RestorationPairs, held_out: RestorationPairs) -> OodReference:
    """Fit every array of the reference; see `looking_pairs` for the patches.

    Corrections are those of training pictures. They are many more than the held-out ones, and a trunk this small
    restores both alike. `calibrate.calibrate` then sees to it that levels are kept on held-out pictures.
    """
    seen, errors, needed = [], [], []
    for index in range(REFERENCES):
        pair = training[index]
        seen.append(statistics_of(model.first, pair))
        by_expert = [evidence(model[name], pair) for name in model]
        errors.append([np.mean(one.error**2) for one in by_expert])
        needed.append([needed_correction(*one) for one in by_expert])
    all_statistics = np.stack(seen)
    centre, projection = _project(all_statistics)
    logs = np.log(np.maximum(errors, LEAST**2)), np.log(np.maximum(needed, LEAST))
    arrays = (centre, projection, (all_statistics - centre) @ projection, np.array(1.0), *logs)
    unlimited = OodReference(*(array.astype(np.float32) for array in arrays))
    looks = [_windows(model.first, held_out[index]) for index in range(HELD_OUT)]
    distances = [unlimited.ood_score(unlimited.embed(statistics(*windows))) for windows in looks]
    drawn = [drawn_score(windows.degraded, windows.mean) for windows in looks]
    limits = [np.array(np.quantile(values, 1 - BEYOND_SHARE), np.float32) for values in (distances, drawn)]
    return replace(unlimited, limit=limits[0], drawn_limit=np.maximum(limits[1], 0))


class _Windows(NamedTuple):
    """Of a patch, as the runtime would look at it."""

    degraded: NDArray[np.float32]
    mean: NDArray[np.float32]
    coarsest: NDArray[np.float32]


@torch.inference_mode()
def _windows(model: RestorerNet, pair: Pair) -> _Windows:
    places = corners(*pair.clean.shape[1:])
    degraded = torch.stack([pair.degraded[:, r : r + WINDOW_PX, c : c + WINDOW_PX] for r, c in places])
    mean, features = model.trunk(degraded, torch.full((len(degraded),), SIGMA_UNKNOWN))
    return _Windows(degraded.numpy(), mean.numpy(), features[-1].numpy())


def statistics_of(model: RestorerNet, pair: Pair) -> Vector:
    """The statistics of a patch's windows."""
    return statistics(*_windows(model, pair))


class Evidence(NamedTuple):
    """Some of a patch's values, away from its border, as a picture of its kind would show them."""

    error: Vector
    """|x - m|"""
    scale: Vector
    """s, as predicted."""
    drawn: Vector
    """A draw's distance from the mean, for the scale as predicted."""


@torch.inference_mode()
def evidence(model: RestorerNet, pair: Pair) -> Evidence:
    """What a patch shows of its scale; a grey one is the average of its channels, as in `runtime.restore.canvas`."""
    output = model(pair.degraded[None], torch.tensor([SIGMA_UNKNOWN]))
    scale = output.log_scale.exp()
    noise = draw_noise(model, output.mean.shape, torch.Generator().manual_seed(0))
    drawn = model.draw(output.mean, scale, output.features, noise) - output.mean
    shown = torch.cat([pair.clean[None] - output.mean, scale, drawn])
    if torch.equal(pair.clean[0], pair.clean[1]) and torch.equal(pair.degraded[0], pair.degraded[1]):
        shown = shown.mean(dim=1, keepdim=True)
    inner = shown[..., BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX].flatten(1)[:, ::EVERY].double().numpy()
    return Evidence(*np.abs(inner))


def needed_correction(error: Vector, scale: Vector, drawn: Vector) -> Correction:
    """What one patch's scale s must be multiplied by, since the errors e of the patch are known.

    std        √(mean e² / mean s²)
    interval   quantile of |e| / s at `AT_LEVEL`, over that of a Gaussian
    draw_std   √(mean d² / mean s²), with the distance d of a draw from the mean
    """
    std, draw_std = (math.sqrt(np.mean(values**2) / np.mean(scale**2)) for values in (error, drawn))
    gaussian = NormalDist().inv_cdf((1 + AT_LEVEL) / 2)
    return Correction(std, float(np.quantile(error / scale, AT_LEVEL)) / gaussian, draw_std)


def _project(seen: Vector) -> tuple[Vector, Vector]:
    """(N, D) → centre (D,) and projection (D, k): whitened principal components of the features, and the
    standardised statistics of what was removed and of patterns; the three parts weigh the same.
    """
    centre, spread = seen.mean(axis=0), seen.std(axis=0) + 1e-6
    own = np.repeat([OF_REMOVED, OF_PATTERNS], [OF_REMOVED, OF_PATTERNS])  # the size of the part that each is in
    features = ((seen - centre) / spread)[:, : -len(own)]
    variances, directions = np.linalg.eigh(np.cov(features.T))
    kept = min(DIMENSIONS, len(variances))
    main = directions[:, ::-1][:, :kept] / np.sqrt(np.maximum(variances[::-1][:kept], 1e-6) * kept)
    projection = np.zeros((seen.shape[1], kept + len(own)))
    projection[: -len(own), :kept] = main / spread[: -len(own), None]
    projection[-len(own) :, kept:] = np.diag(1 / (spread[-len(own) :] * np.sqrt(own)))
    return centre, projection
