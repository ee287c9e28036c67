"""A restoration recipe, such as `recipes/photo.toml`. An unknown key is an error."""

import itertools
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from safelight.bundle.card import NETWORK_NAME
from safelight.degrade import Chain, DegradeStep
from safelight.errors import RecipeError
from safelight.ladder.restorer import Experts
from safelight.learn.recipe import Recipe, Schedule
from safelight.settings import NotNegative, Positive, Settings


class DataSettings(Settings):
    """Where pictures come from and how patches are cut."""

    may_be_stored = frozenset({"folder"})

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

    def step(self) -> DegradeStep:
        """The step that the chain draws from."""
        given = (self.model_extra or {}).items()
        return DegradeStep(self.kind, {name: tuple(v) if isinstance(v, list | tuple) else (v, v) for name, v in given})

    @model_validator(mode="after")
    def _check(self) -> "StepSettings":
        try:
            self.step()
        except RecipeError as error:
            raise ValueError(str(error)) from None
        return self


Name = Annotated[str, Field(pattern=NETWORK_NAME)]
Weight = Annotated[float, Field(gt=0)]


class ChainSettings(Settings):
    """One way for a picture to go bad."""

    weight: Annotated[
        Annotated[Weight, Tag("number")] | Annotated[dict[str, Weight], Tag("table")],
        Discriminator(lambda given: "table" if isinstance(given, dict) else "number"),
    ]
    """How often it is drawn: by all experts alike, or by each of those that are named."""
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
        if self.weight == {}:
            raise ValueError("weight names no expert")
        kinds = [step.kind for step in self.steps]
        if self.tell_sigma and kinds.count("gaussian_noise") != 1:
            raise ValueError("tell_sigma needs exactly one gaussian_noise step")
        return self

    def weight_of(self, expert: str) -> float:
        """0 if the expert never draws it."""
        return self.weight.get(expert, 0.0) if isinstance(self.weight, dict) else self.weight


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
    expert: Name | None = None
    """Which one learns, from its own mixture. If none is named, the first learns from all; the others begin there."""
    loss: Literal["l1", "rmse"] = "l1"
    """Of a mean stage; see `objectives.mean_objective`."""
    patch_px: Positive | None = None
    """Overrides the data's."""


class RestoreRecipe(Recipe):
    """The whole of a training run."""

    task: Literal["restore"] = "restore"
    experts: tuple[Name, ...] = Field(("main",), min_length=1)
    data: DataSettings
    degrade: tuple[ChainSettings, ...] = Field(min_length=1)
    model: ModelSettings
    stages: tuple[StageSettings, ...] = Field(min_length=1)
    validate_every: Positive = 1000
    log_every: Positive = 50

    @model_validator(mode="after")
    def _check(self) -> "RestoreRecipe":
        if any(len(stage.free_nats) not in (0, len(self.model.widths)) for stage in self.stages):
            raise ValueError(f"free_nats must have one entry per scale, {len(self.model.widths)}, or none")
        multiple = 2 ** len(self.model.widths)
        if any(stage.patch_px and stage.patch_px % multiple for stage in self.stages) or self.data.patch_px % multiple:
            raise ValueError(f"patch_px must be a multiple of {multiple}, the coarsest scale of the model")
        self._check_experts()
        return self

    def _check_experts(self) -> None:
        if len(set(self.experts)) < len(self.experts):
            raise ValueError("experts must have different names")
        for name in set(self.experts).intersection(dir(Experts())):
            raise ValueError(f"expert '{name}' has the name of something in torch; choose another")
        named = {name for chain in self.degrade if isinstance(chain.weight, dict) for name in chain.weight}
        own = [stage.expert for stage in self.stages]
        for name in sorted(named.union(name for name in own if name is not None) - set(self.experts)):
            raise ValueError(f"expert '{name}' is not among experts ({', '.join(self.experts)})")
        for name in self.experts:
            if not any(chain.weight_of(name) for chain in self.degrade):
                raise ValueError(f"expert '{name}' has no way of going bad; give it a weight in [[degrade]]")
        if any(late is None and early is not None for early, late in itertools.pairwise(own)):
            raise ValueError("a stage of all experts comes before those of one")
        if len(self.experts) > 1 and own[-1] is None:
            raise ValueError("no stage names an expert, so that all would be the same; name one, or have one expert")

    def mixture(self, expert: str | None = None) -> tuple[float, ...]:
        """Of `degrade`, the share of each chain in what an expert sees, or in what all of them see, each as much."""
        of = self.experts if expert is None else (expert,)
        weights = np.array([[chain.weight_of(name) for chain in self.degrade] for name in of])
        shares: list[float] = (weights / weights.sum(axis=1, keepdims=True)).mean(axis=0).tolist()
        return tuple(shares)
