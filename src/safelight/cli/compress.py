"""safelight compress: pictures to .latent files."""

import time
from typing import TYPE_CHECKING

import typer

from safelight.cli.batch import BatchOutput, tell, tell_counts, tell_plan
from safelight.cli.console import progress_bar
from safelight.cli.options import add_command
from safelight.jobs.compress.settings import CompressSettings

if TYPE_CHECKING:
    from safelight.jobs.compress.outcome import CompressOutcome


def add_to(app: typer.Typer) -> None:
    """The command."""
    add_command(app, "compress", (CompressSettings, BatchOutput), compress)


def compress(settings: CompressSettings, output: BatchOutput) -> None:
    """Compress pictures to .latent files, which every machine decodes to the same pixels. Metadata is kept."""
    from safelight.jobs.compress.compress import compress as compress_files
    from safelight.jobs.compress.compress import plan_compress

    if output.dry_run:
        failed = tell_plan(plan_compress(settings), output.as_json)
    else:
        began = time.monotonic()
        with progress_bar() as on_progress:
            report = compress_files(settings, on_progress, lambda one: tell(one, output.as_json, _numbers(one)))
        failed = tell_counts(report, began, f", {report.bytes} bytes written")
    if failed:
        raise typer.Exit(1)


def _numbers(outcome: "CompressOutcome") -> str:
    if outcome.status != "done":
        return ""
    quality = "without loss" if outcome.psnr_db is None else f"{outcome.psnr_db:.2f} dB"
    size = f"{outcome.bytes} bytes, {outcome.bits_per_pixel:.3f} bits per pixel"
    return f"{size}, {quality}, {outcome.seconds:.1f} s"
