"""A first look at a picture: which expert restores its kind best, and how far it is from what they were trained on.

A few small windows go through the first expert's trunk before the picture does. Their statistics say what kind of
picture it is: the mean and spread of the coarsest features (what is shown); variance, kurtosis and
autocorrelation of what was removed (whether it looks like noise that the model knows); and patterns that
photographs do not have: lines along rows or columns, noise without colour in a coloured scene, a single wave,
no colour, drawn edges.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from safelight.bundle import Correction
from safelight.runtime.restore.canvas import Canvas
from safelight.runtime.restore.drawings import drawn_score
from safelight.runtime.restore.networks import RestorerNetworks

Array = NDArray[np.float32]
WINDOW_PX = 128
LARGE_PX = 4_000_000
"""Pictures of more pixels are looked at in 16 windows, others in 4."""
LAGS = (1, 2)
OF_REMOVED = 3 * (2 + 2 * len(LAGS))
"""How many of the statistics are of what was removed."""
OF_PATTERNS = 8
"""How many are of patterns; the last ones."""
LOWEST_CYCLES = 8
"""Per window, of what counts as a wave; below them photographs have their power."""


class Look(NamedTuple):
    """What the first look says of a picture."""

    ood_score: float | None
    """1 is the limit of the training pictures (`bundle.restore.ood`); None if the picture is too small to say."""
    expert: str
    """Which one is to restore it."""
    correction: Correction
    """Of the predicted scale, for this kind of picture."""


def look(networks: RestorerNetworks, canvas: Canvas) -> Look:
    """A picture smaller than a window is mirrored to fill it: enough to choose an expert by, not to judge it, and
    its correction is that of the expert's average picture.
    """
    height, width, _ = canvas.picture.pixels.shape
    small = min(height, width) < WINDOW_PX
    places = corners(max(height, WINDOW_PX), max(width, WINDOW_PX))
    batch = np.stack([canvas.take((row, row + WINDOW_PX), (column, column + WINDOW_PX)) for row, column in places])
    reference = networks.ood_reference
    mean, coarsest = networks.mean_and_coarsest(batch)
    embedding = reference.embed(statistics(batch, mean, coarsest))
    expert = reference.best_expert(embedding)
    name = networks.bundle.card.experts[expert]
    if small:
        return Look(None, name, reference.average_correction(expert))
    score = reference.ood_score(embedding, drawn_score(batch, mean))
    return Look(score, name, reference.correction_at(embedding, expert))


def corners(height: int, width: int) -> list[tuple[int, int]]:
    """Top left corners of the windows, each once: an even grid that touches no border unless it must."""
    count = 4 if height * width > LARGE_PX else 2

    def starts(size: int) -> list[int]:
        return sorted({int((size - WINDOW_PX) * (2 * k + 1) / (2 * count)) // 8 * 8 for k in range(count)})

    return [(row, column) for row in starts(height) for column in starts(width)]


def statistics(degraded: Array, mean: Array, coarsest: Array) -> NDArray[np.float64]:
    """Windows (B, 3, H, W) and their features (B, C, h, w) → (2C + OF_REMOVED + OF_PATTERNS,), averaged over them."""
    coarsest = coarsest.astype(np.float64)
    removed = (degraded - mean).astype(np.float64)
    removed -= removed.mean(axis=(2, 3), keepdims=True)
    variance = np.square(removed).mean(axis=(2, 3)) + 1e-9
    kurtosis = np.square(np.square(removed)).mean(axis=(2, 3)) / np.square(variance)
    along = [(removed[:, :, lag:] * removed[:, :, :-lag]).mean(axis=(2, 3)) / variance for lag in LAGS]
    across = [(removed[..., lag:] * removed[..., :-lag]).mean(axis=(2, 3)) / variance for lag in LAGS]
    seen = [coarsest.mean(axis=(2, 3)), np.log(coarsest.std(axis=(2, 3)) + 1e-4)]
    lines = [
        np.log(removed.shape[axis] * np.square(removed.mean(axis=axis)).mean(axis=2) / variance + 1e-6).mean(axis=1)
        for axis in (3, 2)
    ]
    others = np.roll(removed, 1, axis=1)
    shared = (removed * others).mean(axis=(2, 3)) / np.sqrt(variance * np.roll(variance, 1, axis=1))
    patterns = [np.stack(lines, axis=1), shared.mean(axis=1, keepdims=True), _edges(mean)]
    parts = [*seen, np.log(variance), np.log(kurtosis + 1e-9), *along, *across, *patterns]
    averaged: NDArray[np.float64] = np.concatenate(parts, axis=1).mean(axis=0, dtype=np.float64)
    return averaged


def _edges(mean: Array) -> NDArray[np.float64]:
    """Of restored windows (B, 3, H, W), all in logs, (B, 5): how much edges prefer a direction, differences two pixels
    apart over neighbours' (across and along), colour's over grey's, and how far a single wave stands out.
    """
    pixels = mean.astype(np.float64)
    grey = pixels.mean(axis=1)

    def energy(values: NDArray[np.float64], axis: int, lag: int = 1) -> NDArray[np.float64]:
        turned = values.swapaxes(axis, -1)
        squares = np.square(turned[..., lag:] - turned[..., :-lag])
        energies: NDArray[np.float64] = squares.reshape(len(values), -1).mean(axis=1) + 1e-9
        return energies

    across, along = energy(grey, -1), energy(grey, -2)
    colour = energy(pixels - grey[:, None], -1) + energy(pixels - grey[:, None], -2)
    power = np.square(np.abs(np.fft.rfft2(grey)))
    power[:, :LOWEST_CYCLES, :LOWEST_CYCLES] = power[:, -LOWEST_CYCLES:, :LOWEST_CYCLES] = 0
    power = power.reshape(len(grey), -1)
    columns = [
        np.abs(np.log(across / along)),
        np.log(energy(grey, -1, 2) / across),
        np.log(energy(grey, -2, 2) / along),
        np.log(colour / (across + along)),
        np.log((power.max(axis=1) + 1e-9) / (power.mean(axis=1) + 1e-9)),
    ]
    return np.stack(columns, axis=1)
