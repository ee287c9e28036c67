"""What `generate` is asked to do, and what comes back. No model is needed to read it."""

from pathlib import Path
from typing import Literal, NamedTuple, Self

from pydantic import model_validator

from safelight.runtime.machine import Device
from safelight.settings import AnyPath, Positive, VerbSettings, option
from safelight.work import Line

OTHER_PICTURES = frozenset({".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".avif", ".gif"})


class GenerateSettings(VerbSettings):
    """Which pictures are made, and where they are written."""

    model: str | Path = option(..., "A bundle of a set of pictures: its name or path.")
    output: AnyPath = option(..., "A new or empty folder, or a .png for one grid.", "-o", "--output")
    count: Positive = option(64, "How many pictures, or steps.", "-n")
    class_name: str | None = option(None, "Of this class only.", "--class")
    temperature: float = option(1.0, "Of the noise. 1: honest draws; less: plainer pictures.", ge=0)
    seed: int = option(0, "Equal seeds make equal pictures.")
    sampler: Literal["auto", "flow", "aggregate", "prior"] = option(
        "auto",
        "flow: the learned prior; aggregate: a mixture fitted to the set's latents; prior: N(0, 1), to compare. "
        "auto: the better one of the first two, as measured after training.",
    )
    interpolate: tuple[Path, Path] | None = option(None, "Two pictures: steps from one to the other.")
    linear: bool = option(False, "Steps on a straight line, not on a sphere.", "--linear")
    traverse: Positive | None = option(
        None, "Vary one latent from -3 to 3. 1 is the latent that varies most, 2 the next, and so on."
    )
    device: Device = option("auto", "auto, cpu or cuda.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.interpolate is not None and self.traverse is not None:
            raise ValueError("--interpolate and --traverse exclude each other; give one of them")
        if self.interpolate is not None and self.count < 2:
            raise ValueError("a way has at least 2 steps; give -n 2 or more")
        return self

    @property
    def is_grid(self) -> bool:
        """Whether all pictures go into one file."""
        return self.output.suffix.lower() == ".png"

    @property
    def is_way(self) -> bool:
        """Whether the pictures are steps of one way through the latent space."""
        return self.interpolate is not None or self.traverse is not None


class GenerateReport(NamedTuple):
    """What was made."""

    output: Path
    """The folder, or the grid."""
    lines: tuple[Line, ...]
    """One for each picture, as in the folder's manifest: its file, its class and how it was made. One for a grid."""
