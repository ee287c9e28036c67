"""The card of a restorer."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from safelight.bundle.card import NETWORK_NAME, Card, CardPart

SCHEMA = 6


class NoiseInput(CardPart):
    """One input of the graph that draws: N(0, 1) of this many channels at this stride."""

    channels: int = Field(gt=0, le=1024)
    stride_px: int = Field(gt=0, le=256)
    """One position stands for a square of this side."""


class RestorerCard(Card):
    """Of a model that restores degraded pictures."""

    noun: ClassVar[str] = "a restorer of photographs"
    mend: ClassVar[str] = "name a bundle that restores, such as 'photo'"

    schema_version: int = SCHEMA
    task: Literal["restore"]
    experts: tuple[Annotated[str, Field(pattern=NETWORK_NAME)], ...] = Field(min_length=1)
    """Networks of the same sizes, each for some kinds of degradation. The first one takes the first look."""
    channels: Literal[3] = 3
    value_range: tuple[Literal[0], Literal[1]] = (0, 1)
    size_multiple: int = Field(gt=0, le=256)
    """Height and width that the graphs take are multiples of this."""
    mean_halo_px: int = Field(ge=0, le=4096)
    """No mean or scale depends on input farther away than this."""
    sample_halo_px: int = Field(ge=0, le=4096)
    """The same for samples."""
    noise_inputs: tuple[NoiseInput, ...] = Field(min_length=1, max_length=16)
    """The likelihood's at full size, then the rungs' from fine to coarse."""

    @property
    def networks(self) -> tuple[str, ...]:
        """One for each expert."""
        return self.experts

    @property
    def scales(self) -> int:
        """How many scales, and so rungs, the networks have."""
        return len(self.noise_inputs) - 1

    @model_validator(mode="after")
    def _check(self) -> "RestorerCard":
        if len(set(self.experts)) < len(self.experts):
            raise ValueError("experts must have different names")
        return self
