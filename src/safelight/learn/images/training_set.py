"""A set of pictures, hashed, split and checked before it is trained on."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from safelight.dataset import Form, ImageSet, Part, PixelTable, choose_form, identities, split
from safelight.dataset.split import UNREADABLE
from safelight.errors import UsageError
from safelight.learn.images.data import Subset
from safelight.learn.images.recipe import ImagesRecipe
from safelight.learn.settings import TrainSettings
from safelight.runtime.machine import cores
from safelight.work import json_sha256

LISTED = 5
"""Names in a message, at most."""


class TrainingSet(NamedTuple):
    """A set, ready to be trained on."""

    form: Form
    classes: tuple[str, ...]
    labels: NDArray[np.int64] | None
    """Of every picture, if all have one."""
    parts: dict[Part, Subset]

    @property
    def fingerprint(self) -> str:
        """A hash of which picture is in which part, in which order, with which label."""
        positions = [(part, subset.positions.tolist()) for part, subset in self.parts.items()]
        labels = None if self.labels is None else self.labels.tolist()
        return json_sha256([positions, labels, self.classes])[:16]

    @property
    def known_classes(self) -> int:
        """How many classes there are; 0 if there is one only, or a picture without a label."""
        return len(self.classes) if self.labels is not None and len(self.classes) > 1 else 0

    def missed_classes(self, part: Part) -> list[str]:
        """Those that a part has no picture of, where all pictures have labels."""
        if self.labels is None:
            return []
        seen = {*self.labels[self.parts[part].positions].tolist()}
        return [label for number, label in enumerate(self.classes) if number not in seen]

    @property
    def train(self) -> Subset:
        """What is trained on."""
        return self.parts["train"]


def open_training_set(images: ImageSet, recipe: ImagesRecipe, settings: TrainSettings) -> TrainingSet:
    """Hash, split and check a set; nothing but a few pictures is decoded yet. Raises UsageError."""
    data = recipe.data
    form = choose_form(images, data.size_px, data.channels, data.fit)
    identity = identities(images, cores())
    parts = split(images, identity, data.validation_share, data.test_share)
    if not parts["train"] or not parts["validation"]:
        different = len(set(identity) - {UNREADABLE})
        raise UsageError(
            f"{len(images)} pictures ({different} without copies) give {len(parts['train'])} to train on, "
            f"{len(parts['validation'])} to validate; each needs one: "
            + ("add pictures that differ" if different < 3 else "add pictures or change data.validation_share")
        )
    if recipe.model.conditional:
        _check_classes(images, parts["train"])
    number = {label: k for k, label in enumerate(images.classes)}
    known_labels = [number[item.label] for item in images.items if item.label is not None]
    labels = np.array(known_labels, dtype=np.int64) if len(known_labels) == len(images) else None
    table = PixelTable(
        images,
        identity,
        form,
        settings.cache,
        binarise_seed=data.binarise_seed,
        workers=settings.workers or cores(),
    )
    given = labels if recipe.model.conditional else None
    subsets: dict[Part, Subset] = {p: Subset(table, np.array(k, dtype=np.int64), given) for p, k in parts.items()}
    return TrainingSet(form, images.classes, labels, subsets)


def _check_classes(images: ImageSet, training: Sequence[int]) -> None:
    """Raises UsageError for what cannot teach a model about classes."""
    counts = Counter(item.label for item in images.items)
    mend = "or set model.conditional = false"
    if counts[None]:
        raise UsageError(f"{counts[None]} pictures have no label, and the model is conditional; label them {mend}")
    if len(counts) == 1:
        raise UsageError(f"all pictures are of one class, '{next(iter(counts))}'; add another {mend}")
    known = {images.items[k].label for k in training}
    rare = [str(label) for label, count in counts.items() if count == 1 or label not in known]
    if rare:
        named = ", ".join(rare[:LISTED])
        raise UsageError(f"classes of a single picture, or of none to train on: {named}; add pictures {mend}")
