"""Which pictures a comparison trains on, which it tests on, and which it uses without labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from safelight import randomness
from safelight.dataset import Form, ImageSet, PixelTable, grouped, identities, open_set, split
from safelight.dataset.images import content_hash
from safelight.dataset.split import DIGITS, UNREADABLE
from safelight.downstream.arms import Bytes
from safelight.downstream.settings import VerdictSettings
from safelight.errors import UsageError, shown
from safelight.runtime.images.vae import Vae
from safelight.runtime.machine import cores

MOST_POOL = 5000
TEST_SHARE = 0.3
"""Of a set that names no parts and has no model that says how it was split."""
LISTED = 5
"""Names in a message, at most."""
FEW_SEEDS = 4
"""With fewer, an interval is so wide that it says little."""


@dataclass(frozen=True)
class Labelled:
    """Pictures in the comparison's form. Each has its identity, and a hash of its pixels."""

    pixels: Bytes
    labels: NDArray[np.int64]
    """Numbers of the classes; -1 for others and for none."""
    identities: tuple[str, ...]
    contents: tuple[str, ...]

    @property
    def hashes(self) -> set[str]:
        """Of both kinds."""
        return set(self.identities) | set(self.contents)

    @property
    def prefixes(self) -> set[int]:
        """Of the identities, as bundles have them."""
        return {int(identity[:DIGITS], 16) for identity in self.identities}

    def chosen(self, numbers: Sequence[int]) -> "Labelled":
        """Some of them."""
        own, contents = (tuple(all_of[k] for k in numbers) for all_of in (self.identities, self.contents))
        return Labelled(self.pixels[numbers], self.labels[numbers], own, contents)


class _Source(NamedTuple):
    """A set and the identities of its pictures."""

    images: ImageSet
    identities: list[str]


def _source(images: ImageSet) -> _Source:
    return _Source(images, identities(images, cores()))


def open_parts(settings: VerdictSettings, images: ImageSet, form: Form, vae: Vae | None) -> tuple[Labelled, Labelled]:
    """Pictures to draw labelled ones from, and pictures to test on. What is in both is for the test alone.

    Raises UsageError for a set that cannot be split so.
    """
    if len(images.classes) < 2:
        raise UsageError(f"{shown(settings.dataset)}: has {len(images.classes)} classes; a classifier needs two")
    pattern = settings.group_by or (vae.card.split.group_by if vae is not None else None)
    own = _source(grouped(images, pattern))
    share = vae.card.split.test_share if vae is not None else TEST_SHARE
    parts = split(images, own.identities, 0.0, 0.0 if settings.test is not None else share or TEST_SHARE)
    training = _opened(own, (*parts["train"], *parts["validation"]), form, settings.cache, classes=images.classes)
    tested, positions = own, parts["test"]
    if settings.test is not None:
        tested = _source(open_set(settings.test))
        named = [k for k, item in enumerate(tested.images.items) if item.part == "test"]
        positions = tuple(named or range(len(tested.images)))
    _check_labels(settings, images, tested.images, positions)
    test = _opened(tested, positions, form, settings.cache, classes=images.classes)
    missing = [label for k, label in enumerate(images.classes) if not (test.labels == k).any()]
    if missing:
        raise UsageError(
            f"a hash chose {len(test.labels)} pictures to test on, and none of '{missing[0]}'; put pictures to test on "
            "into a folder test/ beside train/, give --test SET, or take the class out"
            if settings.test is None
            else f"{shown(settings.test)}: has no picture of '{missing[0]}'; add some, or take the class out"
        )
    pairs = zip(training.identities, training.contents, strict=True)
    return training.chosen([k for k, hashes in enumerate(pairs) if not test.hashes & set(hashes)]), test


def open_pool(settings: VerdictSettings, form: Form, test: Labelled) -> Bytes | None:
    """Unlabelled pictures, a fair sample of at most `MOST_POOL`; none that is tested on. Raises UsageError."""
    if settings.unlabelled is None:
        return None
    source, tested = _source(open_set(settings.unlabelled)), test.hashes
    identity = source.identities
    untested = (k for k in range(len(identity)) if identity[k] not in {*tested, UNREADABLE})
    chosen = sorted(untested, key=identity.__getitem__)
    opened = _opened(source, chosen[: MOST_POOL + len(tested)], form, settings.cache)
    kept = [k for k, content in enumerate(opened.contents) if content not in tested][:MOST_POOL]
    if not kept:
        name = shown(settings.unlabelled)
        raise UsageError(f"{name}: holds no readable picture beside those to test on; give others")
    return opened.pixels[kept]


