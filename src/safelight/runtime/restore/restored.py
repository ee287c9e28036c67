"""What is known of a clean picture, and how it is asked for."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from safelight.bundle import Calibration
from safelight.errors import UsageError
from safelight.picture import Picture
from safelight.picture.scale import Scale, ScaleChoice

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Restored:
    """What is known of the clean picture."""

    mean: Picture
    """The posterior mean, in the depth and colour space of the input, with all its metadata."""
    samples: tuple[Picture, ...]
    """Posterior draws."""
    std: Array | None
    """(H, W, C) calibrated standard deviation of the mean's error at full strength, white at 1, or None."""
    calibration: Calibration
    tile_px: tuple[int, int]
    """Height and width of the tiles that were used."""
    strength: float = 1.0
    ood_score: float | None = None
    """How far the picture is from the training pictures, 1 at their limit.

    None for a picture that is too small to say, and where nothing was computed.
    """
    expert: str | None = None
    """Which of the model's experts restored it; None if nothing was computed."""
    precision: str | None = None
    """What the mean was computed in, fp32 or int8; None if nothing was computed."""
    interval_unit: float = 1.0
    """correction.interval / (correction.std · std_factor): from the unit of `std` to the unit of intervals."""
    scale: Scale | None = None
    """The numbers that were black and white for the model; None if nothing was computed."""
    holes: int = 0
    """Values that stayed as they were, since they are missing or far outside the scale."""

    @property
    def out_of_distribution(self) -> bool:
        """Whether the picture is unlike all training pictures. Then no result and no interval can be relied on."""
        return self.ood_score is not None and self.ood_score > 1

    def __repr__(self) -> str:
        return f"<Restored {self.mean!r}, {len(self.samples)} samples, std {'yes' if self.std is not None else 'no'}>"

    def interval(self, level: float) -> tuple[Array, Array]:
        """Low and high, (H, W, C) with white at 1, that hold the truth in a share `level` of all pixel values.

            std       = std_factor · correction.std · s
            interval  = mean ± quantile(level) · correction.interval · s

        with the predicted scale s. The corrections are those of the nearest training patches (`bundle.restore.ood`).
        Factors and quantiles are fitted on held-out pictures (`learn.restore.calibrate`), so that the share is `level`
        or more on average over such pictures, with a confidence of 0.9. Benchmarks measure 77 % to 89 % at a level of
        0.9 (docs/benchmarks.md).

        Raises UsageError without std, below full strength, or for a level that was not calibrated.
        """
        if self.strength < 1:
            raise UsageError("an interval is of the mean at full strength; call enhance with strength=1")
        if self.std is None:
            raise UsageError("the uncertainty was not computed; call enhance with uncertainty=True")
        try:
            half = np.float32(self.calibration.quantile(level) * self.interval_unit) * self.std
        except ValueError as error:
            raise UsageError(str(error)) from None
        centre = self.mean.as_float()
        return centre - half, centre + half


class Request(NamedTuple):
    """How to restore; see `Restorer.enhance`."""

    samples: int = 0
    seed: int = 0
    strength: float = 1.0
    temperature: float = 1.0
    sigma_01: float | None = None
    uncertainty: bool = True
    scale: ScaleChoice = "auto"


def check(request: Request) -> None:
    """Raises UsageError for a value out of range."""
    if not isinstance(request.samples, int | np.integer):
        raise UsageError(f"samples is {request.samples}; use a whole number")
    for name, low, high in (("strength", 0.0, 1.0), ("temperature", 0.0, 2.0), ("samples", 0, 64)):
        if not low <= getattr(request, name) <= high:
            raise UsageError(f"{name} is {getattr(request, name)}; use {low} to {high}")
    if request.sigma_01 is not None and not 0 <= request.sigma_01 <= 1:
        raise UsageError(f"sigma is {255 * request.sigma_01:g}; use 0 to 255")
