"""What an augmentation of a set is asked to do, and what comes back. Needs no OpenCV to be read."""

from pathlib import Path
from typing import Literal, NamedTuple, Self

from pydantic import model_validator

from safelight.settings import AnyPath, OptionalPath, Positive, VerbSettings, argument, option
from safelight.work.nodes import ENGINE_HELP

Format = Literal["png", "jpeg"]


class AugmentSettings(VerbSettings):
    """A data set, a recipe or a manifest to replay, and where the result goes.

    What is None has its default, or with `replay` what the manifest says.
    """

    may_be_stored = frozenset({"dataset"})

    dataset: AnyPath = argument(
        "Class folders, .npz, .csv, .jsonl, COCO's .json, YOLO's folder, or images/ and masks/.", "DATASET"
    )
    output: OptionalPath = option(None, "A new folder, or that of an interrupted run.", "-o", "--output")
    recipe: OptionalPath = option(None, "A .toml, such as recipes/augment.toml.")
    copies: int | None = option(None, "Variants of each picture. Default: 4.", ge=0, le=1000)
    model: str | Path | None = option(None, "A VAE's bundle, for latent operations and the guard.")
    seed: int | None = option(None, "Equal seeds make equal files. Default: 0.")
    balance: bool = option(False, "More variants of rarer classes, till all are even.", "--balance")
    originals: bool | None = option(None, "Write the pictures, too. Default: yes.", "--originals/--no-originals")
    preview: OptionalPath = option(None, "Write only a contact sheet, to this .png.")
    replay: OptionalPath = option(None, "A manifest.jsonl: make its variants again, bit for bit.")
    format: Format | None = option(None, "Of variants: png or jpeg. Default: png.")
    strict: bool = option(False, "Refuse a set with an odd object, which is left out otherwise.", "--strict")
    workers: int = option(1, "Processes; the result is the same.", ge=1, le=256)
    threads: Positive | None = option(None, "Of each worker. Default: the cores, shared among the workers.")
    engine: str | None = option(None, ENGINE_HELP)

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        pairs = {("--recipe", "--replay"): (self.recipe, self.replay), ("-o", "--preview"): (self.output, self.preview)}
        missing = [" or ".join(names) for names, values in pairs.items() if values == (None, None)]
        if missing:
            raise ValueError(f"give {', and '.join(missing)}; see --help")
        for (one, other), values in pairs.items():
            if None not in values:
                raise ValueError(f"{one} and {other} cannot be given together; leave one out")
        if self.preview is not None and self.preview.suffix.lower() != ".png":
            raise ValueError(f"{self.preview}: a sheet is a PNG; give it a name that ends in .png")
        if self.replay is not None:
            said: dict[str, object] = {"copies": self.copies, "seed": self.seed, "balance": self.balance or None}
            said |= {"originals": self.originals, "format": self.format}
            given = next((name for name, value in said.items() if value is not None), None)
            if given is not None:
                raise ValueError(f"--replay makes what its manifest says; leave --{given} out")
        return self


class AugmentReport(NamedTuple):
    """What a run made."""

    originals: int
    """Files that went along as they are."""
    variants: int
    before: int
    """Variants that were there from an earlier run."""
    refused: dict[str, tuple[int, int]]
    """Class → draws that the guard refused, and all draws."""
    left_out: int
    """Variants of which every draw was refused."""
    failed: list[str]
    """Why variants could not be made or written."""
    different: list[str]
    """Replayed variants whose pixels are not those of the manifest."""
    warnings: list[str]
    """What files could not hold of variants, such as their depth. Each is said once."""
