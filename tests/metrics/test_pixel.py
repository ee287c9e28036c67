import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from safelight.metrics import mse, psnr_db


def test_psnr_is_scikit_images(rng):
    a, b = rng.random((2, 20, 30, 3), dtype=np.float32)
    assert psnr_db(a, b) == pytest.approx(peak_signal_noise_ratio(b, a, data_range=1), abs=1e-5)
    assert psnr_db(a, b) == pytest.approx(-10 * np.log10(mse(a, b)))
    assert psnr_db(a, a) == float("inf")
