"""Strength: how much of what was removed comes back, and in which order.

    out = m + Σ_b w_b(1 - strength) · band_b(y - m)

The residual is split into luminance at three scales and a rest, and chrominance. As strength falls from
1, fine luminance grain returns first, coarse luminance after it, chroma noise last; at 0 everything is
back. Scales: the à trous transform with the B3 spline (Starck & Murtagh, "Astronomical image and data
analysis", 2006, §2.3).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

SCALES = 3
REACH_PX = 2 * (2**SCALES - 1)
"""How far a band looks: two taps at strides 1, 2, 4."""
_LUMA = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)
_RETURNS = ((0.0, 0.7), (0.1, 0.8), (0.25, 0.9), (0.4, 1.0), (0.5, 1.0))
"""Fine to coarse luminance, its rest, chrominance: the 1 - strength at which each starts to return and is back."""


def give_back(residual: Array, strength: float, smooth: Sequence[Array] | None = None) -> Array:
    """The part of a removed `residual` (3, H, W) that comes back; `strength` in [0, 1].

    `smooth` is what `smoothed` makes of it: for those who ask for several strengths.
    """
    planes = smoothed(residual) if smooth is None else smooth
    weights = [_ramp(1 - strength, start, whole) for start, whole in _RETURNS]
    # Σ_k w_k (l_k - l_{k+1}) + w_rest l_last - w_chroma l_0, collected by planes
    factors = np.diff([weights[-1], *weights[: SCALES + 1]])
    of_luma = sum(factor * plane for factor, plane in zip(factors, planes, strict=True))
    result: Array = (weights[-1] * residual + of_luma).astype(np.float32)
    return result


def smoothed(residual: Array) -> list[Array]:
    """The luminance of a residual (3, H, W) as it is, and after each scale: (H, W) each."""
    planes: list[Array] = [np.tensordot(_LUMA, residual, axes=1)]
    for scale in range(SCALES):
        planes.append(_b3_spline(planes[-1], 2**scale))
    return planes


def _ramp(x: float, start: float, whole: float) -> np.float32:
    t = min(max((x - start) / (whole - start), 0.0), 1.0)
    return np.float32(t * t * (3 - 2 * t))


def _b3_spline(plane: Array, stride: int) -> Array:
    """Separable [1 4 6 4 1] / 16 with `stride` - 1 holes, mirrored at the border."""
    for axis in (0, 1):
        reach = 2 * stride
        padded = np.pad(plane, [(reach, reach) if a == axis else (0, 0) for a in (0, 1)], mode="symmetric")
        n = plane.shape[axis]
        shifted = (padded[_along(axis, k * stride, n)] for k in range(5))
        plane = sum(np.float32(w / 16) * s for w, s in zip((1, 4, 6, 4, 1), shifted, strict=True))  # type: ignore[assignment]
    return plane


def _along(axis: int, start: int, count: int) -> tuple[slice, slice]:
    window = slice(start, start + count)
    return (window, slice(None)) if axis == 0 else (slice(None), window)
