"""safelight data: what is in a set of pictures, and what is wrong with it."""

import json
from collections.abc import Iterable, Sequence

import typer

from safelight.cli.console import progress_bar, say
from safelight.cli.options import add_command
from safelight.dataset import InspectReport
from safelight.errors import shown
from safelight.jobs.inspect import InspectSettings, inspect
from safelight.settings import Settings, option

SHOWN = 5
"""Of each list, on a terminal; --json has all."""


class Output(Settings):
    """How the report is printed."""

    as_json: bool = option(False, "Everything, as one JSON object.", "--json")


def add_to(app: typer.Typer) -> None:
    """The command."""
    add_command(app, "data", (InspectSettings, Output), data)


def data(settings: InspectSettings, output: Output) -> None:
    """Look at a set of pictures before training: counts, sizes, duplicates, leaks between parts, broken files.

    Exit code 1 if some pictures cannot be read.
    """
    with progress_bar() as on_progress:
        report = inspect(settings, on_progress)
    if output.as_json:
        typer.echo(json.dumps(vars(report) | {"warnings": report.warnings}))
    else:
        for line in _words(report):
            say(shown(line))
        for warning in report.warnings:
            say(f"warning: {shown(warning)}", err=True)
        if not (report.warnings or report.duplicates or report.alike):
            say("nothing wrong was found: no broken files, no copies, no contradictions")
    if report.unreadable:
        raise typer.Exit(1)


def _words(report: InspectReport) -> Iterable[str]:
    """The report for people."""
    colour = report.pictures - report.grey
    yield f"{report.pictures} pictures: {colour} in colour, {report.grey} grey"
    yield f"sizes: {_counted(report.sizes)}"
    if report.finest_px < report.side_px:
        yield (
            f"detail: pictures of {report.finest_px} px, not {report.side_px}, would hold nearly all of it; "
            f"size_px = {report.finest_px} in a recipe trains faster"
        )
    if report.parts:
        yield f"parts: {_counted(report.parts)}"
    if report.groups:
        yield f"groups that stay in one part: {report.groups}"
    if report.variants:
        yield f"variants by safelight augment, each in the part of its picture: {report.variants}"
    if report.classes:
        yield f"{len(report.classes)} classes:"
        width = max(map(len, report.classes))
        yield from (f"  {label:<{width}}  {count}" for label, count in report.classes.items())
    for what, groups in (
        ("with the same pixels", report.duplicates),
        ("nearly the same", report.alike),
        ("under several labels", report.contradictions),
        ("in several parts", report.leaks),
    ):
        if groups:
            yield f"groups of pictures {what}: {len(groups)}"
            yield from _some(", ".join(_named(group)) for group in groups)
    for what, lines in (("cannot be read", report.unreadable), ("can be read, but not as a whole", report.doubtful)):
        if lines:
            yield f"{what}: {len(lines)}"
            yield from _some(lines)
    if report.other_files:
        kinds = {suffix or "without a suffix": count for suffix, count in report.other_files.items()}
        yield f"other files, which are not looked at: {sum(kinds.values())}: {_counted(kinds)}"


def _named(group: Sequence[str]) -> list[str]:
    more = [f"and {len(group) - SHOWN} more"] if len(group) > SHOWN else []
    return [*group[:SHOWN], *more]


def _counted(counts: dict[str, int]) -> str:
    names = list(counts)
    more = f", and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(f"{name} ({counts[name]})" for name in names[:SHOWN]) + more


def _some(lines: Iterable[str]) -> Iterable[str]:
    listed = list(lines)
    yield from (f"  {line}" for line in listed[:SHOWN])
    if len(listed) > SHOWN:
        yield f"  and {len(listed) - SHOWN} more; see --json"
