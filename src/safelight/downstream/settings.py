"""What a verdict is asked for. Neither torch nor a model is needed to read it."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from safelight.settings import AnyPath, OptionalPath, Positive, VerbSettings, argument, option


def _words(given: Any) -> Any:
    """Words between commas, as a list; what is a list already stays."""
    return [word.strip() for word in given.split(",") if word.strip()] if isinstance(given, str) else given


def _numbers(given: Any) -> Any:
    """Numbers between commas, as a list; what is a list already stays. Raises ValueError."""
    try:
        return [float(word) for word in _words(given)] if isinstance(given, str) else given
    except ValueError:
        raise ValueError("give numbers, such as 0.5,1,2,4") from None


Factor = Annotated[float, Field(gt=0, lt=100)]


class VerdictSettings(VerbSettings):
    """One comparison: a labelled set, an augmentation, and how the arms are trained."""

    may_be_stored = frozenset({"dataset", "test", "unlabelled"})

    dataset: AnyPath = argument("A labelled set: a folder (sub-folders are classes), .npz, .csv or .jsonl.", "DATASET")
    recipe: AnyPath = option(..., "The augmentation that is tried, such as recipes/augment.toml.")
    model: str | Path | None = option(
        None, "A bundle of a VAE, for latent steps: its name or path. Default: the recipe's."
    )
    test: OptionalPath = option(None, "Another set to test on. Default: the test part of DATASET.")
    group_by: str | None = option(
        None, "Pictures with equal text at {group} stay in one part, such as '{group}_*'. Default: the model's."
    )
    unlabelled: OptionalPath = option(None, "More pictures for training. Their labels are not used.")
    per_class: Positive | None = option(
        None, "Labelled pictures of each class, drawn anew for each seed. Default: all."
    )
    seeds: int = option(5, "How many seeds. Each draws labelled pictures and first weights.", ge=2)
    first_seed: int = option(0, "The first of the seeds.")
    steps: int = option(800, "Steps of the optimiser, in every arm.", ge=10)
    copies: Positive = option(16, "Latent variants of each labelled picture.")
    sweep: Annotated[tuple[Factor, ...], BeforeValidator(_numbers)] = option(
        (), "Multiples of the recipe's latent noise to try as well, such as 0.5,1,2,4."
    )
    arms: Annotated[tuple[str, ...], BeforeValidator(_words)] = option(
        (), "Arms to train, such as classic,classic_vae. Default: all that the recipe allows."
    )
    cache: AnyPath = option(Path(".cache/pixels"), "Where decoded pictures are kept.")
    workers: Positive | None = option(None, "Arms that are trained at a time. Default: one for each processor core.")
