"""Numbers with a unit and a source."""

from safelight.metrics.distribution import Coverage, coverage, distances, frechet_distance, kernel_distance
from safelight.metrics.pixel import mse, psnr_db, ssim
from safelight.metrics.posterior import (
    Reliability,
    ause,
    calibration_slope,
    crps_of_gaussian,
    crps_of_samples,
    gradient_energy,
    reliability,
)
from safelight.metrics.rate import bd_rate

__all__ = [
    "Coverage",
    "Reliability",
    "ause",
    "bd_rate",
    "calibration_slope",
    "coverage",
    "crps_of_gaussian",
    "crps_of_samples",
    "distances",
    "frechet_distance",
    "gradient_energy",
    "kernel_distance",
    "mse",
    "psnr_db",
    "reliability",
    "ssim",
]
