"""The mixture finds what its points were drawn from, and draws the like."""

import numpy as np
import pytest

from safelight.bundle import AggregatePosterior
from safelight.errors import BundleError, UsageError
from safelight.learn.images import aggregate as mixture
from safelight.learn.images.aggregate import fit_mixture


@pytest.mark.parametrize("full_up_to", [128, 1])
def test_three_clouds_are_found(rng, monkeypatch, full_up_to):
    monkeypatch.setattr(mixture, "FULL_UP_TO", full_up_to)
    centres, scales = np.array([[0.0, 5], [6, -3], [-6, -4]]), np.array([[1.0, 0.3], [0.4, 1.2], [0.8, 0.8]])
    counts = (600, 300, 900)
    points = np.concatenate(
        [c + s * rng.standard_normal((n, 2)) for c, s, n in zip(centres, scales, counts, strict=True)]
    )
    found = fit_mixture(points, 3, seed=0)
    order = [int(np.argmin(np.linalg.norm(found.means - centre, axis=1))) for centre in centres]
    assert sorted(order) == [0, 1, 2]
    np.testing.assert_allclose(found.means[order], centres, atol=0.15)
    np.testing.assert_allclose(found.weights[order], np.array(counts) / sum(counts), atol=0.01)
    spreads = found.factors if found.factors.ndim == 2 else np.sqrt(np.einsum("mij,mij->mi", *[found.factors] * 2))
    np.testing.assert_allclose(spreads[order], scales, rtol=0.15)


def test_a_correlated_cloud_keeps_its_covariance(rng):
    mixing = rng.standard_normal((4, 4))
    points = rng.standard_normal((5000, 4)) @ mixing.T
    factor = fit_mixture(points, 1, seed=0).factors[0]
    np.testing.assert_allclose(factor @ factor.T, mixing @ mixing.T, atol=0.35)


def test_fewer_points_than_dimensions_still_make_a_mixture(rng):
    found = fit_mixture(rng.standard_normal((3, 10)), 1, seed=0)
    assert np.isfinite(found.factors).all()
    same = fit_mixture(np.ones((5, 2)), 3, seed=0)
    assert np.isfinite(same.means).all() and same.weights.sum() == pytest.approx(1)


def test_draws_follow_the_mixture_and_its_classes(tmp_path):
    latents = AggregatePosterior(
        weights=np.float32([0.5, 0.25, 0.25]),
        means=np.float32([[0, 0], [10, 0], [0, 10]]),
        factors=np.float32([np.eye(2), np.eye(2) / 10, [[1, 0], [1, 1]]]),
        of_class=np.float32([0, 1, 1]),
        activity=np.float32([1, 2]),
    )
    latents.save(tmp_path / "latents.npz")
    latents = AggregatePosterior.load(tmp_path / "latents.npz")
    rng = np.random.default_rng(0)
    drawn = np.stack([latents.draw(rng, None) for _ in range(4000)])
    np.testing.assert_allclose(drawn.mean(axis=0), [2.5, 2.5], atol=0.25)
    ones = np.stack([latents.draw(rng, 1) for _ in range(2000)])
    assert not (np.linalg.norm(ones, axis=1) < 4).any(), "none of class 0"
    last = ones[ones[:, 1] > 5] - [0, 10]
    np.testing.assert_allclose(np.cov(last.T), [[1, 1], [1, 2]], atol=0.25)
    with pytest.raises(UsageError, match="no training picture"):
        latents.draw(rng, 2)
    (tmp_path / "latents.npz").write_bytes(b"no")
    with pytest.raises(BundleError, match="export the bundle again"):
        AggregatePosterior.load(tmp_path / "latents.npz")


@pytest.mark.parametrize(
    ("sizes", "covered"),
    [([0, 128, 32], [1, 2]), ([0, 256, 64], [2]), ([0, 0, 512], [2]), ([100, 0, 50], [0, 2]), ([300, 40, 50], [1, 2])],
)
def test_coarse_rungs_are_covered_together_while_they_fit(sizes, covered):
    assert mixture._covered(sizes) == covered
