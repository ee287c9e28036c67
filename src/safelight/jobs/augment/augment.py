"""The verb: a whole set, augmented into a folder. Its manifest says what was made of what, and what is done."""

from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from safelight.augmentation import Bank
from safelight.errors import UsageError
from safelight.jobs.augment.make import make_variants
from safelight.jobs.augment.plan import VariantTask, make_plan
from safelight.jobs.augment.prepare import Prepared, prepare
from safelight.jobs.augment.replay import read_replay
from safelight.jobs.augment.request import Request, request_of
from safelight.jobs.augment.results import Results
from safelight.jobs.augment.settings import AugmentReport, AugmentSettings
from safelight.jobs.augment.write import Written, copy_original, picture_of, write_variant
from safelight.work import Line, OnProgress, Processes, Progress, silent

AT_ONCE = 64
"""Variants that a worker makes together."""


def augment(settings: AugmentSettings, on_progress: OnProgress = silent) -> AugmentReport:
    """Write a set of pictures with variants of them, and with their labels, to `settings.output`.

    The same call goes on with what was interrupted: what is finished stays, and is not made again. Raises UsageError,
    RecipeError and BundleError before anything is written, and OutputError.
    """
    if settings.output is None:
        raise UsageError("a set needs a folder to be written to; give -o, or call preview for a contact sheet")
    replay = None if settings.replay is None else read_replay(settings.replay)
    on_progress(Progress(0, 0, "reading the set"))
    prepared = prepare(request_of(settings, replay))
    plan = make_plan(prepared, settings.output, replay)
    results = Results.begin(prepared, plan, settings.output)
    _write_originals(results, on_progress)
    before = _write_variants(results, settings.workers, on_progress)
    return _report(results.finish(), prepared, before)


def _write_originals(results: Results, on_progress: OnProgress) -> None:
    originals = results.plan.originals
    for done, original in enumerate(originals):
        on_progress(Progress(done, len(originals), "originals"))
        if not results.has_original(original):
            results.add(copy_original(original, results.folder))


def _write_variants(results: Results, workers: int, on_progress: OnProgress) -> int:
    """Returns how many were there before."""
    left = [task for task in results.plan.variants if not results.has_variant(task)]
    total = len(results.plan.variants)
    before = done = total - len(left)
    on_progress(Progress(done, total, "variants"))
    with closing(_made(results.prepared, left, results.folder, workers)) as chunks:
        for written in chunks:
            for one in written:
                results.add(one)
            done += len(written)
            on_progress(Progress(done, total, "variants"))
    return before


def _made(prepared: Prepared, tasks: Sequence[VariantTask], folder: Path, workers: int) -> Generator[list[Written]]:
    """Chunk by chunk, here or in other processes."""
    chunks = [tasks[k : k + AT_ONCE] for k in range(0, len(tasks), AT_ONCE)]
    if workers == 1 or len(chunks) < 2:
        yield from map(partial(_written, prepared, folder), chunks)
    else:
        engine = Processes(workers, _open_worker, (prepared.request, prepared.bank, folder))
        yield from engine.map(_written_by_worker, chunks)


def _written(prepared: Prepared, folder: Path, tasks: Sequence[VariantTask]) -> list[Written]:
    return [write_variant(prepared, variant, folder) for variant in make_variants(prepared, tasks)]


_worker: list[tuple[Prepared, Path]] = []
"""In a worker process: what it makes variants with, and where to."""


def _open_worker(request: Request, bank: Bank | None, folder: Path) -> None:
    _worker.append((prepare(request, bank), folder))


def _written_by_worker(tasks: Sequence[VariantTask]) -> list[Written]:
    return _written(*_worker[0], tasks)


def _report(lines: Sequence[Line], prepared: Prepared, before: int) -> AugmentReport:
    variants = [line for line in lines if "copy" in line]
    tries: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    for line in variants if prepared.guard is not None else ():
        tries[str(line["label"])] += len(line.get("refused", ())) + bool(line["outputs"])
        refused[str(line["label"])] += len(line.get("refused", ()))
    return AugmentReport(
        originals=len(lines) - len(variants),
        variants=sum(bool(line["outputs"]) for line in variants),
        before=before,
        refused={label: (refused[label], tries[label]) for label in sorted(tries)},
        left_out=sum(not line["outputs"] and "failed" not in line for line in variants),
        failed=list(dict.fromkeys(line["failed"] for line in variants if "failed" in line)),
        different=[picture_of(line) for line in variants if line.get("different")],
    )
