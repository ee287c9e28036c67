"""Which files go along, and which copies of which pictures are made: drawn by the recipe, or read from a manifest."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from safelight.augmentation.sets import Original
from safelight.errors import PictureError, UsageError, shown
from safelight.jobs.augment.prepare import Prepared
from safelight.jobs.augment.replay import Replay, ReplayedVariant
from safelight.picture import READABLE, read
from safelight.picture.read import DAMAGED
from safelight.runtime.machine import cores
from safelight.work import MANIFEST


class VariantKey(NamedTuple):
    """Which variant."""

    picture: int
    """Its number in the set."""
    copy: int
    """From 1."""


class VariantTask(NamedTuple):
    """One variant to make."""

    key: VariantKey
    replayed: ReplayedVariant | None = None
    """What a manifest says of it; None for drawing it."""


class Plan(NamedTuple):
    """All that the output folder will hold."""

    originals: Sequence[Original]
    variants: list[VariantTask]
    unreadable: Sequence[str] = ()
    """Why each original is left out that is no picture."""


def make_plan(prepared: Prepared, folder: Path, replay: Replay | None) -> Plan:
    """Raises UsageError for results with one name or outside the folder, and for a folder that is the set's own."""
    originals, unreadable = _readable(prepared.pictures.originals() if prepared.request.originals else ())
    variants = drawn_tasks(prepared) if replay is None else replayed_tasks(prepared, replay)
    plan = Plan(originals, variants, unreadable)
    _check_outputs(prepared, plan, folder)
    return plan


def drawn_tasks(prepared: Prepared) -> list[VariantTask]:
    """Equally many copies of each picture, or with `balance` as many as make classes equally large.

    Raises UsageError for `balance` without classes.
    """
    request, pictures = prepared.request, prepared.pictures
    numbers = range(len(pictures.names))
    if not request.balance:
        return [VariantTask(VariantKey(k, copy)) for k in numbers for copy in range(1, request.copies + 1)]
    if pictures.images is None:
        raise UsageError(f"{shown(request.dataset)}: --balance is for sets with one label for each picture")
    classes = by_class(prepared)
    target = max(map(len, classes)) * (1 + request.copies)
    keys = []
    for members in classes:
        missing = target - (len(members) if request.originals else 0)
        keys += [VariantKey(members[k % len(members)], 1 + k // len(members)) for k in range(missing)]
    return [VariantTask(key) for key in sorted(keys)]


def by_class(prepared: Prepared) -> list[list[int]]:
    """Numbers of the pictures of each class; all pictures together where there are no classes."""
    classes: dict[str | None, list[int]] = {}
    for number in range(len(prepared.pictures.names)):
        classes.setdefault(prepared.pictures.label(number), []).append(number)
    return list(classes.values())


def replayed_tasks(prepared: Prepared, replay: Replay) -> list[VariantTask]:
    """The variants that a manifest tells of. Raises UsageError for a manifest of another set."""
    number = {name: k for k, name in enumerate(prepared.pictures.names)}
    unknown = next((variant.source for variant in replay.variants if variant.source not in number), None)
    if unknown is not None:
        name = shown(prepared.request.dataset)
        raise UsageError(f"{name}: has no '{unknown}', which the manifest names; give its own set")
    return [VariantTask(VariantKey(number[one.source], one.copy), one) for one in replay.variants]


def _check_outputs(prepared: Prepared, plan: Plan, folder: Path) -> None:
    request, pictures = prepared.request, prepared.pictures
    inner, source = folder.resolve(), request.dataset.resolve()
    if inner == source or (source.is_dir() and source in inner.parents):
        raise UsageError(f"{folder}: is inside the set; choose another -o")
    names = [original.output for original in plan.originals]
    names += [pictures.variant_output(*task.key, request.suffix) for task in plan.variants]
    for name in names:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise UsageError(f"{shown(name)}: leads out of the set's folder; move the picture into it")
    twice = next((name for name, count in Counter([*names, MANIFEST]).items() if count > 1), None)
    if twice is not None:
        one, other = _sources(prepared, plan, twice)[:2]
        if one == other:
            raise UsageError(f"{shown(one)}: is listed twice; remove one of its lines")
        raise UsageError(f"{shown(one)} and {shown(other)} would both be {shown(twice)}; rename or remove one of them")


def _sources(prepared: Prepared, plan: Plan, output: str) -> list[str]:
    """What would be written to one name."""
    pictures, suffix = prepared.pictures, prepared.request.suffix
    originals = [original for original in plan.originals if original.output == output]
    keys = [task.key for task in plan.variants if pictures.variant_output(*task.key, suffix) == output]
    sources = [
        str(one.content) if isinstance(one.content, Path) else f"picture {one.source or one.output}"
        for one in originals
    ]
    sources += [f"variant {key.copy} of {pictures.names[key.picture]}" for key in keys]
    return [*sources, *(["the manifest"] if output == MANIFEST else [])]


def _readable(originals: Sequence[Original]) -> tuple[list[Original], list[str]]:
    """Those that can be read as a whole, and what lies beside them; and why the others stay out."""
    with ThreadPoolExecutor(cores()) as pool:
        reasons = dict(zip((original.output for original in originals), pool.map(_damage, originals), strict=True))
    damaged = {original.output for original in originals if reasons[original.output]}
    out = damaged | {original.of for original in originals if original.output in damaged}
    kept = [original for original in originals if original.output not in out and original.of not in out - {None}]
    return kept, [reason for reason in reasons.values() if reason is not None]


def _damage(original: Original) -> str | None:
    """Why a picture, or a mask beside one, cannot be read as a whole."""
    path = original.content
    if not isinstance(path, Path) or path.suffix.lower() not in READABLE:
        return None
    try:
        return f"{shown(path)}: {DAMAGED}" if DAMAGED in read(path).warnings else None
    except PictureError as error:
        return str(error)
