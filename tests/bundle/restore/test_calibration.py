"""A calibration holds levels that rise, and answers between them."""

import pytest
from pydantic import ValidationError

from safelight.bundle import Calibration


def calibration(**changes: object) -> Calibration:
    fields = {"std_factor": 1, "draw_factor": 1, "levels": (0.5, 0.9), "quantiles": (0.6, 1.8), "fitted_on": "nothing"}
    return Calibration.model_validate(fields | changes)


def test_levels_between_are_interpolated():
    assert calibration().quantile(0.5) == pytest.approx(0.6)
    assert calibration().quantile(0.7) == pytest.approx(1.2)
    assert calibration().quantile(0.25) == pytest.approx(0.3)


@pytest.mark.parametrize("level", [0, -1, 0.95, 1])
def test_levels_beyond_are_refused(level):
    with pytest.raises(ValueError, match="outside what was calibrated"):
        calibration().quantile(level)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"levels": (0.5,)}, "differ in number"),
        ({"quantiles": (1.8, 0.6)}, "must rise"),
        ({"levels": (0.9, 0.5)}, "must rise"),
        ({"std_factor": 0}, "greater than 0"),
        ({"levels": (), "quantiles": ()}, "at least 1"),
    ],
)
def test_what_makes_no_sense_is_refused(changes, words):
    with pytest.raises(ValidationError, match=words):
        calibration(**changes)
