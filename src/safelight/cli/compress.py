"""safelight compress: pictures to .latent files."""

import json
from typing import TYPE_CHECKING

import typer

from safelight.cli.batch import tell_plan, tell_trouble
from safelight.cli.console import progress_bar, say
from safelight.cli.options import add_command
from safelight.jobs.compress.settings import CompressSettings
from safelight.settings import Settings, option

if TYPE_CHECKING:
    from safelight.jobs.compress.outcome import CompressOutcome


class Output(Settings):
    """What is printed."""

    dry_run: bool = option(False, "Say what would be done; no file is opened.", "--dry-run")
    as_json: bool = option(False, "One JSON line per file on standard output.", "--json")


def add_to(app: typer.Typer) -> None:
    """The command."""
    add_command(app, "compress", (CompressSettings, Output), compress)


def compress(settings: CompressSettings, output: Output) -> None:
    """Compress pictures to .latent files, which every machine decodes to the same pixels. Metadata is kept."""
    from safelight.jobs.compress.compress import compress as compress_files
    from safelight.jobs.compress.compress import plan_compress

    if output.dry_run:
        failed = tell_plan(plan_compress(settings), output.as_json)
    else:
        with progress_bar() as on_progress:
            report = compress_files(settings, on_progress, lambda outcome: _tell(outcome, output.as_json))
        failed = report.failed
        counts = [sum(outcome.status == status for outcome in report.outcomes) for status in ("done", "skipped")]
        typer.echo(f"{counts[0]} done ({report.bytes} bytes), {counts[1]} skipped, {failed} failed", err=True)
    if failed:
        raise typer.Exit(1)


def _tell(outcome: "CompressOutcome", as_json: bool) -> None:
    """Results on standard output, what went wrong on standard error."""
    tell_trouble(outcome)
    if as_json:
        say(json.dumps(vars(outcome)))
    elif outcome.status == "done":
        quality = "without loss" if outcome.psnr_db is None else f"{outcome.psnr_db:.2f} dB"
        size = f"{outcome.bytes} bytes, {outcome.bits_per_pixel:.3f} bits per pixel"
        say(f"{outcome.source} -> {outcome.outputs[0]}  ({size}, {quality}, {outcome.seconds:.1f} s)")
    elif outcome.status == "skipped" and not outcome.warnings:
        say(f"{outcome.source} -> {outcome.outputs[0]}  (done before)")
