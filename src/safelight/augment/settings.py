"""What an augmentation of a set is asked to do."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from safelight.augment.manifest import read_manifest
from safelight.augment.recipe import AugmentRecipe
from safelight.errors import UsageError


@dataclass(frozen=True)
class AugmentSettings:
    """For one run; what each worker gets."""

    dataset: Path
    output: Path
    recipe: AugmentRecipe
    model: str | None
    copies: int
    seed: int
    balance: bool
    originals: bool
    suffix: str
    """.png or .jpg"""
    threads: int | None = None
    """Of each worker."""

    @property
    def soft_labels(self) -> bool:
        """Whether pictures of two classes are blended."""
        return "latent_blend" in self.recipe.latent

    def header(self, names_sha256: str, model_sha256: str | None) -> dict[str, Any]:
        """What every variant depends on, for the manifest's first line."""
        return {
            "recipe": self.recipe.model_dump(mode="json", exclude={"model"}),
            "set_sha256": names_sha256,
            "model_sha256": model_sha256,
            "copies": self.copies,
            "seed": self.seed,
            "balance": self.balance,
            "originals": self.originals,
            "suffix": self.suffix,
        }


def of_manifest(
    manifest: Path, dataset: Path, output: Path, model: str | None, threads: int | None = None
) -> AugmentSettings:
    """The settings that a manifest was made by. Raises UsageError."""
    header, _ = read_manifest(manifest)
    try:
        recipe = AugmentRecipe.model_validate(header["recipe"])
        copies, seed, balance = int(header["copies"]), int(header["seed"]), bool(header["balance"])
        originals, suffix = bool(header["originals"]), str(header["suffix"])
    except (ValidationError, KeyError, TypeError, ValueError):
        raise UsageError(f"{manifest}: its first line is damaged; make the set anew from its recipe") from None
    return AugmentSettings(dataset, output, recipe, model, copies, seed, balance, originals, suffix, threads)
