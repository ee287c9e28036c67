"""The noise field: one field for every tile, standard normal, another one for every key."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safelight.runtime.restore.noise import noise_field


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
