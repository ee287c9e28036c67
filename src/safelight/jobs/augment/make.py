"""Variants of a set's pictures: drawn, applied, guarded, and drawn anew where the guard refuses."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from safelight.augmentation import Sample, VariantRecord, apply, draw
from safelight.augmentation.chain import in_bytes
from safelight.augmentation.sets import SetPicture
from safelight.dataset.form import fitted
from safelight.errors import PictureError, UsageError
from safelight.jobs.augment.plan import VariantKey, VariantTask
from safelight.jobs.augment.prepare import Prepared
from safelight.picture.picture import Metadata


@dataclass(frozen=True)
class Variant:
    """What became of one task."""

    task: VariantTask
    sample: Sample | None = None
    """None if every draw was refused, or it failed."""
    record: VariantRecord | None = None
    metadata: Metadata = field(default_factory=Metadata)
    warnings: tuple[str, ...] = ()
    """What it does not keep of its picture."""
    refusals: tuple[str, ...] = ()
    """Why draws before it were refused."""
    failure: str | None = None
    """Why its picture cannot be read, or an operation cannot take it."""


def make_variants(prepared: Prepared, tasks: Sequence[VariantTask]) -> list[Variant]:
    """Each depends on the set, the recipe, the seed, and its own name and copy; not on what is made with it.

    A task that is replayed has its record already; the others draw one, until the guard lets it pass. What goes wrong
    with one is its failure. Raises UsageError for a recipe that cannot be drawn from.
    """
    loaded, failures = _loaded(prepared, {task.key.picture for task in tasks})
    made = {task.key: Variant(task, failure=failures[n]) for task in tasks if (n := task.key.picture) in failures}
    left = [task for task in tasks if task.key.picture in loaded]
    refused: dict[VariantKey, tuple[str, ...]] = {task.key: () for task in left}
    for attempt in range(1 if prepared.guard is None else prepared.guard.settings.attempts):
        records = [_record(prepared, task, attempt) for task in left]
        samples = _applied(prepared, [loaded[task.key.picture].sample for task in left], records)
        refusals = _refusals(prepared, samples)
        again = []
        for task, record, sample, why in zip(left, records, samples, refusals, strict=True):
            if isinstance(sample, _Failure):
                failure = f"{prepared.pictures.names[task.key.picture]}: {sample.why}"
                made[task.key] = Variant(task, refusals=refused[task.key], failure=failure)
            elif why is None:
                _, metadata, told = loaded[task.key.picture]
                made[task.key] = Variant(
                    task, sample, record, metadata=metadata, warnings=told, refusals=refused[task.key]
                )
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


class _Failure(NamedTuple):
    """In place of a sample."""

    why: str


def _applied(
    prepared: Prepared, samples: Sequence[Sample], records: Sequence[VariantRecord]
) -> list[Sample | _Failure]:
    """All together; or one by one where one fails, so that the others are made."""
    recipe = prepared.recipe
    try:
        return [*apply(samples, records, border=recipe.border, keep_visible=recipe.keep_visible, space=prepared.space)]
    except (PictureError, UsageError) as error:
        if len(samples) == 1:
            return [_Failure(str(error))]
    return [
        one for sample, record in zip(samples, records, strict=True) for one in _applied(prepared, [sample], [record])
    ]


def _refusals(prepared: Prepared, samples: Sequence[Sample | _Failure]) -> list[str | None]:
    """Why the guard refuses each; None for what passes, and for what failed."""
    guard = prepared.guard
    sound = [sample for sample in samples if isinstance(sample, Sample)]
    if guard is None or not sound:
        return [None] * len(samples)
    pixels = np.stack([fitted(in_bytes(sample.image), guard.vae.form) for sample in sound])
    refusals = iter(guard.refusals(pixels, [str(sample.label) for sample in sound]))
    return [next(refusals) if isinstance(sample, Sample) else None for sample in samples]
