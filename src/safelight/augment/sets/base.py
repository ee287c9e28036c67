"""What an augmentation needs to know of a set, whatever it was read from."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from safelight.augment.chain import Sample
from safelight.augment.shapes import Shape
from safelight.dataset.images import check_range, eight_bits
from safelight.errors import OutputError, PictureError, shown
from safelight.picture import PART_PREFIX, Picture, read, upright_size
from safelight.picture.picture import Metadata

IMAGES = "images"
OTHER_PARTS = frozenset({"val", "valid", "validation", "test"})
"""Folders whose pictures are not augmented."""
Line = dict[str, Any]
"""One line of the manifest."""


class Original(NamedTuple):
    """A file that goes into the enlarged set as it is."""

    source: Path | None
    """None for a picture of an array, which is written as a PNG."""
    output: str
    number: int
    """Of the picture that is augmented, or below 0 for other files, such as those of the other parts."""
    label: str | None = None


class AugmentableSet(Protocol):
    """Pictures to augment, by number, and how they and their variants are written."""

    @property
    def labelled(self) -> bool:
        """Whether every picture has one label."""

    @property
    def names(self) -> Sequence[str]:
        """Of the pictures that are augmented; the randomness of each hangs on its name."""

    def label(self, number: int) -> str | None:
        """Of a picture."""

    def check(self) -> None:
        """All labels against the pictures' headers, before anything is written. Raises UsageError."""

    def load(self, number: int) -> tuple[Sample, Metadata]:
        """Raises PictureError and UsageError."""

    def output(self, number: int, copy: int, suffix: str) -> str:
        """Where a variant goes, below the output folder."""

    def originals(self) -> Sequence[Original]:
        """What goes along unchanged."""

    def beside(self, folder: Path, number: int, output: str, sample: Sample) -> None:
        """Write what lies beside one variant."""

    def finish(self, folder: Path, lines: Sequence[Line]) -> None:
        """Write what describes the whole set, from the manifest's lines."""


def load_picture(path: Path) -> tuple[Picture, Metadata]:
    """In its own depth, without alpha; and its colour profile. Raises PictureError."""
    picture = read(path)
    if picture.alpha is not None:
        picture = Picture(eight_bits(picture, str(path)), metadata=picture.metadata)
    if picture.pixels.dtype == np.float32:
        check_range(picture.pixels, shown(path))
        picture = picture.with_(pixels=picture.pixels.clip(0, 1))
    return picture, Metadata(icc=picture.metadata.icc)


def size_or_none(path: Path) -> tuple[int, int] | None:
    """Upright; None for what cannot be read, of which a line is told when its variants are made."""
    try:
        return upright_size(path)
    except PictureError:
        return None


def files_below(folder: Path) -> list[Path]:
    """All but hidden ones, relative to it, in order."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in found if not any(part.startswith(".") for part in path.parts))


def beside_images(picture: Path, folder: str) -> Path:
    """The last `images` of its path becomes `folder`."""
    parts = list(picture.parts)
    parts[len(parts) - 2 - parts[-2::-1].index(IMAGES)] = folder
    return Path(*parts)


def variant_name(name: str, copy: int, suffix: str) -> str:
    """a/b.jpg → a/b.v1.png."""
    path = Path(name)
    return str(path.with_name(f"{path.stem}.v{copy}{suffix}"))


def shapes_as_json(shapes: Sequence[Shape | None]) -> list[dict[str, Any]]:
    """What a manifest's line says of objects that are still inside; `object` is the number of each."""
    found = []
    for k, shape in enumerate(shapes):
        if shape is not None:
            known: dict[str, Any] = {"object": k, "box": [round(v, 3) for v in shape.box]}
            known |= {"polygons": [p.round(3).tolist() for p in shape.polygons]} if shape.polygons else {}
            known |= {} if shape.keypoints is None else {"keypoints": shape.keypoints.round(3).tolist()}
            found.append(known)
    return found


def write_whole(path: Path, text: str) -> None:
    """All of it or nothing. Raises OutputError."""
    part = path.with_name(f"{PART_PREFIX}{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}); check the folder and the disk") from None
