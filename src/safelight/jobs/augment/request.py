"""What is made, after the recipe or the manifest was read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from safelight.augmentation import AugmentRecipe, load_recipe
from safelight.augmentation.recipe import Guard
from safelight.errors import UsageError
from safelight.jobs.augment.replay import Replay
from safelight.jobs.augment.settings import AugmentSettings
from safelight.runtime.machine import cores
from safelight.work.nodes import cluster_address

SUFFIXES = {"png": ".png", "jpeg": ".jpg"}


@dataclass(frozen=True)
class Request:
    """What the pixels of all results depend on, beside the set and the model. Every worker gets it."""

    dataset: Path
    recipe: AugmentRecipe
    model: str | Path | None
    """A bundle's name or path."""
    copies: int
    seed: int
    balance: bool
    originals: bool
    suffix: str
    """.png or .jpg"""
    threads: int
    """Of each worker."""
    is_guarded: bool
    """Whether the recipe's guard is heeded: what is replayed has passed it."""
    is_replayed: bool
    """Whether a manifest stands in for the recipe's file."""
    strict: bool = False
    """Whether a set with an odd object is refused."""

    @property
    def guard(self) -> Guard | None:
        """The recipe's, if it is heeded."""
        return self.recipe.guard if self.is_guarded else None

    @property
    def needs_model(self) -> bool:
        """For a latent step or the guard."""
        return bool(self.recipe.latent) or self.guard is not None

    def facts(self) -> dict[str, Any]:
        """For the manifest's header; `request_of` reads them again."""
        return {
            "recipe": self.recipe.model_dump(mode="json", exclude={"model"}),
            "copies": self.copies,
            "seed": self.seed,
            "balance": self.balance,
            "originals": self.originals,
            "suffix": self.suffix,
        }


def request_of(settings: AugmentSettings, replay: Replay | None) -> Request:
    """From the recipe, or from the manifest that is replayed. Raises UsageError and RecipeError."""
    is_local = cluster_address(settings.engine) is None
    if replay is None:
        assert settings.recipe is not None
        facts: dict[str, Any] = {
            "recipe": load_recipe(settings.recipe),
            "copies": 4 if settings.copies is None else settings.copies,
            "seed": settings.seed or 0,
            "balance": settings.balance,
            "originals": settings.originals is not False,
            "suffix": SUFFIXES[settings.format or "png"],
        }
    else:
        if settings.output is not None and replay.path.resolve().parent == settings.output.resolve():
            raise UsageError(f"{settings.output}: is what is replayed; choose another -o")
        facts = _replayed_facts(replay)
    return Request(
        dataset=settings.dataset,
        model=settings.model or facts["recipe"].model or (replay and replay.model),
        threads=settings.threads or (max(1, cores() // settings.workers) if is_local else 1),
        is_guarded=replay is None,
        is_replayed=replay is not None,
        strict=settings.strict,
        **facts,
    )


def _replayed_facts(replay: Replay) -> dict[str, Any]:
    """Raises UsageError."""
    header = replay.header
    try:
        return {
            "recipe": AugmentRecipe.model_validate(header["recipe"]),
            "copies": int(header["copies"]),
            "seed": int(header["seed"]),
            "balance": bool(header["balance"]),
            "originals": bool(header["originals"]),
            "suffix": str(header["suffix"]),
        }
    except (ValidationError, KeyError, TypeError, ValueError):
        raise UsageError(f"{replay.path}: its first line is damaged; make the set anew from its recipe") from None
