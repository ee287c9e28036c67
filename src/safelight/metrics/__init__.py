"""Numbers with a unit and a source."""

from safelight.metrics.pixel import mse, psnr_db
from safelight.metrics.posterior import (
    Reliability,
    ause,
    calibration_slope,
    crps_of_gaussian,
    crps_of_samples,
    gradient_energy,
    reliability,
)

__all__ = [
    "Reliability",
    "ause",
    "calibration_slope",
    "crps_of_gaussian",
    "crps_of_samples",
    "gradient_energy",
    "mse",
    "psnr_db",
    "reliability",
]
