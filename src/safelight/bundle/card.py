"""The card of a model: what it takes, what it gives, where it comes from, where it ends. One for each task."""

from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

SCHEMAS = {"restore": 6, "images": 5}
"""By task, the version of card and files."""
EXPERT = r"^[a-z0-9][a-z0-9-]*$"
"""What an expert may be called; a bundle has a folder of that name."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NoiseInput(_Part):
    """One input of the graph that draws: N(0, 1) of this many channels at this stride."""

    channels: int = Field(gt=0)
    stride_px: int = Field(gt=0)
    """One position stands for a square of this side."""


class _Card(_Part):
    """card.json. Every field is a promise; tests try to break each."""

    schema_version: int
    name: str
    summary: str
    recipe: str
    recipe_sha256: str
    trained_on: str
    training_minutes: float
    trained_with: str
    """Processor and threads that these minutes are of."""
    data_licences: str
    weights_licence: str
    measured: dict[str, FiniteFloat]
    """Name with unit → number; by which command, docs/lab-notebook.md says."""
    limits: tuple[str, ...]


class Card(_Card):
    """Of a model that restores."""

    schema_version: int = SCHEMAS["restore"]
    task: Literal["restore"]
    experts: tuple[Annotated[str, Field(pattern=EXPERT)], ...] = Field(min_length=1)
    """Networks of the same sizes, each for some of the ways in which pictures go bad; the first one looks first."""
    channels: Literal[3] = 3
    value_range: tuple[Literal[0], Literal[1]] = (0, 1)
    size_multiple: int = Field(gt=0)
    """Height and width that the graphs take are multiples of this."""
    mean_halo_px: int = Field(ge=0)
    """No mean or scale depends on input farther away than this."""
    sample_halo_px: int = Field(ge=0)
    """The same for samples."""
    noise_inputs: tuple[NoiseInput, ...] = Field(min_length=1)
    """The likelihood's at full size, then the rungs' from fine to coarse."""
    started_from: str | None = None
    """SHA-256 of the bundle whose weights the training began with; None if it began at random."""

    @model_validator(mode="after")
    def _check(self) -> "Card":
        if len(set(self.experts)) < len(self.experts):
            raise ValueError("experts must have different names")
        return self


class Split(_Part):
    """How a set that names no parts was split, by the hash of each picture."""

    validation_share: float = Field(ge=0, lt=1)
    test_share: float = Field(ge=0, lt=1)


class ImageCard(_Card):
    """Of a VAE of a set of pictures."""

    schema_version: int = SCHEMAS["images"]
    task: Literal["images"]
    height: int = Field(gt=0)
    width: int = Field(gt=0)
    channels: Literal[1, 3]
    fit: Literal["crop", "pad", "stretch"]
    """How pictures of other sizes are brought to this one (`dataset.form.Form`)."""
    binarise_seed: int | None = None
    """Pictures were made binary with it (`dataset.table.binarised`)."""
    value_range: tuple[Literal[0], Literal[1]] = (0, 1)
    likelihood: Literal["bernoulli", "gaussian", "logistic_mixture"]
    latents: tuple[tuple[int, int, int], ...] = Field(min_length=1)
    """Channels, height and width of every rung that has any, fine to coarse, in units of the prior."""
    classes: tuple[str, ...] = ()
    """Of the set, in order."""
    conditional: bool
    """Whether the graphs take a class."""
    split: Split


class Calibration(_Part):
    """calibration.json, fitted on held-out training photographs: what the predicted scale is worth."""

    std_factor: float = Field(gt=0)
    """Multiplies the scale, corrected for the kind of picture, so that it is the root mean square of the error."""
    draw_factor: float = Field(gt=0)
    """The same for the scale of draws, over the correction of their spread, so that they vary as much."""
    levels: tuple[float, ...] = Field(min_length=1)
    quantiles: tuple[float, ...]
    """For each level p: |error| ≤ quantile · the scale, corrected for intervals, for a share p of all pixel values of
    pictures like those of the calibration, or, with a confidence of 0.9, for more.
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

        Levels between those that were measured are interpolated; beyond the last one they are not told.
        Raises ValueError outside what was measured.
        """
        if not 0 < level <= self.levels[-1]:
            raise ValueError(f"level {level} is outside what was calibrated; use one in (0, {self.levels[-1]}]")
        return float(np.interp(level, (0.0, *self.levels), (0.0, *self.quantiles)))
