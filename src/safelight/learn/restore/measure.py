"""What a finished bundle is worth on held-out pictures, restored as its users will: look, expert, graphs."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from safelight.bundle import Bundle, RestorerCard
from safelight.learn.restore.data import Pair
from safelight.learn.restore.validate import SAMPLES
from safelight.metrics import mse, psnr_db
from safelight.picture import Picture
from safelight.runtime.restore.networks import RestorerNetworks
from safelight.runtime.restore.restorer import Restorer


def measure(bundle: Bundle[RestorerCard], batches: dict[str, Pair]) -> dict[str, float]:
    """PSNR of the mean in dB, averaged over pictures, for each degradation; at σ = 25 in 8 bits as well; and there the
    3 dB law; see `validate.validate_posterior`.
    """
    floats, integers = (
        Restorer(RestorerNetworks(bundle, "cpu", precision=precision)) for precision in ("fp32", "int8")
    )
    scores = {f"val_{name}_psnr_db": _psnr_db(floats, batch) for name, batch in batches.items()}
    batch = batches["noise25"]
    scores["val_noise25_int8_psnr_db"] = _psnr_db(integers, batch)
    errors = np.zeros(3)
    for clean, degraded in _pictures(batch):
        out = floats.enhance(Picture(degraded), samples=SAMPLES)
        average = np.mean([sample.pixels for sample in out.samples], axis=0)
        errors += [mse(pixels, clean) for pixels in (out.mean.pixels, out.samples[0].pixels, average)]
    ratios = {"val_sample_mse_ratio": errors[1], f"val_mean_of_{SAMPLES}_mse_ratio": errors[2]}
    return scores | {name: float(error / errors[0]) for name, error in ratios.items()}


def _psnr_db(model: Restorer, batch: Pair) -> float:
    means = [
        (model.enhance(Picture(degraded), uncertainty=False).mean.pixels, clean) for clean, degraded in _pictures(batch)
    ]
    return float(np.mean([psnr_db(mean, clean) for mean, clean in means]))


def _pictures(batch: Pair) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """(H, W, 3) clean and degraded."""

    def pixels(planar: Tensor) -> NDArray[np.float32]:
        return np.ascontiguousarray(planar.permute(1, 2, 0).numpy())

    return [(pixels(clean), pixels(degraded)) for clean, degraded in zip(batch.clean, batch.degraded, strict=True)]
