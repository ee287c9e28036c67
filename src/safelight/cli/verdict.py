"""safelight verdict: whether an augmentation helps a classifier of a labelled set."""

import json
from typing import TYPE_CHECKING

import typer

from safelight.cli.console import progress_bar
from safelight.cli.options import add_command
from safelight.cli.output import ReportOutput
from safelight.downstream.settings import VerdictSettings

if TYPE_CHECKING:
    from safelight.downstream.judge import Interval
    from safelight.downstream.verdict import VerdictReport


def add_to(app: typer.Typer) -> None:
    """The command."""
    add_command(app, "verdict", (VerdictSettings, ReportOutput), verdict)


def verdict(settings: VerdictSettings, output: ReportOutput) -> None:
    """Train small classifiers with and without an augmentation, and say whether it helps.

    All classifiers are tested on the same pictures. Each way to train is called an arm. Differences between arms are
    paired by seed.
    """
    from safelight.downstream.verdict import verdict as compare_and_judge

    with progress_bar() as on_progress:
        report = compare_and_judge(settings, on_progress)
    if output.as_json:
        typer.echo(json.dumps(report.as_dict()))
    else:
        _print(report)
    if output.html is not None:
        report.write_page(output.html)


def _print(report: "VerdictReport") -> None:
    """For people."""
    judged = report.verdict
    typer.echo(report.counts_in_words)
    _print_table(judged.arms, "accuracy", "")
    _print_table(judged.differences, "paired difference, points", "+")
    _print_table({f"{noise:g} x noise": one for noise, one in judged.sweep.items()}, "accuracy", "")
    for note in report.notes:
        typer.echo(note)
    typer.echo(judged.sentence)


def _print_table(rows: "dict[str, Interval]", what: str, sign: str) -> None:
    if not rows:
        return
    width = max(map(len, rows))
    typer.echo(f"{'':<{width}}  {what} [95 %]")
    for name, one in rows.items():
        ends = (one.low, one.high) if sign else (max(0.0, one.low), min(1.0, one.high))
        mean, low, high = (f"{100 * value:{sign}.2f}" for value in (one.mean, *ends))
        typer.echo(f"{name:<{width}}  {mean} [{low}, {high}]")
