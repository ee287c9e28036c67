"""A restoration recipe, such as `recipes/photo.toml`. An unknown key is an error."""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from safelight.degrade import Chain, Step
from safelight.errors import RecipeError
from safelight.learn.settings import CardSettings, Schedule
from safelight.settings import NotNegative, Positive, Settings


class DataSettings(Settings):
    """Where pictures come from and how patches are cut."""

    folder: Path | None = None
    validation_share: float = Field(0.08, gt=0, lt=1)
    scales: tuple[Annotated[float, Field(gt=0, le=1)], ...] = (1.0,)
    patch_px: Positive = 64
    margin_px: int = Field(16, ge=0)
    """Degradations see this much more than the patch, so that codec grids fall anywhere."""
    candidates: Positive = 1
    """Of so many random patches the one with the most detail is taken: flat ones teach little."""
    aligned_share: float = Field(0.0, ge=0, le=1)
    """How many patches begin on a codec's grid, as whole files do."""
    grey_share: float = Field(0.0, ge=0, le=1)
    """How many patches are made grey before they are degraded."""
    workers: int = Field(1, ge=0)


class StepSettings(BaseModel):
    """`{ kind = "jpeg", quality = [10, 90] }`: every other key is a parameter's range or fixed value."""

    model_config = ConfigDict(extra="allow", frozen=True)
    kind: str

    def step(self) -> Step:
        """The step that the chain draws from."""
        given = (self.model_extra or {}).items()
        return Step(self.kind, {name: tuple(v) if isinstance(v, list | tuple) else (v, v) for name, v in given})

    @model_validator(mode="after")
    def _check(self) -> "StepSettings":
        try:
            self.step()
        except RecipeError as error:
            raise ValueError(str(error)) from None
        return self


class ChainSettings(Settings):
    """One way for a picture to go bad."""

    weight: float = Field(gt=0)
    steps: tuple[StepSettings, ...] = Field(min_length=1)
    tell_sigma: float = Field(0.0, ge=0, le=1)
    """How often the model is told σ of the chain's `gaussian_noise` (it must also work untold)."""
    keep: tuple[StepSettings, ...] = ()
    """What is done to the picture before, and belongs to it: the model must leave it in, as fine film grain."""

    @cached_property
    def degrading(self) -> Chain:
        """`steps`, ready to be drawn from."""
        return [setting.step() for setting in self.steps]

    @cached_property
    def keeping(self) -> Chain:
        """`keep`, ready to be drawn from."""
        return [setting.step() for setting in self.keep]

    @model_validator(mode="after")
    def _check(self) -> "ChainSettings":
        kinds = [step.kind for step in self.steps]
        if self.tell_sigma and kinds.count("gaussian_noise") != 1:
            raise ValueError("tell_sigma needs exactly one gaussian_noise step")
        return self


class ModelSettings(Settings):
    """Sizes from fine (1/2) to coarse; see `ladder.restorer.build_restorer`."""

    widths: tuple[Positive, ...] = Field(min_length=1, max_length=6)
    blocks_down: tuple[NotNegative, ...]
    blocks_up: tuple[NotNegative, ...]
    ladder_widths: tuple[Positive, ...]
    latents: tuple[Positive, ...]
    ladder_blocks: tuple[NotNegative, ...]

    @model_validator(mode="after")
    def _check(self) -> "ModelSettings":
        scales = len(self.widths)
        for name in ("blocks_down", "ladder_widths", "latents", "ladder_blocks"):
            if len(getattr(self, name)) != scales:
                raise ValueError(f"{name} must have one entry per scale, {scales}")
        if len(self.blocks_up) != scales - 1:
            raise ValueError(f"blocks_up must have one entry per scale but the coarsest, {scales - 1}")
        return self


class StageSettings(Schedule):
    """One stage: what is learned, and its schedule."""

    objective: Literal["mean", "posterior"]
    loss: Literal["l1", "rmse"] = "l1"
    """Of a mean stage; see `objectives.mean_objective`."""
    patch_px: Positive | None = None
    """Overrides the data's."""


class TrainRecipe(Settings):
    """The whole of a training run."""

    task: Literal["restore"] = "restore"
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    seed: int = 1
    card: CardSettings
    data: DataSettings
    degrade: tuple[ChainSettings, ...] = Field(min_length=1)
    model: ModelSettings
    stages: tuple[StageSettings, ...] = Field(min_length=1)
    validate_every: Positive = 1000
    log_every: Positive = 50

    @model_validator(mode="after")
    def _check(self) -> "TrainRecipe":
        if any(len(stage.free_nats) not in (0, len(self.model.widths)) for stage in self.stages):
            raise ValueError(f"free_nats must have one entry per scale, {len(self.model.widths)}, or none")
        multiple = 2 ** len(self.model.widths)
        if any(stage.patch_px and stage.patch_px % multiple for stage in self.stages) or self.data.patch_px % multiple:
            raise ValueError(f"patch_px must be a multiple of {multiple}, the coarsest scale of the model")
        return self
