"""The last look before a result is written: a black or broken picture is an error, not a success."""

import numpy as np

from safelight.errors import OutputError
from safelight.picture import Picture

MEAN_SHIFT = 0.1
"""Restoration may move the average brightness of what shows by this share of white at the most."""


def check_plausible(before: Picture, after: Picture, name: str) -> None:
    """Raises OutputError if `after` is not finite, is constant where `before` was not, or is far off in brightness."""
    mend = "nothing was written; please report this picture"
    old, new = before.pixels, after.pixels
    if not np.isfinite(new.sum(dtype=np.float64)):
        raise OutputError(f"{name}: the result has values that are not finite; {mend}")
    if new.min() == new.max() and old.min() != old.max() and old.std() > 0.01 * before.full_scale:
        raise OutputError(f"{name}: the result is one flat colour and the input was not; {mend}")
    white = max(before.full_scale, float(old.max()))
    seen = np.ones((1, 1, 1)) if before.alpha is None else before.alpha / before.full_scale
    if abs(float(np.mean(new * seen)) - float(np.mean(old * seen))) > MEAN_SHIFT * white:
        raise OutputError(f"{name}: the result is much brighter or darker than the input; {mend}")
