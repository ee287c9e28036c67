"""The card of a model: what it takes, what it gives, where it comes from, where it ends."""

from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = 1


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Latent(_Part):
    """One rung's latent: an explicit noise input of the graph that draws."""

    channels: int = Field(gt=0)
    stride_px: int = Field(gt=0)
    """One latent position stands for a square of this side."""


class Card(_Part):
    """card.json. Every field is a promise; tests try to break each."""

    schema_version: int = SCHEMA_VERSION
    name: str
    task: Literal["restore"]
    summary: str
    channels: int = 3
    value_range: tuple[float, float] = (0.0, 1.0)
    size_multiple: int
    """Height and width that the graphs take are multiples of this."""
    mean_halo_px: int
    """No mean or scale depends on input farther away than this."""
    sample_halo_px: int
    """The same for samples."""
    latents: tuple[Latent, ...]
    """Fine to coarse."""
    recipe: str
    recipe_sha256: str
    trained_on: str
    training_minutes: float
    """Wall-clock minutes of training on the machine that `trained_on` names."""
    weights_licence: str
    measured: dict[str, float]
    """Name with unit → number; by which command, docs/lab-notebook.md says."""
    limits: tuple[str, ...]


class Calibration(_Part):
    """calibration.json, fitted on held-out training photographs: what the predicted scale is worth."""

    std_factor: float = Field(gt=0)
    """Multiplies the predicted scale so that it is the root mean square of the error."""
    levels: tuple[float, ...]
    quantiles: tuple[float, ...]
    """For each level p: |error| ≤ quantile · std for a share p of all pixel values."""
    fitted_on: str

    def quantile(self, level: float) -> float:
        """Half the width of the central interval at `level` in (0, 1), in units of the calibrated std.

        Levels between those that were measured are interpolated; beyond the last one they are not told.
        Raises ValueError outside what was measured.
        """
        if not 0 < level <= self.levels[-1]:
            raise ValueError(f"level {level} is outside what was calibrated; use one in (0, {self.levels[-1]}]")
        return float(np.interp(level, (0.0, *self.levels), (0.0, *self.quantiles)))
