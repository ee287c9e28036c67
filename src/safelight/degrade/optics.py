"""Blur, resampling and exposure: what lens, focus, hand and scaler do."""

import math

import numpy as np
import pyvips
from numpy.typing import NDArray

from safelight.degrade.light import Pixels, to_gamma, to_linear
from safelight.picture.vips import enlarged, from_vips, to_vips

Kernel = NDArray[np.float64]
"""(K, K) with K odd, of unit sum, the same when turned by 180 degrees."""


def gaussian_blur(pixels: Pixels, rng: np.random.Generator, *, sigma_px: float) -> Pixels:
    """Isotropic Gaussian of standard deviation `sigma_px`.

    Source: Pentland, "A new sense for depth of field", IEEE TPAMI 1987.
    """
    return _convolve(pixels, gaussian_kernel(sigma_px))


def motion_blur(pixels: Pixels, rng: np.random.Generator, *, length_px: float, angle_deg: float) -> Pixels:
    """A straight move of `length_px` at `angle_deg` (0 = to the right, counter-clockwise).

    Source: the model of a hand that moves at constant speed while the shutter is open.
    """
    return _convolve(pixels, motion_kernel(length_px, angle_deg))


def disk_blur(pixels: Pixels, rng: np.random.Generator, *, radius_px: float) -> Pixels:
    """Out of focus: a uniform disk with an antialiased rim.

    Source: the circle of confusion in geometrical optics.
    """
    return _convolve(pixels, disk_kernel(radius_px))


def resample(pixels: Pixels, rng: np.random.Generator, *, factor: float) -> Pixels:
    """Shrink to `factor` < 1 of the size (Lanczos) and enlarge again (cubic), to the same size.

    Source: Duchon, "Lanczos filtering in one and two dimensions", Journal of Applied Meteorology 1979.
    """
    height, width, _ = pixels.shape
    return from_vips(enlarged(to_vips(shrink(pixels, factor)), width, height)).astype(np.float32)


def shrink(pixels: Pixels, factor: float) -> Pixels:
    """To `factor` ≤ 1 of the size, at least 1 px, by Lanczos over the whole footprint."""
    if factor == 1:
        return pixels
    height, width, _ = pixels.shape
    small = to_vips(pixels).resize(
        max(1, round(width * factor)) / width, vscale=max(1, round(height * factor)) / height
    )
    return from_vips(small).astype(np.float32)


def exposure(pixels: Pixels, rng: np.random.Generator, *, stops: float) -> Pixels:
    """2^stops times the linear light, clipped to [0, 1].

    Source: the model of an exposure time, in the linear light of IEC 61966-2-1.
    """
    return to_gamma(np.clip(to_linear(pixels) * np.float32(2**stops), 0, 1))


def gaussian_kernel(sigma_px: float) -> Kernel:
    """Of `gaussian_blur`."""
    radius = max(1, math.ceil(3 * sigma_px))
    line = np.exp(-0.5 * (np.arange(-radius, radius + 1) / max(sigma_px, 1e-3)) ** 2)
    return _unit(np.outer(line, line))


def motion_kernel(length_px: float, angle_deg: float) -> Kernel:
    """Of `motion_blur`."""
    radius = max(1, math.ceil(length_px / 2))
    kernel = np.zeros((2 * radius + 1, 2 * radius + 1))
    angle = math.radians(angle_deg)
    for t in np.linspace(-length_px / 2, length_px / 2, 16 * radius + 1):
        _splat(kernel, radius - t * math.sin(angle), radius + t * math.cos(angle))
    return _unit(kernel)


def disk_kernel(radius_px: float) -> Kernel:
    """Of `disk_blur`."""
    reach = max(1, math.ceil(radius_px))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return _unit(np.clip(radius_px + 0.5 - np.hypot(x, y), 0, 1))


def _unit(kernel: Kernel) -> Kernel:
    """Of unit sum."""
    unit: Kernel = kernel / kernel.sum()
    return unit


def _splat(kernel: Kernel, row: float, column: float) -> None:
    """Add one unit at a fractional position, shared among the four nearest cells."""
    r, c = math.floor(row), math.floor(column)
    for dr, dc in ((0, 0), (0, 1), (1, 0), (1, 1)):
        if r + dr < kernel.shape[0] and c + dc < kernel.shape[1]:
            kernel[r + dr, c + dc] += (1 - abs(row - r - dr)) * (1 - abs(column - c - dc))


def _convolve(pixels: Pixels, kernel: Kernel) -> Pixels:
    """The border is extended by its own pixels."""
    mask = pyvips.Image.new_from_list(kernel.tolist())
    return from_vips(to_vips(pixels).conv(mask, precision="float").cast("float")).astype(np.float32)
