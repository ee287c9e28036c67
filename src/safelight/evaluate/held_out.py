"""Which pictures of a set a model is measured on: those that it did not see."""

from pathlib import Path
from typing import NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from safelight.dataset import Part, PixelTable, identities, open_set, split
from safelight.dataset.split import DIGITS, UNREADABLE
from safelight.errors import UsageError
from safelight.runtime.images.vae import Vae
from safelight.runtime.machine import cores


class HeldOut(NamedTuple):
    """Pictures to measure on, and some that were trained on."""

    part: str
    pixels: NDArray[np.uint8]
    """(N, H, W, C)"""
    labels: NDArray[np.int64] | None
    """Numbers of the card's classes, for a conditional model."""
    training: NDArray[np.uint8] | None
    """None if the set has none of them."""
    trained_on: int
    """How many of `pixels` the model was trained on."""


def open_held_out(vae: Vae, data: Path, part: str, cache: Path, most: int, most_training: int) -> HeldOut:
    """Of a set, in the card's form: by the rule on the card for the set that it was trained on, all of another set.

    Of more than `most` a fair sample. Raises UsageError for an unknown or empty part, and for unknown classes.
    """
    if part not in ("auto", "all", *get_args(Part)):
        raise UsageError(f"--part {part}: use auto, all, {', '.join(get_args(Part))}")
    card, images = vae.card, open_set(data)
    known = identities(images, cores())
    order = sorted((k for k in range(len(images)) if known[k] != UNREADABLE), key=known.__getitem__)
    seen = [k for k in order if int(known[k][:DIGITS], 16) in vae.training_identities]
    parts = split(images, known, card.split.validation_share, card.split.test_share)
    if part == "auto":
        part = "all" if not seen else "test" if parts["test"] else "validation"
    chosen = order if part == "all" else seen if part == "train" else parts[part]  # type: ignore[index]
    table = PixelTable(images, known, vae.form, cache, card.binarise_seed, cores())
    sound = _sound(table, chosen[:most])
    if not sound:
        raise UsageError(f"{data}: no readable pictures in part '{part}'; choose another --part")
    training = _sound(table, seen[:most_training]) if part in ("validation", "test") else []
    labels = None
    if card.conditional:
        number = {label: k for k, label in enumerate(card.classes)}
        unknown = sorted({str(images.items[k].label) for k in sound} - number.keys())
        if unknown:
            raise UsageError(f"{data}: has classes that the model does not know: {', '.join(unknown[:5])}")
        labels = np.array([number[str(images.items[k].label)] for k in sound], dtype=np.int64)
    trained_on = len(set(sound) & set(seen))
    return HeldOut(part, table.rows(sound), labels, table.rows(training) if training else None, trained_on)


def _sound(table: PixelTable, positions: list[int] | tuple[int, ...]) -> list[int]:
    if not positions:
        return []
    return [k for k, sound in zip(positions, table.sound(positions), strict=True) if sound]
