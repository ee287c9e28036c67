"""Which pictures of a set a model is measured on: those that it did not see."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from safelight.dataset import ImageSet, PixelTable, grouped, identities, open_set, split
from safelight.dataset.split import DIGITS, UNREADABLE
from safelight.errors import UsageError
from safelight.runtime.images.vae import Vae
from safelight.runtime.machine import cores

PartChoice = Literal["auto", "test", "validation", "train", "all"]
LISTED = 5
"""Names in a message, at most."""


class HeldOut(NamedTuple):
    """Pictures to measure on, and some that were trained on."""

    part: str
    pixels: NDArray[np.uint8]
    """(N, H, W, C)"""
    labels: NDArray[np.int64] | None
    """Numbers of the card's classes, if all pictures are of them."""
    training: NDArray[np.uint8] | None
    """None if the set has none of them."""
    trained_on: int
    """How many of `pixels` the model was trained on."""
    names: tuple[str, ...] = ()
    """Of `pixels`, in the set."""

    def labels_for(self, vae: Vae) -> NDArray[np.int64] | None:
        """What the model is given with the pictures."""
        return self.labels if vae.card.conditional else None


def open_held_out(vae: Vae, data: Path, *, part: PartChoice, cache: Path, most: int, most_training: int) -> HeldOut:
    """Pictures of a set, in the card's form: at most `most`, a fair sample of them.

    `part` "auto" is the test part of the set that the model was trained on, by the rule on the card. If that part is
    empty, it is the validation part. Of another set it is all pictures.
    Raises UsageError for an empty part and for classes that the model does not know.
    """
    card = vae.card
    images = _in_groups(open_set(data), card.split.group_by)
    identity = identities(images, cores())
    order = sorted((k for k in range(len(images)) if identity[k] != UNREADABLE), key=identity.__getitem__)
    seen = [k for k in order if int(identity[k][:DIGITS], 16) in vae.training_identities]
    parts = split(images, identity, card.split.validation_share, card.split.test_share)
    if part == "auto":
        part = "all" if not seen else "test" if parts["test"] else "validation"
    chosen: Sequence[int] = order if part == "all" else seen if part == "train" else parts[part]
    table = PixelTable(images, identity, vae.form, cache, binarise_seed=card.binarise_seed, workers=cores())
    sound = _sound(table, chosen[:most])
    if not sound:
        raise UsageError(f"{data}: no readable pictures in part '{part}'; choose another --part")
    training = _sound(table, seen[:most_training]) if part in ("validation", "test") else []
    return HeldOut(
        part=part,
        pixels=table.rows(sound),
        labels=_labels(images, sound, card.classes, data if card.conditional else None),
        training=table.rows(training) if training else None,
        trained_on=len(set(sound) & set(seen)),
        names=tuple(images.items[k].name for k in sound),
    )


def _in_groups(images: ImageSet, pattern: str | None) -> ImageSet:
    """As they were for the training; another set need not have such names."""
    try:
        return grouped(images, pattern)
    except UsageError:
        return images


def _sound(table: PixelTable, positions: Sequence[int]) -> list[int]:
    """Those that can be read."""
    if not positions:
        return []
    return [k for k, sound in zip(positions, table.sound(positions), strict=True) if sound]


def _labels(
    images: ImageSet, positions: Sequence[int], classes: Sequence[str], needed_of: Path | None
) -> NDArray[np.int64] | None:
    """As numbers of `classes`; None if one is none of them. Raises UsageError then if they are needed of a set."""
    number = {label: k for k, label in enumerate(classes)}
    unknown = sorted({str(images.items[k].label) for k in positions} - number.keys())
    if unknown and needed_of is None:
        return None
    if unknown:
        raise UsageError(f"{needed_of}: has classes that the model does not know: {', '.join(unknown[:LISTED])}")
    return np.array([number[str(images.items[k].label)] for k in positions], dtype=np.int64)
