"""A recipe for a set of pictures, such as `recipes/dataset.toml`. An unknown key is an error."""

from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from safelight.dataset.form import LARGEST_PX, SMALLEST_PX, Fit
from safelight.learn.recipe import Recipe, Schedule
from safelight.settings import NotNegative, Positive, Settings


class DataSettings(Settings):
    """Where pictures come from, and what is done to each."""

    may_be_stored = frozenset({"folder"})

    folder: Path | None = None
    """A folder, an .npz, a .csv or a .jsonl; see docs/data-sets.md."""
    size_px: Annotated[int, Field(ge=SMALLEST_PX, le=LARGEST_PX)] | None = None
    """Side of a square; chosen from the pictures if not given."""
    channels: Literal[1, 3] | None = None
    fit: Fit = "crop"
    validation_share: float = Field(0.1, gt=0, lt=1)
    test_share: float = Field(0.1, ge=0, lt=1)
    """Both of the pictures that the set itself does not name a part for."""
    group_by: str | None = None
    """Such as `{group}_*`: pictures with the same text there in their names stay in one part, as frames of one film."""
    ignore_labels: bool = False
    """Train on the pictures alone, as if the set had no labels: for `safelight verdict` with few of them."""
    binarise_seed: int | None = None
    """Makes pixels 0 or 1, once and for all, with the probability that their grey says."""
    flip: bool = False
    """Mirror half of the training pictures, left to right."""
    shift_px: NotNegative = 0
    """Move training pictures by up to so much in each direction, black coming in."""


class ModelSettings(Settings):
    """A size by name, or all three lists from fine (1/2) to coarse."""

    size: Literal["auto", "tiny", "small", "base"] = "auto"
    likelihood: Literal["bernoulli", "gaussian", "logistic_mixture"] = "gaussian"
    conditional: bool = False
    """On the class of the picture."""
    widths: tuple[Positive, ...] = Field((), max_length=7)
    latents: tuple[NotNegative, ...] = ()
    blocks: tuple[NotNegative, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> "ModelSettings":
        if not len(self.widths) == len(self.latents) == len(self.blocks):
            raise ValueError("widths, latents and blocks must be equally long, or none of them given")
        if self.latents and not self.latents[-1]:
            raise ValueError("latents must not be 0 at the coarsest scale, the last")
        return self


class PriorSettings(Settings):
    """The learned prior (`ladder.prior`), which a stage with `trains = "prior"` trains."""

    width: Annotated[int, Field(gt=0, multiple_of=64)] = 256
    """Of the state of each place."""
    depth: Positive = 6
    """Blocks of attention and layers."""
    repeats: Positive = 2
    """Places on the path that are learned from each picture of a batch: encoding it costs time, too."""
    guidance: float = Field(0.5, ge=0, le=100)
    """How far samples of a class are moved away from those of any class. 0: honest samples; more: more typical ones."""
    steps: Annotated[int, Field(gt=0, le=1000)] = 8
    """Of the midpoint rule from noise to latents; each asks the network twice."""
    drop_class_share: float = Field(0.1, ge=0, lt=1)
    """How many training pictures are shown without their class."""


class DetailSettings(Settings):
    """The flow of what a decoder leaves out (`ladder.detail`), which a stage with `trains = "detail"` trains."""

    width: Positive = 32
    """Channels at half the size of the pictures; twice as many at a quarter."""
    steps: Annotated[int, Field(gt=0, le=1000)] = 4
    """Of the midpoint rule from noise to detail; each asks the network twice."""


Trained = Literal["vae", "decoder", "detail", "prior"]
"""What a stage trains, in this order. decoder: only what stands after the last latents, which keep their meaning. For
detail and prior the VAE is frozen."""


class StageSettings(Schedule):
    """One stage; what stands here chooses the objective (`objectives.image_objective`)."""

    trains: Trained = "vae"
    beta: float = Field(1.0, ge=0)
    """Weight of the KL; 0 is a plain autoencoder, without noise."""
    free_nats_of_coarser: float = Field(0.1, ge=0)
    """Free bits of every rung but the finest, where `free_nats` are not given: without any, coarse rungs collapse
    (docs/lab-notebook.md)."""
    importance_samples: Positive = 1
    """K of the importance-weighted bound."""
    adversarial: float = Field(0.0, ge=0)
    """Weight of a critic's opinion of the decoded picture, in nats per pixel value."""
    perceptual: float = Field(0.0, ge=0)
    """Weight of differences in the features of a classifier of the set's labels, in nats per pixel value."""

    @property
    def is_judged(self) -> bool:
        """Whether a number on held-out pictures says what is better: of looks none does."""
        return not self.adversarial and not self.perceptual

    @model_validator(mode="after")
    def _check(self) -> "StageSettings":
        if self.importance_samples > 1 and (self.beta != 1 or self.free_nats):
            raise ValueError("importance_samples is a bound of its own; leave beta at 1 and free_nats out")
        if self.trains in ("detail", "prior") and (self.adversarial or self.perceptual):
            raise ValueError("adversarial and perceptual are for stages that train the VAE or its decoder")
        return self


class ImagesRecipe(Recipe):
    """The whole of a training run."""

    task: Literal["images"]
    data: DataSettings = Field(default_factory=lambda: DataSettings.model_validate({}))
    model: ModelSettings = Field(default_factory=lambda: ModelSettings.model_validate({}))
    detail: DetailSettings = Field(default_factory=lambda: DetailSettings.model_validate({}))
    prior: PriorSettings = Field(default_factory=lambda: PriorSettings.model_validate({}))
    stages: tuple[StageSettings, ...] = Field(min_length=1)
    validate_every: Positive = 500
    log_every: Positive = 50
    patience: NotNegative = 10
    """Validations without a better one that end a stage; 0 for never."""

    @model_validator(mode="after")
    def _check(self) -> "ImagesRecipe":
        if self.model.likelihood == "bernoulli" and self.data.binarise_seed is None:
            raise ValueError("likelihood 'bernoulli' is of black and white pictures; give data.binarise_seed, too")
        kinds = [stage.trains for stage in self.stages]
        if kinds != sorted(kinds, key=get_args(Trained).index) or kinds[0] != "vae":
            raise ValueError("stages come in this order: those that train the VAE, its decoder, its detail, the prior")
        if self.data.binarise_seed is not None and "detail" in kinds:
            raise ValueError("black and white pictures have no detail to learn; leave out the stage that trains it")
        return self

    @property
    def vae_stage(self) -> StageSettings:
        """The last one that trains the VAE."""
        return [stage for stage in self.stages if stage.trains == "vae"][-1]

    def learns(self, part: Trained) -> bool:
        """Whether a stage trains it."""
        return any(stage.trains == part for stage in self.stages)
