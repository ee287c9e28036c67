"""safelight decompress: .latent files to pictures."""

import time
from typing import TYPE_CHECKING

import typer

from safelight.cli.batch import BatchOutput, tell, tell_counts, tell_plan
from safelight.cli.console import progress_bar
from safelight.cli.options import add_command
from safelight.jobs.compress.settings import DecompressSettings

if TYPE_CHECKING:
    from safelight.jobs.compress.outcome import DecompressOutcome


def add_to(app: typer.Typer) -> None:
    """The command."""
    add_command(app, "decompress", (DecompressSettings, BatchOutput), decompress)


def decompress(settings: DecompressSettings, output: BatchOutput) -> None:
    """Decode .latent files to pictures, with profile, EXIF, XMP and alpha. Damage is found and told."""
    from safelight.jobs.compress.decompress import decompress as decompress_files
    from safelight.jobs.compress.decompress import plan_decompress

    if output.dry_run:
        failed = tell_plan(plan_decompress(settings), output.as_json)
    else:
        began = time.monotonic()
        with progress_bar() as on_progress:
            report = decompress_files(settings, on_progress, lambda one: tell(one, output.as_json, _numbers(one)))
        failed = tell_counts(report, began)
    if failed:
        raise typer.Exit(1)


def _numbers(outcome: "DecompressOutcome") -> str:
    note = "; it was restored before it was compressed" if outcome.restored else ""
    return f"{outcome.megapixels:.2f} Mpx, {outcome.seconds:.1f} s{note}"
