"""What the flow of the detail needs beside its graph."""

from typing import Annotated

from pydantic import Field, FiniteFloat

from safelight.bundle.card import CardPart


class DetailCard(CardPart):
    """How the detail that a decoded mean lacks is drawn (`ladder.detail`)."""

    steps: int = Field(gt=0, le=1000)
    """Of the midpoint rule from noise to detail."""
    scale: tuple[Annotated[FiniteFloat, Field(gt=0, le=1)], ...] = Field(min_length=1, max_length=3)
    """The spread of the detail of each channel, where white is 1."""
    is_drawn: bool = False
    """Whether samples get detail: they were measured to be much nearer to held-out pictures with it."""
