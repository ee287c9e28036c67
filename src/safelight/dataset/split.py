"""Split a set into parts by a hash of each picture: adding files never moves a picture to another part."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from safelight.dataset.images import ImageSet, Part
from safelight.errors import PictureError

DIGITS = 16
"""Of an identity, by which bundles know what they were trained on."""
AT_ONCE = 256
"""Pictures that one thread hashes together."""
UNREADABLE = ""
"""The identity of a picture that cannot be read."""


def identities(images: ImageSet, workers: int = 1) -> list[str]:
    """SHA-256 of each picture's file, or of its pixels in an array; `UNREADABLE` for what cannot be read."""

    def identity(index: int) -> str:
        try:
            return images.identify(index)
        except PictureError:
            return UNREADABLE

    def some(start: int) -> list[str]:
        return [identity(k) for k in range(start, min(start + AT_ONCE, len(images)))]

    with ThreadPoolExecutor(max(1, workers)) as pool:
        return [each for few in pool.map(some, range(0, len(images), AT_ONCE)) for each in few]


def split(
    images: ImageSet, identities: Sequence[str], validation_share: float, test_share: float
) -> dict[Part, tuple[int, ...]]:
    """Positions by part, in the order of identities, so that the first of a part are a fair sample of it.

    Parts that the set names are kept. A part that it does not name is taken from the pictures to train on: each
    identity is read as a number in [0, 1). Below `test_share` the picture is for the test, from 1 - `validation_share`
    on it is for validation. For a picture of a group the number is that of the group's name, and for a variant that
    of its picture. Equal pictures are in one part, unless the set names other parts or groups for them.
    """
    own = {item.part for item in images.items}
    test_below = 0.0 if "test" in own else test_share
    validation_from = 1.0 if "validation" in own else 1 - validation_share
    place = {os.path.normpath(item.name): k for k, item in enumerate(images.items)}
    parts: dict[Part, list[int]] = {"train": [], "validation": [], "test": []}
    for position in sorted(range(len(images)), key=identities.__getitem__):
        if identities[position] == UNREADABLE:
            continue
        part = images.items[position].part or "train"
        if part == "train":
            number = int(_decisive(images, identities, place, position)[:8], 16) / 2**32
            part = "test" if number < test_below else "validation" if number >= validation_from else "train"
        parts[part].append(position)
    return {part: tuple(positions) for part, positions in parts.items()}


def _decisive(images: ImageSet, identities: Sequence[str], place: Mapping[str, int], position: int) -> str:
    """The hash that decides on a picture's part: its own, that of the picture that it was made of, or its group's."""
    name = images.items[position].variant_of
    original = position if name is None else place.get(name)
    if original is None or identities[original] == UNREADABLE:
        return _sha256(str(name))
    group = images.items[original].group
    return identities[original] if group is None else _sha256(group)


def _sha256(group: str) -> str:
    """Of a name in any characters, since names of files and lists have them."""
    return hashlib.sha256(group.encode("utf-8", "surrogatepass")).hexdigest()
