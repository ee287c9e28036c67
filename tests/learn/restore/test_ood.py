"""What one patch says of the scale that was predicted for it, and what many patches say together."""

import numpy as np
import pytest
import torch

from safelight.ladder.restorer import Estimate
from safelight.learn.restore.data import Pair
from safelight.learn.restore.ood import evidence, needed_correction


def test_gaussian_errors_need_their_own_scale_each_time(rng):
    scale = np.exp(rng.standard_normal(200_000) - 3)
    error, drawn = (factor * scale * np.abs(rng.standard_normal(scale.size)) for factor in (1.7, 0.6))
    assert needed_correction(error, scale, drawn) == pytest.approx((1.7, 1.7, 0.6), rel=0.03)


def test_rare_large_errors_widen_the_std_more_than_the_interval(rng):
    scale = np.full(200_000, 0.02)
    rare = rng.random(scale.size) < 0.03
    error = np.abs(scale * rng.standard_normal(scale.size)) * np.where(rare, 10, 1)
    correction = needed_correction(error, scale, scale)
    assert correction.std == pytest.approx(np.sqrt(0.97 + 0.03 * 100), rel=0.05)
    assert 1 < correction.interval < 1.2
    assert correction.draw_std == pytest.approx(1)


class Predictor:
    """Says grey, a scale of 0.1, and draws of independent channels."""

    def __call__(self, y: torch.Tensor, sigma_01: torch.Tensor) -> Estimate:
        return Estimate(torch.full_like(y, 0.5), torch.full_like(y, 0.1).log(), ())

    noise_inputs = ((3, 1),)

    def draw(self, mean, scale, features, noise):
        return mean + scale * noise[0]


@pytest.mark.parametrize("grey", [False, True])
def test_evidence_is_what_a_picture_of_the_kind_would_show(grey):
    """Draws of a grey picture are averages of three channels, and so vary by a root of three less."""
    clean = torch.full((3, 256, 256), 0.7)
    degraded = clean.clone() if grey else clean + 0.01 * torch.arange(3).view(3, 1, 1)
    seen = evidence(Predictor(), Pair(clean, degraded, torch.tensor(-1.0)))
    assert seen.error == pytest.approx(0.2, abs=1e-6)
    assert seen.scale == pytest.approx(0.1, abs=1e-6)
    expected = 0.1 / np.sqrt(3) if grey else 0.1
    assert np.sqrt(np.mean(seen.drawn**2)) == pytest.approx(expected, rel=0.03)
