"""The aggregate posterior draws from its mixture, from one class if that is asked for."""

import numpy as np
import pytest

from safelight.bundle import AggregatePosterior
from safelight.errors import UsageError


def mixture(factors: np.ndarray) -> AggregatePosterior:
    """Class 0 around (0, 0), class 2 around (10, -10)."""
    return AggregatePosterior(
        weights=np.float32([0.75, 0.25]),
        means=np.float32([[0, 0], [10, -10]]),
        factors=factors.astype(np.float32),
        of_class=np.float32([0, 2]),
        activity=np.ones(2, np.float32),
    )


FULL = np.array([[[1, 0], [0.9, 0.1]], [[0.5, 0], [0, 0.5]]])
DIAGONAL = np.array([[1, 2], [0.5, 0.5]])


@pytest.mark.parametrize("factors", [FULL, DIAGONAL], ids=["full", "diagonal"])
def test_draws_follow_the_mixture(factors, rng):
    drawn = np.stack([mixture(factors).draw(rng, None) for _ in range(4000)])
    first = drawn[:, 0] < 5
    assert first.mean() == pytest.approx(0.75, abs=0.03)
    wanted = factors[0] @ factors[0].T if factors.ndim == 3 else np.diag(factors[0] ** 2)
    np.testing.assert_allclose(np.cov(drawn[first].T), wanted, atol=0.15 * wanted.max())


def test_a_class_is_its_components(rng):
    drawn = np.stack([mixture(FULL).draw(rng, 2) for _ in range(50)])
    assert np.abs(drawn - [10, -10]).max() < 3
    with pytest.raises(UsageError, match="no training picture was of this class"):
        mixture(FULL).draw(rng, 1)


def test_temperature_is_of_the_noise_around_a_centre(rng):
    np.testing.assert_array_equal(mixture(FULL).draw(rng, 2, temperature=0), [10, -10])


def test_it_comes_back_from_its_file(tmp_path, tiny_vae):
    saved = AggregatePosterior.load(tiny_vae.path("latents.npz"))
    saved.save(tmp_path / "again.npz")
    again = AggregatePosterior.load(tmp_path / "again.npz")
    np.testing.assert_array_equal(again.factors, saved.factors)
    assert set(saved.of_class) == {0, 1, 2} and saved.weights.sum() == pytest.approx(1)
