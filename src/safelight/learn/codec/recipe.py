"""A recipe of a codec, such as `recipes/latent.toml`. An unknown key is an error."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from safelight.ladder.codec import HYPER_PX, CodecNet
from safelight.learn.recipe import Recipe, Schedule
from safelight.settings import Positive, Settings

Three = Annotated[tuple[Positive, ...], Field(min_length=3, max_length=3)]


class DataSettings(Settings):
    """Where pictures come from and how patches are cut."""

    may_be_stored = frozenset({"folder"})

    folder: Path | None = None
    validation_share: float = Field(0.08, gt=0, lt=1)
    scales: tuple[Annotated[float, Field(gt=0, le=1)], ...] = (1.0,)
    grey_share: float = Field(0.0, ge=0, le=1)
    """How many patches are made grey."""


class GroupSettings(Settings):
    """Channels of the fine rung that are decoded together."""

    channels: Positive
    parities: Literal[1, 2]
    """2 if one half of the positions is decoded first, as on a chessboard, and the other half knows it."""


class ModelSettings(Settings):
    """Sizes of `ladder.codec.CodecNet`."""

    groups: tuple[GroupSettings, ...] = Field(min_length=1)
    widths: Three
    """At 1/4, 1/8 and 1/16 of the picture's size."""
    depths: Three
    """Residual blocks there."""
    context_width: Positive
    hyper_channels: Positive
    levels: int = Field(8, ge=2)

    def build(self) -> CodecNet:
        """A network with random weights."""
        sizes = self.model_dump(exclude={"groups"})
        return CodecNet(groups=[(group.channels, group.parities) for group in self.groups], **sizes)


class StageSettings(Schedule):
    """For how long, on which patches."""

    patch_px: int = Field(128, gt=0, multiple_of=HYPER_PX)


class CodecRecipe(Recipe):
    """All that determines a codec."""

    task: Literal["codec"]
    validate_every: Positive = 1000
    log_every: Positive = 50
    data: DataSettings = Field(default_factory=DataSettings.of)
    model: ModelSettings
    stages: tuple[StageSettings, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> "CodecRecipe":
        if sum(group.channels for group in self.model.groups) > 768:
            raise ValueError("model.groups have more than 768 channels together, which a block of 16x16x3 values has")
        return self
