"""Which pictures a comparison trains on, which it tests on, and which it may look at without labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from safelight import randomness
from safelight.augment import AugmentRecipe
from safelight.dataset import Form, ImageSet, PixelTable, identities, open_set, split
from safelight.dataset.images import content_hash
from safelight.dataset.split import DIGITS, UNREADABLE
from safelight.downstream.arms import Bytes
from safelight.errors import UsageError
from safelight.runtime.images.vae import Vae
from safelight.runtime.machine import cores

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
    """Pictures of one size, with labels and two identities of each: of its file, and of its pixels."""

    pixels: Bytes
    labels: NDArray[np.int64]
    """Numbers of the classes; -1 for others and for none."""
    known: tuple[str, ...]
    contents: tuple[str, ...]

    def chosen(self, numbers: Sequence[int]) -> "Labelled":
        """Some of them."""
        known, contents = (tuple(all_of[k] for k in numbers) for all_of in (self.known, self.contents))
        return Labelled(self.pixels[numbers], self.labels[numbers], known, contents)


def open_parts(
    settings: DownstreamSettings, images: ImageSet, form: Form, vae: Vae | None
) -> tuple[Labelled, Labelled]:
    """Pictures to draw labelled ones from, and those to test on: what is both is for the test alone."""
    if len(images.classes) < 2:
        raise UsageError(f"{settings.dataset}: has {len(images.classes)} classes; a classifier needs two")
    known = identities(images, cores())
    share = vae.card.split.test_share if vae is not None else TEST_SHARE
    own = settings.test is not None
    parts = split(images, known, 0.0, 0.0 if own else share or TEST_SHARE)
    training = _opened(images, known, (*parts["train"], *parts["validation"]), form, settings, images.classes)
    others, of_others, positions = images, known, parts["test"]
    if settings.test is not None:
        others = open_set(settings.test)
        of_others = identities(others, cores())
        named = [k for k, item in enumerate(others.items) if item.part == "test"]
        positions = tuple(named or range(len(others)))
    _check_labels(settings, images, others, positions)
    test = _opened(others, of_others, positions, form, settings, images.classes)
    missing = [label for k, label in enumerate(images.classes) if not (test.labels == k).any()]
    if missing:
        raise UsageError(f"there is no picture of '{missing[0]}' to test on; give --test SET, or take the class out")
    tested = set(test.known) | set(test.contents)
    kept = [k for k, two in enumerate(zip(training.known, training.contents, strict=True)) if not tested & set(two)]
    return training.chosen(kept), test


def open_pool(settings: DownstreamSettings, form: Form, test: Labelled) -> Bytes | None:
    """Unlabelled pictures, a fair sample of at most `MOST_POOL`; none that is tested on."""
    if settings.unlabelled is None:
        return None
    images = open_set(settings.unlabelled)
    known = identities(images, cores())
    tested = set(test.known) | set(test.contents)
    chosen = sorted((k for k in range(len(images)) if known[k] not in {*tested, UNREADABLE}), key=known.__getitem__)
    found = _opened(images, known, chosen[: MOST_POOL + len(tested)], form, settings)
    kept = [k for k, content in enumerate(found.contents) if content not in tested][:MOST_POOL]
    if not kept:
        raise UsageError(f"{settings.unlabelled}: holds no readable picture beside those to test on; give others")
    return found.pixels[kept]


def check_honest(settings: DownstreamSettings, vae: Vae | None, training: Labelled, test: Labelled) -> tuple[str, ...]:
    """What a reader must know of what was seen. Raises UsageError if the VAE saw the test, or labels that arms lack."""
    notes = []
    if settings.per_class is None:
        notes.append("All seeds have the same labelled pictures: --per-class would draw others for each.")
    if vae is None:
        return tuple(notes)
    of_test, of_training = ({int(known[:DIGITS], 16) for known in some.known} for some in (test, training))
    tested = len(of_test & vae.training_identities)
    if tested:
        raise UsageError(
            f"{vae.card.name} was trained on {tested} of the {len(test.known)} test pictures; train it without them "
            "(data.test_share, or a set without them)"
        )
    more = len(vae.training_identities - of_training)
    if vae.card.classes and more:
        raise UsageError(
            f"{vae.card.name} was trained with the labels of {more} pictures that the arms do not have; "
            "train it with data.ignore_labels = true"
        )
    if not of_training & vae.training_identities:
        notes.append("The VAE saw none of these files: whether it saw the same pictures in other files is not known.")
    if settings.per_class is not None or more:
        notes.append(
            f"The VAE was trained on {len(vae.training_identities)} pictures without their labels; the arms have fewer."
        )
    return tuple(notes)


def draw_labelled(
    settings: DownstreamSettings, training: Labelled, classes: Sequence[str], seed: int
) -> NDArray[np.int64]:
    """So many of each class. Raises UsageError if a class has fewer."""
    found = []
    for number, label in enumerate(classes):
        members = np.flatnonzero(training.labels == number)
        if len(members) < (settings.per_class or 1):
            raise UsageError(f"class '{label}' has {len(members)} pictures to train on; add some, or lower --per-class")
        if settings.per_class is not None:
            rng = randomness.generator(seed, "labelled", number)
            members = np.sort(rng.choice(members, settings.per_class, replace=False))
        found.append(members)
    return np.concatenate(found)


def _opened(
    images: ImageSet,
    known: Sequence[str],
    positions: Sequence[int],
    form: Form,
    settings: DownstreamSettings,
    classes: Sequence[str] = (),
) -> Labelled:
    table = PixelTable(images, known, form, settings.cache, workers=cores())
    wanted = sorted((k for k in positions if known[k] != UNREADABLE), key=known.__getitem__)
    sound = [k for k, fine in zip(wanted, table.sound(wanted), strict=True) if fine] if wanted else []
    empty = np.zeros((0, form.height, form.width, form.channels), dtype=np.uint8)
    pixels = table.rows(sound).copy() if sound else empty
    number = {label: k for k, label in enumerate(classes)}
    labels = np.array([number.get(str(images.items[k].label), -1) for k in sound], dtype=np.int64)
    return Labelled(pixels, labels, tuple(known[k] for k in sound), tuple(map(content_hash, pixels)))


def _check_labels(settings: DownstreamSettings, images: ImageSet, others: ImageSet, positions: Sequence[int]) -> None:
    """Raises UsageError for pictures without labels, and classes that cannot be learned."""
    bare = sum(item.label is None for item in images.items) + sum(others.items[k].label is None for k in positions)
    if bare:
        raise UsageError(f"{bare} pictures to train or test on have no label; label them all")
    strange = sorted({str(others.items[k].label) for k in positions} - set(images.classes))
    if strange:
        raise UsageError(f"{settings.test}: has classes that {settings.dataset} does not: {', '.join(strange[:5])}")
