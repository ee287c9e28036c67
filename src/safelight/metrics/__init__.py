"""Numbers with a unit and a source."""

from safelight.metrics.pixel import mse, psnr_db

__all__ = ["mse", "psnr_db"]
