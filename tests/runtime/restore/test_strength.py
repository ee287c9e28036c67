import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safelight.runtime.restore.noise import noise_field
from safelight.runtime.restore.strength import REACH_PX, give_back


@given(st.integers(0, 150), st.integers(0, 150), st.integers(1, 90), st.integers(1, 90))
@settings(max_examples=30)
def test_a_window_of_the_field_is_the_field(top, left, height, width):
    whole = noise_field((5, "a", 0, 1), 3, (0, 240), (0, 240))
    window = noise_field((5, "a", 0, 1), 3, (top, top + height), (left, left + width))
    np.testing.assert_array_equal(window, whole[:, top : top + height, left : left + width])


def test_fields_are_standard_normal_and_differ_by_key():
    keys = ((1, "a", 0, 0), (2, "a", 0, 0), (1, "b", 0, 0), (1, "a", 1, 0), (1, "a", 0, 1))
    fields = [noise_field(key, 4, (0, 200), (0, 200)) for key in keys]
    for k, field in enumerate(fields):
        assert field.mean() == pytest.approx(0, abs=0.02)
        assert field.std() == pytest.approx(1, abs=0.01)
        for other in fields[:k]:
            assert abs(np.corrcoef(field.ravel(), other.ravel())[0, 1]) < 0.02


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
