"""Bounds of log p(x) from single draws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from safelight.runtime.images import Score


def test_the_elbo_is_the_average_over_draws():
    log_prob, fine, coarse = (
        np.float32([[-5, -7], [-3, -7]]),
        np.float32([[1, 2], [1, 2]]),
        np.float32([[1, 0], [3, 0]]),
    )
    score = Score(log_prob, (fine, coarse), log_weight_nats=log_prob - fine - coarse)
    np.testing.assert_allclose(score.elbo_nats, [-7, -9])


@given(arrays(np.float32, (5, 3), elements=st.floats(-1e4, 1e4, width=32)))
def test_many_draws_give_a_bound_between_their_mean_and_their_best(log_weight):
    bound = Score(log_weight, (), log_weight).log_likelihood_nats
    assert (bound >= log_weight.mean(axis=0) - 1e-2).all()
    assert (bound <= log_weight.max(axis=0) + 1e-2).all()


def test_one_draw_is_its_own_bound():
    log_weight = np.float32([[-1200.0, 3.0]])
    assert Score(log_weight, (), log_weight).log_likelihood_nats == pytest.approx([-1200, 3])
