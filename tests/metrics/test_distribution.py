"""Distances between sets against closed forms, and SSIM against scikit-image."""

import numpy as np
import pytest
from scipy.linalg import sqrtm
from skimage.metrics import structural_similarity

from safelight.metrics import coverage, distances, frechet_distance, kernel_distance, ssim


def test_frechet_distance_is_the_formula(rng):
    a, b = rng.standard_normal((500, 6)), rng.standard_normal((400, 6)) @ rng.standard_normal((6, 6)) + 1
    c_a, c_b = np.cov(a.T), np.cov(b.T)
    expected = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(c_a + c_b - 2 * sqrtm(c_a @ c_b).real)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6)


def test_kernel_distance_is_unbiased_and_sees_a_shift(rng):
    same = [kernel_distance(*rng.standard_normal((2, 100, 4))) for _ in range(200)]
    assert abs(np.mean(same)) < 4 * np.std(same) / np.sqrt(200)
    assert kernel_distance(rng.standard_normal((200, 4)), rng.standard_normal((200, 4)) + 1) > 10 * np.std(same)


def test_coverage_tells_what_is_missing_from_what_is_wrong(rng):
    left, right = rng.standard_normal((300, 3)) - 20, rng.standard_normal((300, 3)) + 20
    both = np.concatenate([left, right])
    assert coverage(both, left + 1e-3) == pytest.approx((1, 0.5), abs=0.05), "nothing wrong, half missing"
    assert coverage(left, both + 1e-3) == pytest.approx((0.5, 1), abs=0.05), "nothing missing, half wrong"


def test_distances_are_euclidean(rng):
    a, b = rng.standard_normal((5, 7)), rng.standard_normal((4, 7))
    np.testing.assert_allclose(distances(a, b), np.linalg.norm(a[:, None] - b[None], axis=2), atol=1e-9)


@pytest.mark.parametrize("channels", [1, 3])
def test_ssim_is_that_of_scikit_image(rng, channels):
    truth = rng.random((20, 31, channels))
    estimate = np.clip(truth + 0.1 * rng.standard_normal(truth.shape), 0, 1)
    expected = structural_similarity(truth, estimate, channel_axis=2, data_range=1.0)
    assert ssim(estimate, truth) == pytest.approx(expected, abs=1e-9)
    assert ssim(truth, truth) == pytest.approx(1)
