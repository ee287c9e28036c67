"""The last look before a result is written: a black or broken picture is an error, not a success."""

import math

import numpy as np
from numpy.typing import NDArray

from safelight.errors import OutputError
from safelight.picture import Picture
from safelight.picture.scale import Scale

LOOK_AT_PX = 500_000
FEW_COUNTS = 16
"""A picture of whole numbers that uses fewer may be noise alone, and becomes flat when it is restored."""
MEAN_SHIFT = 0.1
"""Restoration may move the average brightness of what shows by this share of white at the most."""


def check_plausible(before: Picture, after: Picture, name: str, scale: Scale | None = None) -> None:
    """Raises OutputError if `after` is not finite, is constant where `before` was not, or is far off in brightness.

    `scale` says which numbers are black and white; None: the full scale.
    """
    mend = "nothing was written; please report this picture"
    if after.pixels.dtype == np.float32 and (np.isfinite(before.pixels) & ~np.isfinite(after.pixels)).any():
        raise OutputError(f"{name}: the result has values that are not finite; {mend}")
    scale = scale or Scale(0.0, before.full_scale)
    counts = scale.width if before.bits < 32 else np.inf  # rounding moves a mean by up to one
    with np.errstate(over="ignore", invalid="ignore"):
        old, new = _seen(before, scale), _seen(after, scale)
        flat = np.ptp(new, axis=(0, 1)).max() == 0 and old.std(axis=(0, 1)).max() > 0.01
        shift = abs(new.mean() - old.mean())
    if flat and counts > FEW_COUNTS:
        raise OutputError(f"{name}: the result is one flat colour and the input was not; {mend}")
    if shift > MEAN_SHIFT * max(1.0, old.max()) + 1 / counts:
        raise OutputError(f"{name}: the result is much brighter or darker than the input; {mend}")


def _seen(picture: Picture, scale: Scale) -> NDArray[np.float64]:
    """What shows of an even grid of pixels, white at 1: enough to judge by, and little memory."""
    step = max(1, math.isqrt(picture.pixels.shape[0] * picture.pixels.shape[1] // LOOK_AT_PX))
    values = (np.nan_to_num(picture.pixels[::step, ::step].astype(np.float64)) - scale.low) / scale.width
    return values if picture.alpha is None else values * (picture.alpha[::step, ::step] / picture.full_scale)
