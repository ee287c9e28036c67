from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, stats

from safelight.metrics import (
    Reliability,
    ause,
    calibration_slope,
    crps_of_gaussian,
    crps_of_samples,
    gradient_energy,
    reliability,
)


def one(value: float, shape: tuple[int, ...] = (1, 1, 1)) -> np.ndarray:
    return np.full(shape, value, np.float32)


@pytest.fixture
def predicted(rng) -> np.ndarray:
    """Predicted std, spread over a factor of ten."""
    return np.exp(rng.uniform(np.log(0.01), np.log(0.1), (100, 100, 3))).astype(np.float32)


@pytest.mark.parametrize(("mean", "std", "truth"), [(0.5, 0.1, 0.5), (0.5, 0.1, 0.73), (0.25, 0.02, 0.125), (0, 2, 1)])
def test_gaussian_crps_is_the_integral(mean: float, std: float, truth: float):
    normal = stats.norm(mean, std)
    below, _ = integrate.quad(lambda x: normal.cdf(x) ** 2, truth - 15 * std, truth, epsabs=1e-12)
    above, _ = integrate.quad(lambda x: normal.sf(x) ** 2, truth, truth + 15 * std, epsabs=1e-12)
    got = crps_of_gaussian(*(np.full((2, 3, 1), value, np.float64) for value in (mean, std, truth)))
    assert got == pytest.approx(below + above, abs=1e-9)


def test_gaussian_crps_is_the_mean_over_values_by_scipy(rng):
    mean, std, truth = rng.random((3, 20, 30, 3), dtype=np.float32)
    z = (truth.astype(float) - mean) / std
    values = std * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi))
    assert crps_of_gaussian(mean, std, truth) == pytest.approx(values.mean(), rel=1e-6)


def test_gaussian_crps_of_a_certain_value_is_its_absolute_error():
    assert crps_of_gaussian(one(0.25), one(0), one(1)) == pytest.approx(0.75)
    assert crps_of_gaussian(one(0.25), one(0), one(0.25)) == 0
    assert crps_of_gaussian(one(0), one(1e-30), one(1)) == pytest.approx(1)


def test_gaussian_crps_is_least_for_the_true_std(rng):
    truth = 0.5 + 0.1 * rng.standard_normal((100, 100, 3), dtype=np.float32)
    scores = [crps_of_gaussian(one(0.5, truth.shape), one(std, truth.shape), truth) for std in (0.07, 0.1, 0.14)]
    assert scores[1] < min(scores[0], scores[2])
    assert scores[1] == pytest.approx(0.1 / np.sqrt(np.pi), rel=0.02)


def test_sample_crps_by_hand():
    samples = np.stack([one(0), one(0.5), one(1)])
    assert crps_of_samples(samples, one(0.5)) == pytest.approx(1 / 3 - (0.5 + 1 + 0.5) / 6)
    assert crps_of_samples(np.stack([one(0.25)] * 4), one(1)) == pytest.approx(0.75)


def test_sample_crps_is_fair_for_any_number(rng):
    """Few or many samples of N(0, 1): on average the closed form; dividing by M² would give 0.12 more at M = 2."""
    truth = rng.normal(0.3, 1.2, (200, 200, 3)).astype(np.float32)
    exact = crps_of_gaussian(one(0, truth.shape), one(1, truth.shape), truth)
    for count in (2, 3, 8):
        samples = rng.standard_normal((count, *truth.shape), dtype=np.float32)
        assert crps_of_samples(samples, truth) == pytest.approx(exact, abs=0.01)


def test_sample_crps_of_a_large_ensemble_is_its_distributions(rng):
    samples = rng.standard_normal((60, 20, 20, 1))
    truth = rng.standard_normal((20, 20, 1))
    exact = crps_of_gaussian(np.zeros_like(truth), np.ones_like(truth), truth)
    assert crps_of_samples(samples, truth) == pytest.approx(exact, abs=0.02)


def test_sample_crps_needs_two():
    with pytest.raises(ValueError, match=r"at least 2 samples .* not 1; draw more"):
        crps_of_samples(one(0.5)[None], one(0.5))


