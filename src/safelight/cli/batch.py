"""What the commands on many files print alike."""

import json
import time
from typing import TYPE_CHECKING

import typer

from safelight.cli.console import say
from safelight.errors import shown
from safelight.settings import Settings, option

if TYPE_CHECKING:
    from collections.abc import Mapping

    from safelight.jobs.batch.outcome import Outcome, Report
    from safelight.jobs.batch.plan import Plan


LONG = 10
"""Files of a batch, and lines about failures, that fit on a screen."""


class BatchOutput(Settings):
    """What is printed."""

    dry_run: bool = option(False, "Say what would be done; no file is opened.", "--dry-run")
    as_json: bool = option(False, "One JSON line per file on standard output.", "--json")


def tell_plan(plan: "Plan", as_json: bool) -> int:
    """What would be done; returns how much of it cannot be done."""
    from safelight.jobs.batch.results import Results
    from safelight.work.places import exists

    results, others = Results(plan.folder, plan.verb, plan.manifest), 0
    counts = {"to do": 0, "there already": 0, "that cannot be done": 0}
    for task in plan.tasks:
        source, outputs = shown(task.source), [shown(path) for path in task.outputs]
        problem = task.problem and shown(task.problem)
        found = [problem is None and exists(path) for path in task.outputs]
        is_there = any(found) and plan.settings.if_exists == "skip"
        is_other = is_there and results.has_other_settings(task.target, plan.settings.parameters())
        others += is_other
        if as_json:
            typer.echo(
                json.dumps(
                    {
                        "source": source,
                        "outputs": outputs,
                        "error": problem,
                        "is_there": is_there,
                        "other_settings": is_other,
                    }
                )
            )
        elif not problem:
            say(f"{source} -> {', '.join(outputs)}{_found(found, is_there, is_other)}")
        if problem:
            say(f"failed: {problem}", err=True)
        counts["that cannot be done" if problem else "there already" if is_there else "to do"] += 1
    _tell_passed_over(plan.passed_over)
    if others:
        typer.echo(f"{others} made with other settings: use --if-exists overwrite, or another -o", err=True)
    typer.echo(f"{', '.join(f'{number} {what}' for what, number in counts.items())}; nothing was written", err=True)
    return counts["that cannot be done"]


def _found(found: list[bool], is_there: bool, is_other: bool) -> str:
    """Which of a task's files are there, and whether they were made with other settings."""
    if not any(found):
        return ""
    if not is_there:
        return "  (will be overwritten)"
    if is_other:
        return "  (is there already, made with other settings)"
    return "  (is there already)" if all(found) else "  (a part is there already)"


def tell(outcome: "Outcome", as_json: bool, numbers: str) -> None:
    """One file: its result on standard output, with some numbers, and what went wrong on standard error."""
    tell_trouble(outcome)
    if as_json:
        say(json.dumps(vars(outcome)))
    elif outcome.status == "done":
        say(f"{outcome.source} -> {', '.join(outcome.outputs)}  ({numbers})")
    elif outcome.status == "skipped" and not outcome.warnings:
        say(f"{outcome.source} -> {outcome.outputs[0]}  (done before)")


def tell_counts(report: "Report", began: float, note: str = "") -> int:
    """How many files became what, how fast, what was passed over, and again what failed.

    Returns how many results were not made. `began` is the value of `time.monotonic` at the start.
    """
    _tell_passed_over(report.passed_over)
    statuses = [outcome.status for outcome in report.outcomes]
    counts = {status: statuses.count(status) for status in ("done", "skipped", "failed")}
    words = ", ".join(f"{number} {status}" for status, number in counts.items())
    typer.echo(f"{words}{note}{_speed(report, time.monotonic() - began)}", err=True)
    not_made = sum(outcome.status == "skipped" and bool(outcome.warnings) for outcome in report.outcomes)
    if not_made:
        words = (
            "1 result was not made: a file of its name is"
            if not_made == 1
            else f"{not_made} results were not made: files of their names are"
        )
        typer.echo(f"{words} there already", err=True)
    failed = [outcome.error for outcome in report.outcomes if outcome.error]
    if len(report.outcomes) > LONG and failed:  # the lines above may have left the screen
        for error in failed[:LONG]:
            say(f"failed: {error}", err=True)
        more = f", {len(failed) - LONG} more failed" if len(failed) > LONG else ""
        typer.echo(f"mend these and run the same command again: only they are done anew{more}", err=True)
    return counts["failed"] + not_made


def _speed(report: "Report", seconds: float) -> str:
    """How long the batch took, and how fast it was; nothing if nothing was done."""
    megapixels = sum(outcome.megapixels for outcome in report.outcomes if outcome.status == "done")
    return f", {megapixels:.1f} Mpx in {seconds:.1f} s ({megapixels / seconds:.2f} Mpx/s)" if megapixels else ""


def _tell_passed_over(passed_over: "Mapping[str, int]") -> None:
    from safelight.jobs.batch.outcome import in_words

    words = in_words(passed_over)
    if words:
        say(words, err=True)


def tell_trouble(outcome: "Outcome") -> None:
    """Warnings and the error of one file, on standard error."""
    for warning in outcome.warnings:
        say(f"warning: {outcome.source}: {warning}", err=True)
    if outcome.error:
        say(f"failed: {outcome.error}", err=True)
