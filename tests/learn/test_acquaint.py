"""What one patch says of the scale that was predicted for it."""

import numpy as np
import pytest

from safelight.learn.acquaint import needed_correction


def test_gaussian_errors_need_their_own_scale_twice(rng):
    scale = np.exp(rng.standard_normal(200_000) - 3)
    error = np.abs(1.7 * scale * rng.standard_normal(scale.size))
    assert needed_correction(error, scale) == pytest.approx((1.7, 1.7), rel=0.03)


def test_rare_large_errors_widen_the_std_more_than_the_interval(rng):
    scale = np.full(200_000, 0.02)
    rare = rng.random(scale.size) < 0.03
    correction = needed_correction(np.abs(scale * rng.standard_normal(scale.size)) * np.where(rare, 10, 1), scale)
    assert correction.std == pytest.approx(np.sqrt(0.97 + 0.03 * 100), rel=0.05)
    assert 1 < correction.interval < 1.2
