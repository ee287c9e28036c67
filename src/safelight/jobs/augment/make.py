"""Variants of a set's pictures: drawn, applied, guarded, and drawn anew where the guard refuses."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from safelight.augmentation import Sample, VariantRecord, apply, draw
from safelight.augmentation.chain import in_bytes
from safelight.augmentation.sets import SetPicture
from safelight.dataset.form import fitted
from safelight.errors import PictureError
from safelight.jobs.augment.plan import VariantKey, VariantTask
from safelight.jobs.augment.prepare import Prepared
from safelight.picture.picture import Metadata


@dataclass(frozen=True)
class Variant:
    """What became of one task."""

    task: VariantTask
    sample: Sample | None = None
    """None if every draw was refused, or the picture cannot be read."""
    record: VariantRecord | None = None
    metadata: Metadata = field(default_factory=Metadata)
    refusals: tuple[str, ...] = ()
    """Why draws before it were refused."""
    failure: str | None = None
    """Why its picture cannot be read."""


def make_variants(prepared: Prepared, tasks: Sequence[VariantTask]) -> list[Variant]:
    """Each depends on the set, the recipe, the seed, and its own name and copy; not on what is made with it.

    A task that is replayed has its record already; the others draw one, until the guard lets it pass.
    """
    loaded, failures = _loaded(prepared, {task.key.picture for task in tasks})
    made = {task.key: Variant(task, failure=failures[n]) for task in tasks if (n := task.key.picture) in failures}
    left = [task for task in tasks if task.key.picture in loaded]
    refused: dict[VariantKey, tuple[str, ...]] = {task.key: () for task in left}
    for attempt in range(1 if prepared.guard is None else prepared.guard.settings.attempts):
        records = [_record(prepared, task, attempt) for task in left]
        samples = _applied(prepared, [loaded[task.key.picture].sample for task in left], records)
        again = []
        for task, record, sample, why in zip(left, records, samples, _refusals(prepared, samples), strict=True):
            if why is None:
                metadata = loaded[task.key.picture].metadata
                made[task.key] = Variant(task, sample, record, metadata=metadata, refusals=refused[task.key])
            else:
                refused[task.key] += (why,)
                again.append(task)
        left = again
    made |= {task.key: Variant(task, refusals=refused[task.key]) for task in left}
    return [made[task.key] for task in tasks]


def _loaded(prepared: Prepared, numbers: Iterable[int]) -> tuple[dict[int, SetPicture], dict[int, str]]:
    """Pictures, and why others cannot be read."""
    loaded, failures = {}, {}
    for number in numbers:
        try:
            loaded[number] = prepared.load(number)
        except PictureError as error:
            failures[number] = str(error)
    return loaded, failures


def _record(prepared: Prepared, task: VariantTask, attempt: int) -> VariantRecord:
    if task.replayed is not None:
        return task.replayed.record
    number, copy = task.key
    identity = (prepared.pictures.names[number], copy, attempt)
    label = prepared.pictures.label(number)
    return draw(prepared.recipe, prepared.request.seed, identity, label=label, bank=prepared.bank)


def _applied(prepared: Prepared, samples: Sequence[Sample], records: Sequence[VariantRecord]) -> list[Sample]:
    recipe = prepared.recipe
    return apply(samples, records, border=recipe.border, keep_visible=recipe.keep_visible, space=prepared.space)


def _refusals(prepared: Prepared, samples: Sequence[Sample]) -> list[str | None]:
    """Why the guard refuses each; None for what passes."""
    guard = prepared.guard
    if guard is None or not samples:
        return [None] * len(samples)
    pixels = np.stack([fitted(in_bytes(sample.image), guard.vae.form) for sample in samples])
    return guard.refusals(pixels, [str(sample.label) for sample in samples])
