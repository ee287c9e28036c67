"""safelight decompress: .latent files to pictures."""

import json
from typing import TYPE_CHECKING

import typer

from safelight.cli.batch import tell_plan, tell_trouble
from safelight.cli.console import progress_bar, say
from safelight.cli.options import add_command
from safelight.jobs.compress.settings import DecompressSettings
from safelight.settings import Settings, option

if TYPE_CHECKING:
    from safelight.jobs.compress.outcome import DecompressOutcome


class Output(Settings):
    """What is printed."""

    dry_run: bool = option(False, "Say what would be done; no file is opened.", "--dry-run")
    as_json: bool = option(False, "One JSON line per file on standard output.", "--json")


def add_to(app: typer.Typer) -> None:
    """The command."""
    add_command(app, "decompress", (DecompressSettings, Output), decompress)


def decompress(settings: DecompressSettings, output: Output) -> None:
    """Decode .latent files to pictures, with profile, EXIF, XMP and alpha. Damage is found and told."""
    from safelight.jobs.compress.decompress import decompress as decompress_files
    from safelight.jobs.compress.decompress import plan_decompress

    if output.dry_run:
        failed = tell_plan(plan_decompress(settings), output.as_json)
    else:
        with progress_bar() as on_progress:
            report = decompress_files(settings, on_progress, lambda outcome: _tell(outcome, output.as_json))
        failed = report.failed
        counts = [sum(outcome.status == status for outcome in report.outcomes) for status in ("done", "skipped")]
        typer.echo(f"{counts[0]} done, {counts[1]} skipped, {failed} failed", err=True)
    if failed:
        raise typer.Exit(1)


def _tell(outcome: "DecompressOutcome", as_json: bool) -> None:
    """Results on standard output, what went wrong on standard error."""
    tell_trouble(outcome)
    if as_json:
        say(json.dumps(vars(outcome)))
    elif outcome.status == "done":
        note = "; it was restored before it was compressed" if outcome.restored else ""
        numbers = f"{outcome.megapixels:.2f} Mpx, {outcome.seconds:.1f} s{note}"
        say(f"{outcome.source} -> {outcome.outputs[0]}  ({numbers})")
    elif outcome.status == "skipped" and not outcome.warnings:
        say(f"{outcome.source} -> {outcome.outputs[0]}  (done before)")
