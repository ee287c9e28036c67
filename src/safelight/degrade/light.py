"""Between gamma-encoded sRGB and linear light (IEC 61966-2-1)."""

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]
"""(H, W, 3) or (H, W, 1), gamma-encoded, nominally in [0, 1]."""


def to_linear(pixels: Pixels) -> Pixels:
    """Gamma-encoded → linear; odd around 0, so that values outside [0, 1] survive a round trip."""
    size = np.abs(pixels)
    linear = np.where(size <= 0.04045, size / 12.92, ((size + 0.055) / 1.055) ** 2.4)
    return np.copysign(linear, pixels).astype(np.float32)


def to_gamma(linear: Pixels) -> Pixels:
    """Linear → gamma-encoded; the inverse of `to_linear`."""
    size = np.abs(linear)
    encoded = np.where(size <= 0.0031308, size * 12.92, 1.055 * size ** (1 / 2.4) - 0.055)
    return np.copysign(encoded, linear).astype(np.float32)
