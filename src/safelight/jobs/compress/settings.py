"""What the verbs compress and decompress are asked to do. Needs no model to be read."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from safelight.bundle.codec.names import DEFAULT_QUALITY
from safelight.settings import OptionalPath, Paths, Positive, VerbSettings, argument, container_by_ending, option
from safelight.work.nodes import BATCH_PATHS, ENGINE_HELP

SUFFIX = ".latent"
_NOT_OF_THE_RESULT = frozenset(
    {"inputs", "output", "model", "recursive", "if_exists", "on_error"}
    | {"max_megapixels", "workers", "threads", "engine"}
)
_RULES = ("quality", "bpp", "psnr", "max_bytes")

IfExists = Literal["skip", "overwrite", "rename"]
OnError = Literal["continue", "stop"]


class CompressSettings(VerbSettings):
    """Which pictures become .latent files, and how large these are."""

    may_be_stored = BATCH_PATHS
    inputs: Paths = argument("Pictures and folders.", "IN", min_length=1)
    output: OptionalPath = option(
        None, "A folder, or for one picture a file that ends in .latent. Default: beside the input.", "-o", "--output"
    )
    quality: int | None = option(
        None, f"1 to 100. {DEFAULT_QUALITY} if no other rule is given.", "-q", "--quality", ge=1, le=100
    )
    bpp: float | None = option(
        None, "At most so many bits per pixel, and within 2 percent where the picture has so much in it.", gt=0
    )
    psnr: float | None = option(None, "The least PSNR, in dB.", gt=0, lt=100)
    max_bytes: Positive | None = option(None, "The largest file, in bytes.")
    restore: bool = option(
        False, "Restore the picture first: noise is what costs bits. The file says that it was done.", "--restore"
    )
    model: str | Path = option("latent", "A codec: its name (see 'model list') or its path.")
    recursive: bool = option(
        False, "Folders with all folders below. The output has the same folders.", "-r", "--recursive"
    )
    metadata: Literal["keep", "strip", "strip-gps"] = option("keep", "keep, strip or strip-gps.")
    if_exists: IfExists = option("skip", "skip, overwrite or rename.")
    on_error: OnError = option("continue", "continue or stop.")
    max_megapixels: float = option(400.0, "Refuse larger pictures.", gt=0)
    workers: Positive = option(1, "Files to read ahead, and files to write behind.")
    threads: Positive | None = option(None, "Processor cores to use. Default: all. They never change a byte.")
    engine: str | None = option(None, ENGINE_HELP)

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        given = [f"--{name.replace('_', '-')}" for name in _RULES if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} both say how large a file is; give one of them")
        return self

    def parameters(self) -> dict[str, object]:
        """What a result depends on, beside the input and the model."""
        chosen = {name: getattr(self, name) for name in _RULES}
        quality = DEFAULT_QUALITY if all(value is None for value in chosen.values()) else self.quality
        return self.model_dump(exclude=set(_NOT_OF_THE_RESULT)) | {"quality": quality}


def _numbers(given: Any) -> Any:
    """x,y,w,h → four numbers. Raises ValueError."""
    if not isinstance(given, str):
        return given
    parts = given.split(",")
    if len(parts) != 4 or not all(part.strip().isdigit() for part in parts):
        raise ValueError("is no region; write left,top,width,height in pixels, such as 0,0,640,480")
    return tuple(int(part) for part in parts)


RegionNumbers = Annotated[tuple[int, int, int, int], BeforeValidator(_numbers), Field()]


class DecompressSettings(VerbSettings):
    """Which .latent files become pictures, and how these are written."""

    may_be_stored = BATCH_PATHS
    inputs: Paths = argument("Files that 'compress' wrote, and folders of them.", "IN", min_length=1)
    output: OptionalPath = option(
        None,
        "A folder, or for one file the name of a picture. Default: NAME_decompressed beside the input.",
        "-o",
        "--output",
    )
    format: Literal["png", "tiff", "webp", "avif", "jpeg"] = option(
        "png", "In a folder: png, tiff, webp, avif or jpeg."
    )
    region: RegionNumbers | None = option(None, "Decode a part alone: left,top,width,height in pixels.")
    salvage: bool = option(False, "Write what is whole of damaged files; the rest is grey.", "--salvage")
    model: str | Path = option("latent", "The codec that compressed them: its name or its path.")
    recursive: bool = option(
        False, "Folders with all folders below. The output has the same folders.", "-r", "--recursive"
    )
    if_exists: IfExists = option("skip", "skip, overwrite or rename.")
    on_error: OnError = option("continue", "continue or stop.")
    max_megapixels: float = option(400.0, "Refuse larger pictures.", gt=0)
    workers: Positive = option(1, "Files to read ahead, and files to write behind.")
    threads: Positive | None = option(None, "Processor cores to use. Default: all. They never change a pixel.")
    engine: str | None = option(None, ENGINE_HELP)
    _endings = field_validator("format", mode="before")(container_by_ending)

    def parameters(self) -> dict[str, object]:
        """What a result depends on, beside the input and the model."""
        return self.model_dump(exclude=set(_NOT_OF_THE_RESULT))
