"""The card of a codec."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from safelight.bundle.card import NETWORK_NAME, Card, CardPart

SCHEMA = 1


class Group(CardPart):
    """Channels of the fine rung that are coded together."""

    channels: int = Field(gt=0, le=768)
    parities: Literal[1, 2]
    """2 if the positions of even parity are coded before those of odd parity."""


class CodecCard(Card):
    """Of a model that compresses pictures."""

    noun: ClassVar[str] = "a codec"
    mend: ClassVar[str] = "name a codec, such as 'latent'"

    schema_version: int = SCHEMA
    task: Literal["codec"]
    programs: tuple[Annotated[str, Field(pattern=NETWORK_NAME)], ...] = Field(min_length=1, max_length=100)
    """Its networks."""
    groups: tuple[Group, ...] = Field(min_length=1, max_length=48)
    analysis_halo: int = Field(ge=0, le=64)
    """No latent depends on pixels that are more positions of 16 pixels away than this."""
    synthesis_halo: int = Field(ge=0, le=64)
    """No pixel depends on latents that are more positions away than this."""

    @property
    def networks(self) -> tuple[str, ...]:
        """One for each program."""
        return self.programs