def test_reliability_of_errors_as_predicted(rng, predicted):
    for factor in (1, 2):
        error = factor * predicted * rng.standard_normal(predicted.shape, dtype=np.float32)
        table = reliability(predicted, error)
        assert table.rmse == pytest.approx(factor * table.predicted_rms, rel=0.06)
        assert calibration_slope(table) == pytest.approx(factor, rel=0.02)


def test_reliability_bins_are_equal_and_rising(rng, predicted):
    error = rng.standard_normal(predicted.shape)
    table = reliability(predicted, error, bins=7)
    assert table.counts.sum() == predicted.size
    assert np.ptp(table.counts) <= 1
    assert all(a < b for a, b in pairwise(table.predicted_rms))
    assert np.sqrt(np.average(table.rmse**2, weights=table.counts)) == pytest.approx(np.sqrt(np.mean(error**2)))
    assert np.average(table.predicted_rms**2, weights=table.counts) == pytest.approx(np.mean(predicted**2), rel=1e-5)


def test_reliability_by_hand():
    std, error = np.array([0.4, 0.1, 0.3, 0.2]), np.array([-4.0, 1.0, 3.0, -2.0])
    table = reliability(std, error, bins=2)
    assert table.predicted_rms == pytest.approx(np.sqrt([0.025, 0.125]))
    assert table.rmse == pytest.approx(np.sqrt([2.5, 12.5]))
    assert calibration_slope(table) == pytest.approx(10)
    assert reliability(std, error).counts.tolist() == [1, 1, 1, 1]


def test_slope_is_weighted_by_count():
    table = Reliability(np.array([1.0, 1.0]), np.array([1.0, 2.0]), np.array([3, 1]))
    assert calibration_slope(table) == pytest.approx(1.25)


def test_ause_is_zero_for_any_perfect_order(rng):
    error = rng.standard_normal((50, 60, 3), dtype=np.float32)
    assert ause(np.abs(error), error) == pytest.approx(0, abs=1e-12)
    assert ause(7 * np.abs(error) ** 3, -error) == pytest.approx(0, abs=1e-12)
    assert ause(np.abs(error), np.zeros_like(error)) == 0


def test_ause_ranks_orders(rng, predicted):
    """From the worst order through none to one that is as good as knowing the true std."""
    error = predicted * rng.standard_normal(predicted.shape, dtype=np.float32)
    worst, random, honest = (
        ause(std, error) for std in (-np.abs(error), rng.permutation(predicted.ravel()), predicted)
    )
    assert worst > random + 0.1 > honest + 0.3
    assert honest > 0.05


def test_ause_of_one_std_for_all_is_that_of_a_random_order(rng):
    """Equal stds must not be ranked by where they lie: here the errors rise through the picture."""
    error = np.linspace(0, 1, 60_000).reshape(100, 200, 3)
    shuffled = ause(rng.permutation(error.size), error)
    assert ause(one(0.1, error.shape), error) == pytest.approx(shuffled, abs=0.01)
    kept = 1 - np.arange(20) / 20
    assert ause(one(0.1, error.shape), error) == pytest.approx(
        np.mean(1 - kept), abs=1e-3
    )  # RMSE of the first share p is p


def test_ause_by_hand():
    std, error = np.array([1.0, 2.0]), np.array([3.0, 1.0])
    total = np.sqrt(5)
    assert ause(std, error, steps=2) == pytest.approx((0 + (3 - 1) / total) / 2)


def test_gradient_energy_by_hand(rng):
    ramp = np.add.outer(0.5 * np.arange(4), 0.25 * np.arange(5))[..., None] * np.ones(3)
    assert gradient_energy(ramp) == pytest.approx(0.5**2 + 0.25**2)
    assert gradient_energy(one(0.5, (4, 5, 3))) == 0
    noise = 0.1 * rng.standard_normal((200, 200, 3), dtype=np.float32)
    assert gradient_energy(noise) == pytest.approx(4 * 0.01, rel=0.02)
    assert gradient_energy(ramp + 0.5) == pytest.approx(gradient_energy(ramp))
