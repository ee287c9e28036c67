"""What a batch is asked to do: one record for the command line, Python, TOML and HTTP. Needs no model to be read."""

import math
from pathlib import Path
from typing import Literal, Self

from pydantic import field_validator, model_validator

from safelight.errors import is_stored
from safelight.runtime.machine import Device, Precision
from safelight.settings import OptionalPath, Paths, Positive, VerbSettings, argument, container_by_ending, option
from safelight.work.nodes import BATCH_PATHS, ENGINE_HELP

Depth = Literal["same", "8", "10", "12", "16", "float"]
Container = Literal["same", "jpeg", "png", "tiff", "webp", "avif"]
_NOT_OF_THE_PIXELS = frozenset(
    {"inputs", "output", "model", "recursive", "pattern", "if_exists"}
    | {"on_error", "max_megapixels", "workers", "threads", "device", "compare", "engine"}
)
RESULTS, FILES, MACHINE = "How results are written", "Which files, and what if", "The machine"


class EnhanceSettings(VerbSettings):
    """Which pictures are restored, how, and how the results are written."""

    may_be_stored = BATCH_PATHS
    inputs: Paths = argument("Pictures and folders; - for standard input.", "IN", min_length=1)
    output: OptionalPath = option(
        None,
        "A folder, or for one picture its file name; - for standard output. Default, for one picture or one folder: "
        "NAME_restored beside it.",
        "-o",
        "--output",
        group=RESULTS,
    )
    model: str | Path = option("photo", "A bundle: its name (see 'model list') or its path.")
    strength: float = option(
        1.0, "0 to 1. 0 gives the input back. In between, fine grain returns before colour noise.", ge=0, le=1
    )
    temperature: float | None = option(
        None,
        "0 to 2. Write one random draw instead of the mean. 1: an honest draw; less: calmer. "
        "With --samples: the temperature of the samples.",
        ge=0,
        le=2,
    )
    samples: int = option(
        0, "0 to 64. Write so many random draws, with grain: NAME_sample1, NAME_sample2, ...", ge=0, le=64
    )
    seed: int = option(0, "Equal seeds draw equal samples.")
    uncertainty: bool = option(
        False,
        "Write the standard deviation of each pixel: NAME_std.tif in the input's numbers, and NAME_std.png, to see.",
        "--uncertainty",
    )
    sigma: float | None = option(
        None,
        "0 to 255. The noise level, if it is known. It changes the result of 'photo' little; see --strength.",
        ge=0,
        le=255,
    )
    scale: str = option(
        "auto",
        "Numbers that are black and white: auto, full, or LOW:HIGH. auto: the picture's own, if its 16 bits or floats "
        "are not those of a photograph.",
    )
    operations: tuple[str, ...] = option(
        (),
        "Classic operations on the result, in this order: contrast=1.2, sharpen=0.5, rotate=0.7, ... "
        "All: 'safelight augment --operations'.",
        "--op",
    )
    recursive: bool = option(
        False, "Folders with all folders below. The output has the same folders.", "-r", "--recursive", group=FILES
    )
    format: Container = option("same", "same, jpeg, png, tiff, webp or avif.", group=RESULTS)
    depth: Depth = option("same", "same, 8, 10, 12, 16 or float.", group=RESULTS)
    quality: int = option(
        95, "1 to 100, of jpeg, webp and avif. 100 is lossless for webp and avif.", group=RESULTS, ge=1, le=100
    )
    metadata: Literal["keep", "strip", "strip-gps"] = option("keep", "keep, strip or strip-gps.", group=RESULTS)
    provenance: bool = option(True, "Say in the XMP what was done.", "--provenance/--no-provenance", group=RESULTS)
    pages: Literal["first", "all"] = option("first", "Pages of a TIFF: first or all.", group=FILES)
    pattern: str = option("{stem}.{ext}", "Names of results in folders, of {stem}, {model}, {ext}.", group=RESULTS)
    compare: OptionalPath = option(
        None,
        "Write a page to this .html: the first 24 pictures before and after, with a line to drag.",
        group=RESULTS,
    )
    if_exists: Literal["skip", "overwrite", "rename"] = option("skip", "skip, overwrite or rename.", group=FILES)
    on_error: Literal["continue", "stop"] = option("continue", "continue or stop.", group=FILES)
    max_megapixels: float = option(400.0, "Refuse larger pictures.", group=FILES, gt=0)
    workers: Positive = option(1, "Files to decode ahead, and files to encode behind.", group=MACHINE)
    threads: Positive | None = option(None, "Processor cores to use. Default: all.", group=MACHINE)
    precision: Precision = option(
        "auto",
        "auto, fp32 or int8 (faster). auto: int8 for a mean alone, if the processor is made for it.",
        group=MACHINE,
    )
    device: Device = option("auto", "auto, cpu or cuda.", group=MACHINE)
    engine: str | None = option(None, ENGINE_HELP, group=MACHINE)

    _endings = field_validator("format", mode="before")(container_by_ending)

    @model_validator(mode="after")
    def _one_meaning(self) -> Self:
        if self.operations and self.uncertainty:
            raise ValueError("--uncertainty is of the restored picture, before --op; leave one of them out")
        if self.compare is not None and self.compare.suffix.lower() not in (".html", ".htm"):
            raise ValueError(f"--compare '{self.compare}': is a page; name a file that ends in .html")
        if self.compare is not None and any(map(is_stored, (*self.inputs, *([self.output] if self.output else [])))):
            raise ValueError("--compare reads pictures again, and needs inputs and outputs on a file system")
        _ = self.scale_choice
        return self

    def parameters(self) -> dict[str, object]:
        """What the pixels of a result depend on, beside the input and the model."""
        unused = [*([] if self.operations else ["operations"]), *(["scale"] if self.scale == "auto" else [])]
        units = {"uncertainty_unit": "number of the picture"} if self.uncertainty else {}
        return self.model_dump(exclude={*_NOT_OF_THE_PIXELS, *unused}) | units

    @property
    def scale_choice(self) -> tuple[float, float] | Literal["auto", "full"]:
        """`scale` as `picture.scale` takes it. Raises ValueError."""
        if self.scale in ("auto", "full"):
            return "auto" if self.scale == "auto" else "full"
        try:
            low, high = (float(part) for part in self.scale.split(":"))
        except ValueError:
            raise ValueError(f"--scale '{self.scale}': use auto, full, or LOW:HIGH such as 100:600") from None
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ValueError(f"--scale '{self.scale}': LOW must be less than HIGH, and both finite")
        return low, high

    @property
    def is_one_draw(self) -> bool:
        """Whether the result is a random draw instead of the mean."""
        return not self.samples and bool(self.temperature)
