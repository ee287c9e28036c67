"""A contact sheet instead of a set: pictures on the left, variants beside them, and under each what was done."""

import itertools
import textwrap
from dataclasses import replace

from safelight.augmentation import Sample, VariantRecord
from safelight.augmentation.sheet import Sheet, cell, joined, stacked
from safelight.errors import OutputError, UsageError
from safelight.jobs.augment.make import Variant, make_variants
from safelight.jobs.augment.plan import VariantTask, by_class, drawn_tasks
from safelight.jobs.augment.prepare import Prepared, prepare
from safelight.jobs.augment.replay import read_replay
from safelight.jobs.augment.request import request_of
from safelight.jobs.augment.settings import AugmentSettings
from safelight.picture import Picture, write
from safelight.picture.xmp import Provenance
from safelight.work import OnProgress, Progress, mirrored, silent

MARK = b"contact sheet of variants"
ROWS, COLUMNS = 6, 6
NO_BREAK = "\N{NO-BREAK SPACE}"
LINE_LENGTH = 28
"""Letters of a line below a cell."""


def preview(settings: AugmentSettings, on_progress: OnProgress = silent) -> int:
    """Write variants of a few pictures, evenly spread over the set, to `settings.preview`; returns how many.

    Raises OutputError, and UsageError, RecipeError and BundleError as `augment` does.
    """
    if settings.preview is None:
        raise UsageError("a contact sheet needs a file to be written to; give --preview SHEET.png")
    path = settings.preview
    if path.exists() and MARK not in path.read_bytes():
        raise OutputError(f"{path}: is there, and no contact sheet; choose another --preview")
    replay = None if settings.replay is None else read_replay(settings.replay)
    mirrored(settings.dataset, on_progress)
    on_progress(Progress(0, 0, "reading the set"))
    prepared = prepare(replace(request_of(settings, replay), is_guarded=True))
    rows = {number: list[VariantTask]() for number in _spread(prepared)}
    for task in drawn_tasks(prepared):
        row = rows.get(task.key.picture)
        if row is not None and len(row) < COLUMNS - 1:
            row.append(task)
    path.parent.mkdir(parents=True, exist_ok=True)
    done: list[Sheet] = []
    for number, tasks in rows.items():
        on_progress(Progress(len(done), len(rows), "rows"))
        done.append(_row(prepared, number, tasks))
    pixels = stacked(done)
    write(Picture(pixels), path, provenance=Provenance({"Kind": MARK.decode()}))
    return sum(map(len, rows.values()))


def _spread(prepared: Prepared) -> list[int]:
    """Numbers of a few pictures: of every class in turn, if there are labels."""
    in_turn = itertools.zip_longest(*by_class(prepared))
    return [number for numbers in in_turn for number in numbers if number is not None][:ROWS]


def _row(prepared: Prepared, number: int, tasks: list[VariantTask]) -> Sheet:
    """A picture and its variants."""
    label, name = prepared.pictures.label(number), prepared.pictures.names[number]
    original = cell(prepared.load(number).sample, [name, *([f"class {label}"] if label else [])])
    return joined([original, *map(_variant_cell, make_variants(prepared, tasks))])


def _variant_cell(variant: Variant) -> Sheet:
    if variant.sample is None or variant.record is None:
        if variant.failure is not None:
            return cell(None, ["failed:", *textwrap.wrap(variant.failure, LINE_LENGTH)])
        return cell(None, ["left out:", *dict.fromkeys(variant.refusals)])
    return cell(variant.sample, _words(variant.record, variant.sample))


def _words(record: VariantRecord, sample: Sample) -> list[str]:
    """The operations with their numbers, each in lines of its own; several numbers have names."""
    lines = []
    for step in record.steps:
        numbers = [f"{round(value, 2) + 0.0:g}" for value in step.numbers.values()]
        if len(numbers) > 1:
            numbers = [f"{name}{NO_BREAK}{number}" for name, number in zip(step.numbers, numbers, strict=True)]
        wrapped = textwrap.wrap(f"{step.op} {', '.join(numbers)}".strip(), LINE_LENGTH, subsequent_indent=" ")
        lines += [line.replace(NO_BREAK, " ") for line in wrapped]
    lines += [" ".join(f"{name} {share:.2f}" for name, share in sample.soft_label.items())] if sample.soft_label else []
    return lines or ["as it is"]
