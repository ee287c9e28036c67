"""How many bytes one codec needs more than another at equal quality."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Curve = Sequence[tuple[float, float]]
"""Points (rate, quality), in any order; rates are positive, and no two qualities are equal."""


def bd_rate(curve: Curve, anchor: Curve, between: tuple[float, float] | None = None) -> float:
    """The mean difference in rate at equal quality, as a share: -0.3 means 30 % fewer bytes than the anchor.

        exp( mean over quality of log rate_curve - log rate_anchor ) - 1

    Over the qualities that both curves reach, and that lie `between` two limits; log rate is interpolated by a
    monotone cubic (PCHIP). Bjøntegaard, VCEG-M33, 2001; with PCHIP: Bjøntegaard, VCEG-AI11, 2008. NaN if the curves
    share no quality.
    """
    (own_quality, own_rate), (other_quality, other_rate) = _sorted(curve), _sorted(anchor)
    low, high = max(own_quality[0], other_quality[0]), min(own_quality[-1], other_quality[-1])
    if between is not None:
        low, high = max(low, between[0]), min(high, between[1])
    if high <= low:
        return math.nan
    at = np.linspace(low, high, 1001)
    difference = pchip(own_quality, own_rate, at) - pchip(other_quality, other_rate, at)
    return float(np.exp(np.trapezoid(difference, at) / (high - low)) - 1)


def _sorted(curve: Curve) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Qualities that rise, and log rates."""
    rates, qualities = np.array(sorted(curve, key=lambda point: point[1]), np.float64).T
    return qualities, np.log(rates)


def pchip(x: NDArray[np.float64], y: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """A cubic through points, without overshoot (Fritsch & Butland, SIAM J. Sci. Stat. Comput. 1984).

    `x` rises, `at` lies within it.
    """
    steps, slopes = np.diff(x), np.diff(y) / np.diff(x)
    inner = np.zeros(len(x) - 2)
    same = slopes[:-1] * slopes[1:] > 0
    before, after = (2 * steps[1:] + steps[:-1])[same], (steps[1:] + 2 * steps[:-1])[same]
    inner[same] = (before + after) / (before / slopes[:-1][same] + after / slopes[1:][same])
    tangents = np.concatenate([[slopes[0]], inner, [slopes[-1]]])
    k = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(steps) - 1)
    t, h = (at - x[k]) / steps[k], steps[k]
    value: NDArray[np.float64] = (
        (1 + 2 * t) * (1 - t) ** 2 * y[k]
        + t * (1 - t) ** 2 * h * tangents[k]
        + t**2 * (3 - 2 * t) * y[k + 1]
        + t**2 * (t - 1) * h * tangents[k + 1]
    )
    return value
