"""safelight enhance: restore files and folders."""

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from safelight.cli.batch import BatchOutput, tell, tell_counts, tell_plan, tell_trouble
from safelight.cli.console import progress_bar
from safelight.cli.options import add_command
from safelight.errors import UsageError
from safelight.jobs.enhance.settings import EnhanceSettings

if TYPE_CHECKING:
    from safelight.jobs.enhance.outcome import EnhanceOutcome

STDIO = Path("-")
STANDARD_INPUT = "standard input"


def add_to(app: typer.Typer) -> None:
    """The command."""
    add_command(app, "enhance", (EnhanceSettings, BatchOutput), enhance)


def enhance(settings: EnhanceSettings, output: BatchOutput) -> None:
    """Restore pictures: noise, JPEG artefacts, a little blur. Profile, EXIF, XMP, depth and alpha are kept."""
    with _on_disk(settings) as on_disk:
        if output.dry_run:
            from safelight.jobs.enhance.plan import plan_enhance

            failed = tell_plan(plan_enhance(on_disk), output.as_json)
        else:
            failed = _run(on_disk, output, is_quiet=settings.output == STDIO)
    if failed:
        raise typer.Exit(1)


def _run(settings: EnhanceSettings, output: BatchOutput, is_quiet: bool) -> int:
    """With a bar for the whole batch on standard error; returns how many files failed."""
    from safelight.jobs.enhance.enhance import enhance as enhance_files

    began = time.monotonic()
    with progress_bar() as on_progress:
        report = enhance_files(settings, on_progress, lambda outcome: _tell(outcome, output, is_quiet))
    failed = tell_counts(report, began, f", on {report.device}")
    if settings.compare is not None:
        words = f"before and after, to look at: {settings.compare}" if report.compared else "no page: nothing to show"
        typer.echo(words, err=True)
    return failed


def _tell(outcome: "EnhanceOutcome", output: BatchOutput, is_quiet: bool) -> None:
    """Results on standard output, what went wrong on standard error."""
    if Path(outcome.source).name == STANDARD_INPUT:  # the path of its stand-in means nothing to anybody
        error = outcome.error and outcome.error.replace(outcome.source, STANDARD_INPUT)
        outcome = replace(outcome, source=STANDARD_INPUT, error=error)
    if is_quiet:
        tell_trouble(outcome)
    else:
        tell(outcome, output.as_json, f"{outcome.megapixels:.2f} Mpx, {outcome.seconds:.1f} s")


@contextmanager
def _on_disk(settings: EnhanceSettings) -> Iterator[EnhanceSettings]:
    """The same settings, with files that stand in for standard input and output while the block runs."""
    reads, writes = STDIO in settings.inputs, settings.output == STDIO
    if not (reads or writes):
        yield settings
        return
    _check_streams(settings, reads, writes)
    from safelight.picture import EXTENSIONS, format_of

    with tempfile.TemporaryDirectory(prefix="safelight-") as folder:
        source, target = settings.inputs[0], settings.output or STDIO
        content: bytes | Path = source
        if reads:
            content, source = sys.stdin.buffer.read(), Path(folder) / STANDARD_INPUT
            source.write_bytes(content)
        if writes:
            container = format_of(content) if settings.format == "same" else settings.format
            target = Path(folder) / f"result.{EXTENSIONS.get(container, 'png')}"
        yield settings.model_copy(update={"inputs": (source,), "output": target})
        if writes and target.exists():
            with target.open("rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer)


def _check_streams(settings: EnhanceSettings, reads: bool, writes: bool) -> None:
    """Raises UsageError."""
    if (reads and sys.stdin is None) or (writes and sys.stdout is None):
        raise UsageError("standard input or output is closed; name a file instead of -")
    if len(settings.inputs) != 1 or settings.inputs[0].is_dir():
        raise UsageError("standard input or output takes exactly one picture; use -o FOLDER for several")
    if settings.output is None:
        raise UsageError(
            "standard input has no name to write a result beside; add -o FILE, or -o - for standard output"
        )
    if settings.samples or settings.uncertainty:
        raise UsageError("several results do not fit into one stream; use -o FILE with --samples or --uncertainty")
