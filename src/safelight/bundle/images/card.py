"""The card of a VAE of a set of pictures."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator

from safelight.bundle.card import Card, CardPart
from safelight.bundle.images.detail import DetailCard
from safelight.bundle.images.prior import PriorCard

SCHEMA = 5
CLASSIFIER_ACCURACY = "val_classifier_accuracy"
"""What `measured` calls the accuracy of the classifier of the set's labels, on the validation part."""
WELL_ABOVE_CHANCE = 0.25
"""Of the way from chance to no error, which a classifier must have gone for its features to say something."""
Size = Annotated[int, Field(gt=0, le=4096)]


class Split(CardPart):
    """How a set that names no parts was split, by the hash of each picture."""

    validation_share: float = Field(ge=0, lt=1)
    test_share: float = Field(ge=0, lt=1)
    group_by: str | None = Field(None, max_length=1000)
    """The pattern that finds each picture's group in its name (`dataset.grouping`)."""


class VaeCard(Card):
    """Of a VAE of a set of pictures."""

    noun: ClassVar[str] = "a VAE of a set of pictures"
    mend: ClassVar[str] = "train one of your pictures: docs/tutorial.md"

    schema_version: int = SCHEMA
    task: Literal["images"]
    height: int = Field(gt=0, le=4096)
    width: int = Field(gt=0, le=4096)
    channels: Literal[1, 3]
    fit: Literal["crop", "pad", "stretch"]
    """How pictures of other sizes are brought to this one (`dataset.form.Form`)."""
    binarise_seed: int | None = None
    """Pictures were made binary with it (`dataset.table.binarised`)."""
    value_range: tuple[Literal[0], Literal[1]] = (0, 1)
    likelihood: Literal["bernoulli", "gaussian", "logistic_mixture"]
    latents: tuple[tuple[Size, Size, Size], ...] = Field(min_length=1, max_length=16)
    """Channels, height and width of every rung that has any, fine to coarse, in units of the prior."""
    classes: tuple[str, ...] = ()
    """Of the set, in order."""
    conditional: bool
    """Whether the graphs take a class."""
    prior: PriorCard | None = None
    """If the model has a learned prior."""
    detail: DetailCard | None = None
    """If the model draws the detail that a decoded mean lacks."""
    split: Split

    @field_validator("detail")
    @classmethod
    def _check_detail(cls, detail: DetailCard | None, known: ValidationInfo) -> DetailCard | None:
        channels = known.data.get("channels")
        if detail is not None and len(detail.scale) != channels:
            raise ValueError(f"its scale has {len(detail.scale)} numbers, and pictures have {channels} channels")
        return detail

    @property
    def draws_detail(self) -> bool:
        """Whether samples get detail."""
        return self.detail is not None and self.detail.is_drawn

    @property
    def tells_classes_apart(self) -> bool:
        """Whether the classifier of the set's labels is so much better than chance that its features say something."""
        chance = 1 / max(1, len(self.classes))
        return self.measured.get(CLASSIFIER_ACCURACY, 1.0) >= chance + WELL_ABOVE_CHANCE * (1 - chance)
