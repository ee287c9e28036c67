"""Strength: what was removed comes back by its size, and luminance before colour."""

import itertools

import numpy as np
import pytest

from safelight.runtime.restore.strength import REACH_PX, give_back


@pytest.fixture
def residual(rng) -> np.ndarray:
    return rng.standard_normal((3, 64, 64)).astype(np.float32) * 0.1


def test_ends_are_nothing_and_everything(residual):
    np.testing.assert_array_equal(give_back(residual, 1.0), 0 * residual)
    np.testing.assert_allclose(give_back(residual, 0.0), residual, atol=1e-6)


def test_fine_luminance_returns_before_coarse_before_chroma(rng):
    fine = rng.standard_normal((1, 64, 64)).astype(np.float32).repeat(3, 0)
    coarse = np.float32(np.sin(np.arange(64) / 5))[None, :, None].repeat(3, 0).repeat(64, 2)
    chroma = rng.standard_normal((3, 64, 64)).astype(np.float32)
    chroma -= np.tensordot(np.float32([0.2126, 0.7152, 0.0722]), chroma, axes=1)
    for strength in (0.3, 0.5, 0.7):
        shares = [float(np.sum(give_back(r, strength) * r) / np.sum(r * r)) for r in (fine, coarse, chroma)]
        assert shares[0] > shares[1] + 0.05, (strength, shares)
        assert shares[1] >= shares[2] - 1e-3, (strength, shares)


def test_more_strength_never_gives_back_more(residual):
    sizes = [float(np.square(give_back(residual, s)).sum()) for s in np.linspace(0, 1, 21)]
    assert all(a >= b for a, b in itertools.pairwise(sizes))


def test_reach(residual):
    far = residual.copy()
    far[:, : 32 - REACH_PX] += 1
    far[:, 33 + REACH_PX :] -= 1
    np.testing.assert_allclose(give_back(far, 0.5)[:, 32], give_back(residual, 0.5)[:, 32], atol=1e-6)
    near = residual.copy()
    near[:, 32 - REACH_PX] += 1
    assert np.abs(give_back(near, 0.5)[:, 32] - give_back(residual, 0.5)[:, 32]).max() > 0
