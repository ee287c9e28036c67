"""A part of `make hostile`."""

import pytest

from tests.hostile.cases import COUNTS
from tests.hostile.run import faults


@pytest.mark.slow
@pytest.mark.parametrize("kind", COUNTS)
def test_hostile_input_gets_one_line(kind):
    assert not list(faults((kind, number) for number in range(COUNTS[kind] // 20)))
