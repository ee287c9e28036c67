"""Measurements are restored as well as the same picture stretched by hand first."""

import numpy as np
import pytest

from safelight.metrics import psnr_db
from safelight.picture import Picture, read
from safelight.runtime.restore import Restorer, check_plausible
from tests.support import ROOT

SAMPLE = ROOT / "examples" / "samples" / "roman_colosseum.webp"


@pytest.fixture(scope="module")
def restorer() -> Restorer:
    return Restorer.load("photo", precision="fp32")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("low", "high", "dtype"),
    [(0, 4095, np.uint16), (100, 700, np.uint16), (0, 1e-4, np.float32), (-80, -20, np.float32), (0, 1000, np.float32)],
)
def test_measurements_are_restored_as_if_stretched_first(restorer, rng, low, high, dtype):
    clean = read(SAMPLE).as_float()[64:192, 64:224, 1:2]
    noisy = (clean + 20 / 255 * rng.standard_normal(clean.shape)).clip(0, 1)
    by_hand = restorer.enhance(Picture(noisy.astype(np.float32)), uncertainty=False).mean.as_float()
    values = low + (high - low) * noisy
    before = Picture((np.rint(values) if dtype == np.uint16 else values).astype(dtype))
    after = restorer.enhance(before, uncertainty=False)
    check_plausible(before, after.mean, "a", after.scale)
    found = (after.mean.pixels.astype(np.float64) - low) / (high - low)
    right, own = psnr_db(by_hand, clean), psnr_db(found, clean)
    assert own > psnr_db(noisy, clean) + 2
    assert abs(own - right) < 0.2
    as_it_is = restorer.enhance(before, uncertainty=False, strength=0).mean
    np.testing.assert_array_equal(as_it_is.pixels, before.pixels)


@pytest.mark.slow
def test_heights_are_restored_around_what_is_missing(restorer, rng):
    clean = read(SAMPLE).as_float()[64:192, 64:224, 1:2]
    heights = (300 + 2000 * (clean + 20 / 255 * rng.standard_normal(clean.shape))).astype(np.float32)
    heights[40:80, 60:90] = -9999
    restored = restorer.enhance(Picture(heights), uncertainty=True)
    assert restored.holes == 40 * 30 and restored.scale is not None and restored.scale.low > 0
    np.testing.assert_array_equal(restored.mean.pixels[40:80, 60:90], -9999)
    beside = np.s_[30:40, 60:90]
    error = (restored.mean.pixels[beside] - 300) / 2000 - clean[beside]
    noise = (heights[beside] - 300) / 2000 - clean[beside]
    assert np.square(error).mean() < 0.5 * np.square(noise).mean()
