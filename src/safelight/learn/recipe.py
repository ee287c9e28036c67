"""What all training recipes have in common: the schedule of a stage, and the author's words."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from safelight.settings import Positive, Settings

Precision = Literal["auto", "float32", "bfloat16"]


class Schedule(Settings):
    """Base of a stage: for how long something is learned, and how fast."""

    steps: Positive
    budget_share: float | None = Field(None, gt=0)
    """How much of --budget the stage gets, beside the other stages' shares. Without shares, steps are the shares."""
    batch: Positive = 16
    """Of all processes together."""
    learning_rate: float = Field(1e-3, gt=0)
    optimiser: Literal["adamw", "muon"] = "adamw"
    precision: Precision = "auto"
    """What the layers compute in; auto is bfloat16 where the processor is made for it. Weights, moments and likelihoods
    are float32 always."""
    decay_share: float = Field(1.0, gt=0, le=1)
    """Share of the stage, at its end, over which the learning rate falls."""
    final_share: float = Field(0.01, ge=0, le=1)
    """The cosine ends at this share of `learning_rate`."""
    warmup_steps: int = Field(200, ge=0)
    weight_decay: float = Field(1e-4, ge=0)
    ema_decay: float = Field(0.999, ge=0, lt=1)
    kl_warmup_share: float = Field(0.2, ge=0, le=1)
    """Share of the stage over which the KL's weight rises from 0, where there is one."""
    free_nats: tuple[Annotated[float, Field(ge=0)], ...] = ()
    """Free bits at each scale, fine to coarse, in nats per latent dimension; none if empty."""

    def kl_warmup(self, share: float) -> float:
        """0 to 1, at a share of the stage (Sønderby et al., NIPS 2016)."""
        return min(1.0, share / self.kl_warmup_share) if self.kl_warmup_share else 1.0


def budget_shares(stages: Sequence[Schedule]) -> list[float]:
    """Each stage's part of the budget; they add up to 1. Raises ValueError if only some stages have a share."""
    given = [stage.budget_share for stage in stages]
    if None in given and any(given):
        raise ValueError("budget_share must be given for all stages, or for none")
    shares = [float(share or stage.steps) for share, stage in zip(given, stages, strict=True)]
    return [share / sum(shares) for share in shares]


class CardSettings(Settings):
    """What only the author of a model can say on its card."""

    summary: str
    data_licences: str
    weights_licence: str = "Apache-2.0"
    limits: tuple[str, ...] = ()


class Recipe(Settings):
    """Base of a recipe of any task."""

    task: str
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    seed: int = Field(1, ge=0, lt=2**63)
    card: CardSettings
    stages: tuple[Schedule, ...] = ()

    @model_validator(mode="after")
    def _check_shares(self) -> Self:
        budget_shares(self.stages)
        return self
