"""What samples of a learned prior need beside its graph."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, FiniteFloat

from safelight.bundle.arrays import load_arrays, save_arrays
from safelight.bundle.card import CardPart

Array = NDArray[np.float32]


class PriorCard(CardPart):
    """How samples are drawn from the learned prior, if the recipe does not say otherwise."""

    steps: int = Field(gt=0, le=1000)
    """Of the midpoint rule from noise to latents."""
    guidance: FiniteFloat = Field(ge=0, le=100)
    """How far samples of a class are moved away from those of any class; 0 is the prior itself."""
    is_best: bool = True
    """False if samples by the density of latents were measured to be nearer to held-out pictures than its own."""


@dataclass(frozen=True)
class PriorUnits:
    """Latents of a rung are `mean + std * x` where the flow ends at x. Channels of all rungs, fine to coarse."""

    mean: Array
    """(channels of all rungs,)"""
    std: Array
    """Likewise."""

    def __post_init__(self) -> None:
        if self.mean.ndim != 1 or self.mean.shape != self.std.shape:
            raise ValueError(f"means {self.mean.shape} and spreads {self.std.shape} do not fit")

    def save(self, path: Path) -> None:
        """As arrays without pickle."""
        save_arrays(self, path)

    @staticmethod
    def load(path: Path) -> "PriorUnits":
        """Raises BundleError for anything but what `save` writes."""
        return load_arrays(PriorUnits, path)
