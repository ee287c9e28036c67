"""What a set of pictures is, whatever it was read from."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from safelight.errors import PictureError
from safelight.picture import Picture

Pixels = NDArray[np.uint8]
"""(H, W, 1) grey or (H, W, 3) RGB."""
Part = Literal["train", "validation", "test"]
LONGEST_NUMBER = 20
"""Digits up to which labels are ordered as numbers are."""
ROUNDING = 0.5 / 255
"""Float values may miss [0, 1] by what rounding takes away."""


@dataclass(frozen=True)
class Item:
    """One picture of a set."""

    name: str
    """Its path below the set's folder, or its number in an array."""
    label: str | None = None
    part: Part | None = None
    """What the set itself says it is for; None if it does not say."""
    group: str | None = None
    """Pictures of one group, such as the frames of a film, are in one part; None for a picture by itself."""
    variant_of: str | None = None
    """Name of the picture that it was made of by `safelight augment`."""


class Loaded(NamedTuple):
    """One picture of a set, read."""

    pixels: Pixels
    warnings: tuple[str, ...] = ()
    """What a person should know about how it was read."""


@dataclass(frozen=True)
class ImageSet:
    """Pictures that are read when they are asked for."""

    items: tuple[Item, ...]
    load: Callable[[int], Loaded]
    """Position → pixels; raises PictureError for what cannot be read."""
    identify: Callable[[int], str]
    """Position → a hash of its file's bytes, or of its pixels in an array; raises PictureError likewise."""
    other_files: dict[str, int] = field(default_factory=dict)
    """Suffix → files beside them that are no pictures, or none of a kind that can be read."""

    @property
    def others_in_words(self) -> str:
        """How many files beside the pictures there are of each kind; empty if there are none."""
        return ", ".join(f"{count} {suffix or 'without a suffix'}" for suffix, count in self.other_files.items())

    def __len__(self) -> int:
        return len(self.items)

    @property
    def classes(self) -> tuple[str, ...]:
        """All labels in order; numbers in that of numbers."""
        labels = {item.label for item in self.items if item.label is not None}
        return tuple(
            sorted(labels, key=lambda label: (label.zfill(LONGEST_NUMBER) if label.isdecimal() else "a", label))
        )


def eight_bits(picture: Picture, name: str) -> Pixels:
    """The pixels of a file as a set holds them: alpha over white, 16 bits rounded to 8, float from [0, 1].

    Raises PictureError for float values beyond [0, 1].
    """
    if picture.bits == 32:
        check_range(picture.pixels, name)
    values = picture.as_float() if picture.alpha is not None else picture.with_depth(8).pixels
    if picture.alpha is not None:
        alpha = picture.alpha.astype(np.float32) / np.float32(picture.full_scale)
        values = np.rint(255 * np.clip(values * alpha + 1 - alpha, 0, 1)).astype(np.uint8)
    return np.ascontiguousarray(values)


def check_range(values: NDArray[np.floating], name: str) -> None:
    """Raises PictureError unless all values are within [0, 1]."""
    low, high = float(values.min()), float(values.max())
    if not (low >= -ROUNDING and high <= 1 + ROUNDING):  # a NaN is neither
        raise PictureError(f"{name}: has float values from {low:g} to {high:g}; scale them to [0, 1]")


def content_hash(pixels: Pixels) -> str:
    """Equal for pictures of the same size and pixels, whatever files they came from."""
    return hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
