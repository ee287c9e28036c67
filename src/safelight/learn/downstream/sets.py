"""Which pictures a comparison trains on, which it tests on, and which it may look at without labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from safelight import randomness
from safelight.augment import AugmentRecipe
from safelight.dataset import Form, ImageSet, PixelTable, identities, open_set, split
from safelight.dataset.split import DIGITS, UNREADABLE
from safelight.errors import UsageError
from safelight.learn.downstream.arms import Bytes
from safelight.runtime.machine import cores
from safelight.runtime.vae import Vae

MOST_POOL = 5000
TEST_SHARE = 0.3
"""Of a set that names no parts and has no model that says how it was split."""


@dataclass(frozen=True)
class DownstreamSettings:
    """One comparison."""

    dataset: Path
    recipe: AugmentRecipe
    model: str | None = None
    test: Path | None = None
    """A set of its own to test on."""
    unlabelled: Path | None = None
    per_class: int | None = None
    """Labelled pictures of each class, drawn anew for each seed; None for all that train."""
    seeds: int = 5
    first_seed: int = 0
    steps: int = 800
    copies: int = 16
    """Variants of each labelled picture."""
    arms: tuple[str, ...] = ()
    """Names of those that are trained; all if empty."""
    sweep: tuple[float, ...] = ()
    """Multiples of the recipe's latent noise that are tried, too."""
    cache: Path = Path(".cache/pixels")
    workers: int | None = None


@dataclass(frozen=True)
class Labelled:
    """Pictures of one size, with labels and identities."""

    pixels: Bytes
    labels: NDArray[np.int64]
    known: tuple[str, ...]


def open_parts(
    settings: DownstreamSettings, images: ImageSet, form: Form, vae: Vae | None
) -> tuple[Labelled, Labelled]:
    """Pictures to draw labelled ones from, and those to test on."""
    bare = sum(item.label is None for item in images.items)
    if bare or len(images.classes) < 2:
        raise UsageError(
            f"{settings.dataset}: {bare} pictures have no label, {len(images.classes)} classes; label them all"
        )
    known = identities(images, cores())
    share = vae.card.split.test_share if vae is not None else TEST_SHARE
    own = settings.test is not None
    parts = split(images, known, 0.0, 0.0 if own else share or TEST_SHARE)
    training = _opened(images, known, (*parts["train"], *parts["validation"]), form, settings.cache, images.classes)
    if settings.test is not None:
        others = open_set(settings.test)
        strange = sorted(set(others.classes) - set(images.classes))
        if strange:
            raise UsageError(f"{settings.test}: has classes that {settings.dataset} does not: {', '.join(strange[:5])}")
        of_others = identities(others, cores())
        test = _opened(others, of_others, range(len(others)), form, settings.cache, images.classes)
    else:
        test = _opened(images, known, parts["test"], form, settings.cache, images.classes)
    twice = set(training.known) & set(test.known)
    if twice:
        raise UsageError(f"{len(twice)} test pictures are among those to train on; take them out of one")
    if len(test.labels) < 2 * len(images.classes):
        raise UsageError(f"{len(test.labels)} pictures to test on are too few; give --test SET")
    return training, test


def _opened(
    images: ImageSet, known: Sequence[str], positions: Sequence[int], form: Form, cache: Path, classes: Sequence[str]
) -> Labelled:
    table = PixelTable(images, known, form, cache, workers=cores())
    wanted = sorted((k for k in positions if known[k] != UNREADABLE), key=known.__getitem__)
    sound = [k for k, fine in zip(wanted, table.sound(wanted), strict=True) if fine] if wanted else []
    number = {name: k for k, name in enumerate(classes)}
    labels = np.array([number.get(str(images.items[k].label), -1) for k in sound], dtype=np.int64)
    pixels = (
        table.rows(sound).copy() if sound else np.zeros((0, form.height, form.width, form.channels), dtype=np.uint8)
    )
    return Labelled(pixels, labels, tuple(known[k] for k in sound))


def open_pool(settings: DownstreamSettings, form: Form, test: Labelled) -> Bytes | None:
    """Unlabelled pictures, a fair sample of at most `MOST_POOL`; none that is tested on."""
    if settings.unlabelled is None:
        return None
    images = open_set(settings.unlabelled)
    known = identities(images, cores())
    tested = set(test.known)
    chosen = sorted((k for k in range(len(images)) if known[k] not in tested), key=known.__getitem__)[:MOST_POOL]
    pool = _opened(images, known, chosen, form, settings.cache, ()).pixels
    if not len(pool):
        raise UsageError(f"{settings.unlabelled}: holds no readable picture beside those to test on; give others")
    return pool


def check_honest(settings: DownstreamSettings, vae: Vae | None, training: Labelled, test: Labelled) -> tuple[str, ...]:
    """What a reader must know of what the VAE has seen. Raises UsageError if that is the test."""
    if vae is None:
        return ()
    tested = len({int(known[:DIGITS], 16) for known in test.known} & vae.seen)
    if tested:
        raise UsageError(
            f"{vae.card.name} was trained on {tested} of the {len(test.known)} test pictures; train it without them "
            "(data.test_share, or a set without them)"
        )
    notes = []
    if settings.per_class is not None:
        notes.append(f"The VAE was trained on {len(vae.seen)} pictures without their labels; the arms have few labels.")
    return tuple(notes)


def draw_labelled(settings: DownstreamSettings, training: Labelled, classes: int, seed: int) -> NDArray[np.int64]:
    """So many of each class. Raises UsageError if a class has fewer."""
    if settings.per_class is None:
        return np.arange(len(training.labels))
    found = []
    for number in range(classes):
        members = np.flatnonzero(training.labels == number)
        if len(members) < settings.per_class:
            raise UsageError(
                f"a class has {len(members)} pictures to train on; use --per-class {len(members)} or fewer"
            )
        rng = randomness.generator(seed, "labelled", number)
        found.append(np.sort(rng.choice(members, settings.per_class, replace=False)))
    return np.concatenate(found)
