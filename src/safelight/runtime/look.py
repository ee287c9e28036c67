"""A first look at a picture: how far it is from what the model was trained on.

A few small windows go through the trunk before the picture does. Their statistics say what kind of
picture it is: the mean and spread of the coarsest features (what is shown), and variance, kurtosis and
autocorrelation of what was removed (whether it looks like noise that the model knows).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from safelight.runtime.session import Session
from safelight.runtime.window import Canvas

Array = NDArray[np.float32]
WINDOW_PX = 128
LARGE_PX = 4_000_000
"""Pictures of more pixels are looked at in 16 windows, others in 4."""
LAGS = (1, 2)
OF_REMOVED = 3 * (2 + 2 * len(LAGS))
"""How many of the statistics are of what was removed; the last ones."""


class Look(NamedTuple):
    """What was seen."""

    anomaly: float | None
    """1 is the limit of what the model was trained on (`bundle.familiar`); None if the picture is too small to say."""
    scale_factor: float
    """Corrects the predicted scale for this kind of picture."""


def look(session: Session, canvas: Canvas) -> Look:
    """Sizes as the picture's; a picture that is too small to say gets the correction of an average one."""
    height, width, _ = canvas.picture.pixels.shape
    if min(height, width) < WINDOW_PX:
        return Look(None, session.familiar.scale_factor(session.familiar.average))
    batch = np.stack(
        [canvas.take((row, row + WINDOW_PX), (column, column + WINDOW_PX)) for row, column in corners(height, width)]
    )
    familiar = session.familiar
    place = familiar.place(statistics(batch, *session.mean_and_coarsest(batch)))
    return Look(familiar.anomaly(place), familiar.scale_factor(place))


def corners(height: int, width: int) -> list[tuple[int, int]]:
    """Top left corners of the windows, each once: an even grid that touches no border unless it must."""
    count = 4 if height * width > LARGE_PX else 2

    def starts(size: int) -> list[int]:
        return sorted({int((size - WINDOW_PX) * (2 * k + 1) / (2 * count)) // 8 * 8 for k in range(count)})

    return [(row, column) for row in starts(height) for column in starts(width)]


def statistics(degraded: Array, mean: Array, coarsest: Array) -> NDArray[np.float64]:
    """Windows (B, 3, H, W) and their features (B, C, h, w) → (2C + OF_REMOVED,), averaged over the windows."""
    coarsest = coarsest.astype(np.float64)
    removed = (degraded - mean).astype(np.float64)
    removed -= removed.mean(axis=(2, 3), keepdims=True)
    variance = np.square(removed).mean(axis=(2, 3)) + 1e-9
    kurtosis = np.square(np.square(removed)).mean(axis=(2, 3)) / np.square(variance)
    along = [(removed[:, :, lag:] * removed[:, :, :-lag]).mean(axis=(2, 3)) / variance for lag in LAGS]
    across = [(removed[..., lag:] * removed[..., :-lag]).mean(axis=(2, 3)) / variance for lag in LAGS]
    seen = [coarsest.mean(axis=(2, 3)), np.log(coarsest.std(axis=(2, 3)) + 1e-4)]
    parts = [*seen, np.log(variance), np.log(kurtosis + 1e-9), *along, *across]
    averaged: NDArray[np.float64] = np.concatenate(parts, axis=1).mean(axis=0, dtype=np.float64)
    return averaged
