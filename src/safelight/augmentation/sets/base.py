"""What an augmentation needs to know of a set, whatever it was read from; and what it tells the set in the end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import numpy as np

from safelight.augmentation.chain import Sample
from safelight.augmentation.shapes import Shape
from safelight.dataset import ImageSet
from safelight.dataset.images import check_range, eight_bits
from safelight.dataset.parts import part_of_path
from safelight.errors import PictureError, shown
from safelight.picture import Picture, read, upright_size
from safelight.picture.picture import Metadata

IMAGES = "images"
Role = Literal["training", "other part", "beside"]
"""Of a file that goes along: a picture that variants are made of, one of another part, or what lies beside pictures."""


@dataclass(frozen=True)
class Original:
    """A file that goes into the enlarged set as it is."""

    output: str
    """Its name below the output folder."""
    content: Path | Callable[[], Picture]
    """The file to copy; or, for a picture of an array, what gives the picture to write."""
    role: Role
    source: str | None = None
    """Name of the picture in the set, if it is augmented."""
    label: str | None = None
    of: str | None = None
    """Of what lies beside a picture: that picture's output. Neither goes along without the other."""


class SetPicture(NamedTuple):
    """One picture of a set, read."""

    sample: Sample
    metadata: Metadata
    """What its variants keep: the colour profile."""
    warnings: tuple[str, ...] = ()
    """What its variants do not keep."""

    @staticmethod
    def of(picture: Picture, sample: Sample) -> "SetPicture":
        """A sample made of a picture that `load_picture` has read."""
        return SetPicture(sample, picture.metadata, picture.warnings)


@dataclass(frozen=True)
class WrittenPicture:
    """One picture of the enlarged set: an original, or a variant."""

    output: str
    """Its name below the output folder."""
    source: str | None
    """Name of the picture in the set that it is, or was made of; None for pictures of other parts."""
    label: str | None
    soft_label: dict[str, float] = field(default_factory=dict)
    """Classes and their weights, where pictures of two were blended."""
    shapes: dict[int, Shape] | None = None
    """Of a variant: objects that are still inside, by their numbers in the original. None for an original."""
    operations: tuple[str, ...] = ()
    """Of a variant: what was done to it."""


class AugmentableSet(Protocol):
    """Pictures to augment, by number, and how they and their variants are written."""

    @property
    def images(self) -> ImageSet | None:
        """All pictures, if each has one label; None for a set with boxes, keypoints or masks."""

    @property
    def remarks(self) -> Sequence[str]:
        """What a person should know of how the set was read: what was dropped, and what stands for what."""

    @property
    def names(self) -> Sequence[str]:
        """Of the pictures that are augmented; the randomness of each hangs on its name."""

    def label(self, number: int) -> str | None:
        """Of a picture."""

    def check(self) -> None:
        """All labels against the pictures' headers, before anything is written. Raises UsageError."""

    def load(self, number: int) -> SetPicture:
        """Raises PictureError and UsageError."""

    def variant_output(self, number: int, copy: int, suffix: str) -> str:
        """Where a variant goes, below the output folder."""

    def originals(self) -> Sequence[Original]:
        """What goes along unchanged."""

    def write_beside(self, folder: Path, number: int, output: str, sample: Sample) -> list[Path]:
        """Write what lies beside one variant; returns the files. Raises OutputError."""

    def finish(self, folder: Path, written: Sequence[WrittenPicture]) -> None:
        """Write what describes the whole enlarged set. Raises OutputError."""


def load_picture(path: Path) -> Picture:
    """In its own depth, without alpha, with its colour profile alone. Raises PictureError."""
    picture = read(path)
    if picture.alpha is not None:
        told = (*picture.warnings, "transparency was laid on white in variants")
        picture = Picture(eight_bits(picture, str(path)), metadata=picture.metadata, warnings=told)
    if picture.pixels.dtype == np.float32:
        check_range(picture.pixels, shown(path))
        picture = picture.with_(pixels=picture.pixels.clip(0, 1))
    return picture.with_(metadata=Metadata(icc=picture.metadata.icc))


def size_or_none(path: Path) -> tuple[int, int] | None:
    """Upright; None for what cannot be read, which is said when its variants are made."""
    try:
        return upright_size(path)
    except PictureError:
        return None


def files_below(folder: Path) -> list[Path]:
    """All but hidden ones, relative to it, in order."""
    files = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in files if not any(part.startswith(".") for part in path.parts))


def is_in(path: Path, folder: str) -> bool:
    """Whether a folder of that name is above it, in capitals or not."""
    return any(part.lower() == folder for part in path.parts[:-1])


def is_augmented(path: Path) -> bool:
    """Whether it is in no folder of another part than the training part."""
    return part_of_path(path.parts[:-1]) in (None, "train")


def beside_images(picture: Path, folder: str) -> Path:
    """The last `images` of its path becomes `folder`; with capitals as `images` has them."""
    parts = list(picture.parts)
    position = len(parts) - 2 - [part.lower() for part in parts[-2::-1]].index(IMAGES)
    name = parts[position]
    parts[position] = folder.upper() if name.isupper() else folder.title() if name[0].isupper() else folder
    return Path(*parts)


def variant_name(name: str, copy: int, suffix: str) -> str:
    """a/b.jpg → a/b.v1.png."""
    path = Path(name)
    return str(path.with_name(f"{path.stem}.v{copy}{suffix}"))
