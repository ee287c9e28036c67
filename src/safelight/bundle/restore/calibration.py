"""calibration.json: what the predicted scale is worth, fitted on held-out photographs."""

from typing import Annotated

import numpy as np
from pydantic import Field, FiniteFloat, model_validator

from safelight.bundle.card import CardPart

MOST = 1e6
"""Bound of factors and quantiles; those of real models are about 1."""


class Calibration(CardPart):
    """From a scale, corrected for the kind of picture, to standard deviations, draws and intervals."""

    std_factor: FiniteFloat = Field(gt=0, le=MOST)
    """Multiplies correction.std · s, so that it is the root mean square of the error."""
    draw_factor: FiniteFloat = Field(gt=0, le=MOST)
    """Multiplies correction.std / correction.draw_std · s, so that draws vary as much as the error."""
    levels: tuple[Annotated[FiniteFloat, Field(gt=0, lt=1)], ...] = Field(min_length=1, max_length=1000)
    quantiles: tuple[Annotated[FiniteFloat, Field(ge=0, le=MOST)], ...]
    """For each level p: |error| ≤ quantile · correction.interval · s for a share p of all pixel values.

    The share holds over pictures like those of the calibration. With a confidence of 0.9 it is p or more.
    """
    fitted_on: str

    @model_validator(mode="after")
    def _check(self) -> "Calibration":
        if len(self.levels) != len(self.quantiles):
            raise ValueError("levels and quantiles differ in number")
        if sorted(self.levels) != list(self.levels) or sorted(self.quantiles) != list(self.quantiles):
            raise ValueError("levels and quantiles must rise")
        return self

    def quantile(self, level: float) -> float:
        """Half the width of the central interval at `level` in (0, 1), in units of the scale corrected for intervals.

        Levels between measured ones are interpolated. Raises ValueError beyond the highest measured level.
        """
        if not 0 < level <= self.levels[-1]:
            raise ValueError(f"level {level} is outside what was calibrated; use one in (0, {self.levels[-1]}]")
        return float(np.interp(level, (0.0, *self.levels), (0.0, *self.quantiles)))
