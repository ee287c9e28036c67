"""The verb: a whole set, augmented into a folder. Its manifest says what was made of what, and what is done."""

from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import closing

from safelight.augmentation.guard import poor_guard
from safelight.errors import UsageError
from safelight.jobs.augment.plan import VariantTask, make_plan
from safelight.jobs.augment.prepare import Prepared, prepare
from safelight.jobs.augment.replay import read_replay
from safelight.jobs.augment.request import request_of
from safelight.jobs.augment.results import Results
from safelight.jobs.augment.settings import AugmentReport, AugmentSettings
from safelight.jobs.augment.workers import (
    AT_ONCE_BY_WORKER,
    in_chunks,
    made_on_cluster,
    open_worker,
    write_variants,
    written_by_worker,
)
from safelight.jobs.augment.write import Written, copy_original, picture_of
from safelight.work import Line, OnProgress, Processes, Progress, mirrored, silent
from safelight.work.nodes import cluster_address

AT_ONCE = 64
"""Variants that are made together in this process."""


def augment(settings: AugmentSettings, on_progress: OnProgress = silent) -> AugmentReport:
    """Write a set of pictures with variants of them, and with their labels, to `settings.output`.

    The same call goes on with what was interrupted: what the manifest records stays, and is not made again. One variant
    that cannot be made or written is a failure in the report. Raises UsageError, RecipeError and BundleError before
    anything is written, and OutputError.
    """
    if settings.output is None:
        raise UsageError("a set needs a folder to be written to; give -o, or call preview for a contact sheet")
    replay = None if settings.replay is None else read_replay(settings.replay)
    mirrored(settings.dataset, on_progress)
    on_progress(Progress(0, 0, "reading the set"))
    prepared = prepare(request_of(settings, replay))
    plan = make_plan(prepared, settings.output, replay)
    results = Results.begin(prepared, plan, settings.output, replay)
    _write_originals(results, on_progress)
    before = _write_variants(results, settings, on_progress)
    return _report(results.finish(), results, before)


def _write_originals(results: Results, on_progress: OnProgress) -> None:
    originals = results.plan.originals
    for done, original in enumerate(originals):
        on_progress(Progress(done, len(originals), "originals"))
        if not results.has_original(original):
            results.add(copy_original(original, results.folder))


def _write_variants(results: Results, settings: AugmentSettings, on_progress: OnProgress) -> int:
    """Returns how many were there before."""
    left = [task for task in results.plan.variants if not results.has_variant(task)]
    total = len(results.plan.variants)
    before = done = total - len(left)
    on_progress(Progress(done, total, "variants"))
    address = cluster_address(settings.engine)
    made = _made(results, left, settings.workers) if address is None else made_on_cluster(results, left, address)
    with closing(made) as chunks:
        for written in chunks:
            for one in written:
                results.add(one)
            done += len(written)
            on_progress(Progress(done, total, "variants"))
    return before


def _made(results: Results, tasks: Sequence[VariantTask], workers: int) -> Generator[list[Written]]:
    """One by one as soon as each is written; or in other processes, chunk by chunk.

    What workers had in flight when the run was stopped goes into the manifest, too.
    """
    prepared, folder = results.prepared, results.folder

    def on_late(chunk: list[Written]) -> None:
        for one in chunk:
            results.add(one)

    if workers == 1 or len(tasks) <= AT_ONCE:
        for chunk in in_chunks(tasks, AT_ONCE):
            for written in write_variants(prepared, chunk, folder):
                yield [written]
    else:
        engine = Processes(workers, open_worker, (prepared.request, prepared.bank, folder))
        yield from engine.map(written_by_worker, in_chunks(tasks, AT_ONCE_BY_WORKER), on_late)


def _of_guard(prepared: Prepared) -> list[str]:
    warning = None if prepared.guard is None else poor_guard(prepared.guard.vae, prepared.guard.settings)
    return [] if warning is None else [warning]


def _report(lines: Sequence[Line], results: Results, before: int) -> AugmentReport:
    prepared = results.prepared
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
        failed=list(
            dict.fromkeys([*results.plan.unreadable, *(line["failed"] for line in variants if "failed" in line)])
        ),
        different=[picture_of(line) for line in variants if line.get("different")],
        warnings=list(
            dict.fromkeys(
                [
                    *_of_guard(prepared),
                    *prepared.pictures.remarks,
                    *(w for line in lines for w in line.get("warnings", ())),
                ]
            )
        ),
    )
