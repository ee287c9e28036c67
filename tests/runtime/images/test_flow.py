"""Following a flow from noise to its end."""

import numpy as np
import pytest

from safelight.errors import BundleError
from safelight.runtime.images.flow import follow


def test_the_midpoint_rule_is_exact_where_the_velocity_is_linear_in_time():
    start = np.ones((2, 1, 3, 3), np.float32)
    [end] = follow([start], 4, lambda x, time: [np.full_like(x[0], 2 * time)])
    np.testing.assert_allclose(end, start + 1, atol=1e-6)


def test_it_is_of_second_order_where_the_velocity_depends_on_the_place():
    start = np.ones((1, 1, 1, 1), np.float32)
    errors = [abs(follow([start], steps, lambda x, time: [-x[0]])[0].item() - np.exp(-1)) for steps in (4, 8)]
    assert errors[0] < 0.01 and errors[1] < errors[0] / 3


def test_a_graph_of_other_shapes_is_refused():
    with pytest.raises(BundleError, match="other shapes than its card"):
        follow([np.zeros((1, 1, 4, 4), np.float32)], 2, lambda x, time: [x[0][:, :, :2]])
