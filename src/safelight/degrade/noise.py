"""Noise: Gaussian, and as a camera makes it."""

import numpy as np

from safelight.degrade.light import Pixels, to_gamma, to_linear


def gaussian_noise(pixels: Pixels, rng: np.random.Generator, *, sigma_255: float) -> Pixels:
    """Add N(0, σ²), unclipped as in the literature; `sigma_255` in units of 1/255.

    Source: Zhang et al., "Beyond a Gaussian denoiser", IEEE TIP 2017.
    """
    noise = rng.standard_normal(pixels.shape, dtype=np.float32)
    return pixels + np.float32(sigma_255 / 255) * noise


def camera_noise(
    pixels: Pixels,
    rng: np.random.Generator,
    *,
    shot: float,
    read: float,
    red_gain: float = 1.0,
    blue_gain: float = 1.0,
    mosaic: float = 0.0,
) -> Pixels:
    """Poisson-Gaussian noise in linear light, clipped to [0, 1].

    raw = linear / gains,  Var[raw] = shot · raw + read², in units of full scale. With `mosaic` ≥ 0.5
    the noise of each channel is known at its own Bayer sites only and interpolated between them, which
    makes it spatially correlated as demosaicking does. The gains are white balance: they amplify red
    and blue noise.

    Source: Foi et al., "Practical Poissonian-Gaussian noise modeling", IEEE TIP 2008.
    """
    grey = pixels.shape[2] == 1
    gains = np.array([1.0] if grey else [red_gain, 1.0, blue_gain], dtype=np.float32)
    raw = to_linear(np.clip(pixels, 0, 1)) / gains
    noise = np.sqrt(shot * raw + read**2) * rng.standard_normal(raw.shape, dtype=np.float32)
    if mosaic >= 0.5 and not grey:
        noise = _demosaicked(noise.astype(np.float32))
    return to_gamma(np.clip((raw + noise) * gains, 0, 1).astype(np.float32))


def _demosaicked(noise: Pixels) -> Pixels:
    """Keep R, G, B at their sites of an RGGB mosaic and interpolate bilinearly between them."""
    height, width, _ = noise.shape
    sites = np.zeros((height, width, 3), dtype=np.float32)
    sites[0::2, 0::2, 0] = sites[0::2, 1::2, 1] = sites[1::2, 0::2, 1] = sites[1::2, 1::2, 2] = 1
    return (_tent(noise * sites) / np.maximum(_tent(sites), 1)).astype(np.float32)


def _tent(plane: Pixels) -> Pixels:
    """Separable [1 2 1] sum with zero borders."""
    for axis in (0, 1):
        padded = np.pad(plane, [(1, 1) if a == axis else (0, 0) for a in range(3)])
        before, here, after = (np.moveaxis(padded, axis, 0)[k : k + plane.shape[axis]] for k in range(3))
        plane = np.moveaxis(before + 2 * here + after, 0, axis)
    return plane
