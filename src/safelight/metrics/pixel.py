"""Differences between two pictures."""

import numpy as np
from numpy.typing import NDArray


def mse(estimate: NDArray[np.floating], truth: NDArray[np.floating]) -> float:
    """Mean squared error over all values, in units of full scale squared."""
    return float(np.mean((estimate.astype(np.float64) - truth.astype(np.float64)) ** 2))


def psnr_db(estimate: NDArray[np.floating], truth: NDArray[np.floating]) -> float:
    """Peak signal-to-noise ratio in dB for a peak of 1: -10 log10(mse); inf if equal."""
    error = mse(estimate, truth)
    return float("inf") if error == 0 else float(-10 * np.log10(error))


SSIM_WINDOW = 7
SSIM_C1, SSIM_C2 = 0.01**2, 0.03**2


def ssim(estimate: NDArray[np.floating], truth: NDArray[np.floating]) -> float:
    """Structural similarity of two pictures (H, W, C) in [0, 1] with sides of at least 7 px, averaged over channels.

    Wang et al., IEEE TIP 2004, with windows of 7x7 equal weights and unbiased variances, as scikit-image has it.
    """
    x, y = estimate.astype(np.float64), truth.astype(np.float64)
    unbiased = SSIM_WINDOW**2 / (SSIM_WINDOW**2 - 1)
    mean_x, mean_y = _box(x), _box(y)
    var_x, var_y = unbiased * (_box(x * x) - mean_x**2), unbiased * (_box(y * y) - mean_y**2)
    cov = unbiased * (_box(x * y) - mean_x * mean_y)
    luminance = (2 * mean_x * mean_y + SSIM_C1) / (mean_x**2 + mean_y**2 + SSIM_C1)
    return float((luminance * (2 * cov + SSIM_C2) / (var_x + var_y + SSIM_C2)).mean())


def _box(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(H, W, C) → means of all whole windows, (H-6, W-6, C)."""
    for axis in (0, 1):
        values = np.lib.stride_tricks.sliding_window_view(values, SSIM_WINDOW, axis=axis).mean(axis=-1)
    return values