def check_honest(settings: VerdictSettings, vae: Vae | None, training: Labelled, test: Labelled) -> tuple[str, ...]:
    """What a reader must know of what was seen. Raises UsageError if the VAE saw the test, or labels that arms lack."""
    notes = []
    if settings.per_class is None:
        notes.append(
            "All seeds train on the same labelled pictures. With --per-class, each seed draws others, so that the "
            "interval holds for other pictures, too."
        )
    if settings.seeds < FEW_SEEDS:
        notes.append(f"{settings.seeds} seeds are too few to tell a small gain from chance: give --seeds 5.")
    if vae is None:
        return tuple(notes)
    tested = len(test.prefixes & vae.training_identities)
    if tested:
        raise UsageError(
            f"{vae.card.name} was trained on {tested} of the {len(test.identities)} test pictures; "
            "train it without them (data.test_share, or a set without them)"
        )
    more = len(vae.training_identities - training.prefixes)
    if vae.card.classes and more:
        raise UsageError(
            f"{vae.card.name} was trained with the labels of {more} pictures that the arms do not have; "
            "leave --per-class out, or train it with data.ignore_labels = true"
        )
    if not training.prefixes & vae.training_identities:
        notes.append("The VAE saw none of these files: whether it saw the same pictures in other files is not known.")
    if settings.per_class is not None or more:
        notes.append(
            f"The VAE was trained on {len(vae.training_identities)} pictures without their labels; the arms have fewer."
        )
    return tuple(notes)


def draw_labelled(
    settings: VerdictSettings, training: Labelled, classes: Sequence[str], seed: int
) -> NDArray[np.int64]:
    """So many of each class. Raises UsageError if a class has fewer."""
    drawn = []
    for number, label in enumerate(classes):
        members = np.flatnonzero(training.labels == number)
        if len(members) < (settings.per_class or 1):
            raise UsageError(f"class '{label}' has {len(members)} pictures to train on; add some, or lower --per-class")
        if settings.per_class is not None:
            rng = randomness.generator(seed, "labelled", number)
            members = np.sort(rng.choice(members, settings.per_class, replace=False))
        drawn.append(members)
    return np.concatenate(drawn)


def _opened(
    source: _Source, positions: Sequence[int], form: Form, cache: Path, classes: Sequence[str] = ()
) -> Labelled:
    """Those that can be read, in the order of their identities."""
    images, identity = source
    table = PixelTable(images, identity, form, cache, workers=cores())
    wanted = sorted((k for k in positions if identity[k] != UNREADABLE), key=identity.__getitem__)
    sound = [k for k, fine in zip(wanted, table.sound(wanted), strict=True) if fine] if wanted else []
    empty = np.zeros((0, form.height, form.width, form.channels), dtype=np.uint8)
    pixels = table.rows(sound).copy() if sound else empty
    number = {label: k for k, label in enumerate(classes)}
    labels = np.array([number.get(str(images.items[k].label), -1) for k in sound], dtype=np.int64)
    return Labelled(pixels, labels, tuple(identity[k] for k in sound), tuple(map(content_hash, pixels)))


def _check_labels(settings: VerdictSettings, images: ImageSet, tested: ImageSet, positions: Sequence[int]) -> None:
    """Raises UsageError for pictures without labels, and classes that cannot be learned."""
    bare = sum(item.label is None for item in images.items) + sum(tested.items[k].label is None for k in positions)
    if bare:
        raise UsageError(f"{bare} pictures to train or test on have no label; label them all")
    strange = sorted({str(tested.items[k].label) for k in positions} - set(images.classes))
    if strange:
        listed, name = ", ".join(strange[:LISTED]), shown(settings.test or settings.dataset)
        raise UsageError(f"{name}: has classes that {shown(settings.dataset)} does not: {listed}")
