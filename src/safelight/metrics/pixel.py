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
