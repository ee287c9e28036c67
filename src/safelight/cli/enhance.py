"""safelight enhance: restore files and folders."""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from safelight.errors import RefusedError, UsageError, shown

if TYPE_CHECKING:
    from safelight.jobs.enhance import EnhanceSettings, Outcome
    from safelight.jobs.enhance.plan import Plan

STDIO = Path("-")
INTERRUPTED = 130
STANDARD_INPUT = "standard input"


def enhance(
    inputs: Annotated[list[Path], typer.Argument(metavar="IN...", help="Pictures and folders; - for standard input.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="A folder, or for one picture its file name; - for standard output.")
    ],
    model: Annotated[str, typer.Option(help="A bundle: its name (see 'model list') or its path.")] = "photo",
    strength: Annotated[
        float, typer.Option(help="0 to 1. 0 is the input; between, fine grain returns before colour noise.")
    ] = 1.0,
    temperature: Annotated[
        float | None,
        typer.Option(
            help="0 to 2. Write one random draw, not the mean; 1 is honest, less is calmer. Or that of --samples."
        ),
    ] = None,
    samples: Annotated[
        int, typer.Option(help="0 to 64. Write alternatives, grain and all: NAME_sample1, NAME_sample2, ...")
    ] = 0,
    seed: Annotated[int, typer.Option(help="Equal seeds draw equal samples.")] = 0,
    uncertainty: Annotated[
        bool, typer.Option("--uncertainty", help="Write NAME_std.tif: standard deviation per pixel, float, white = 1.")
    ] = False,
    sigma: Annotated[
        float | None,
        typer.Option(help="0 to 255. The noise level, if known; photo hardly heeds it, --strength does more."),
    ] = None,
    op: Annotated[
        list[str] | None,
        typer.Option(
            help="After that, in order: contrast=1.2, sharpen=0.5, rotate=0.7, ... ('safelight augment --operations')."
        ),
    ] = None,
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Folders with all below; the tree is mirrored.")
    ] = False,
    format: Annotated[str, typer.Option(help="same, jpeg, png, tiff, webp or avif.")] = "same",  # noqa: A002
    depth: Annotated[str, typer.Option(help="same, 8, 10, 12, 16 or float.")] = "same",
    quality: Annotated[
        int, typer.Option(help="1 to 100. Of jpeg, webp and avif; 100 is lossless for the last two.")
    ] = 95,
    metadata: Annotated[str, typer.Option(help="keep, strip or strip-gps.")] = "keep",
    provenance: Annotated[bool, typer.Option(help="Say in the XMP what was done.")] = True,
    pages: Annotated[str, typer.Option(help="Of a TIFF: first or all.")] = "first",
    pattern: Annotated[str, typer.Option(help="Names of results: {stem}, {model}, {ext}.")] = "{stem}.{ext}",
    if_exists: Annotated[str, typer.Option(help="skip, overwrite or rename.")] = "skip",
    on_error: Annotated[str, typer.Option(help="continue or stop.")] = "continue",
    max_megapixels: Annotated[float, typer.Option(help="Refuse larger pictures.")] = 400.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; no file is opened.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Files to decode ahead and encode behind.")] = 1,
    precision: Annotated[
        str,
        typer.Option(help="auto, fp32 or int8 (faster). auto: int8 for a mean alone, if the processor is made for it."),
    ] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line per file on standard output.")] = False,
) -> None:
    """Restore pictures: noise, JPEG artefacts, a little blur. Profile, EXIF, XMP, depth and alpha are kept."""
    settings = _settings(
        model=model,
        strength=strength,
        temperature=temperature,
        samples=samples,
        seed=seed,
        sigma=sigma,
        uncertainty=uncertainty,
        operations=_operations(op or [], uncertainty),
        precision=precision,
        format=format,
        depth=depth,
        quality=quality,
        metadata=metadata,
        provenance=provenance,
        pages=pages,
        pattern=pattern,
        if_exists=if_exists,
        max_megapixels=max_megapixels,
    )
    if on_error not in ("continue", "stop"):
        raise UsageError(f"--on-error '{on_error}': use continue or stop")
    with _standard_streams(inputs, output, settings) as (inputs, output, to_stdout):
        from safelight.jobs.enhance import make_plan

        plan = make_plan(inputs, output, settings, recursive)
        if dry_run:
            _tell_plan(plan, as_json)
            return
        failed = _run(plan, settings, device, workers, on_error == "stop", as_json, quiet=to_stdout)
        if to_stdout and not failed:
            with plan.tasks[0].target.open("rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer)
    if failed:
        raise typer.Exit(1)


def _settings(**values: Any) -> "EnhanceSettings":
    """Checked settings; what is wrong is said in terms of the option."""
    from pydantic import ValidationError

    from safelight.jobs.enhance import EnhanceSettings

    try:
        return EnhanceSettings(**values)
    except ValidationError as error:
        first = error.errors()[0]
        option = str(first["loc"][0]).replace("_", "-")
        raise UsageError(f"--{option} '{first['input']}': {first['msg']}; see --help") from None


def _operations(texts: list[str], uncertainty: bool) -> tuple[str, ...]:
    """Checked. Raises UsageError, and RefusedError without the extra that has them."""
    if texts and uncertainty:
        raise UsageError("--uncertainty is of the restored picture, not of what --op makes of it; leave one out")
    if texts:
        try:
            from safelight.augment.catalog import parse
        except ModuleNotFoundError:
            raise RefusedError("--op needs OpenCV; see 'Augment a data set' in the README") from None
        for text in texts:
            parse(text)
    return tuple(texts)


@contextmanager
def _standard_streams(
    inputs: list[Path], output: Path, settings: "EnhanceSettings"
) -> Iterator[tuple[list[Path], Path, bool]]:
    """Stand-ins on disk for standard input and output, gone afterwards."""
    if STDIO not in inputs and output != STDIO:
        yield inputs, output, False
        return
    if (STDIO in inputs and sys.stdin is None) or (output == STDIO and sys.stdout is None):
        raise UsageError("standard input or output is closed; name a file instead of -")
    if len(inputs) != 1 or os.path.isdir(inputs[0]):
        raise UsageError("standard input or output takes exactly one picture; use -o FOLDER for several")
    if settings.samples or settings.uncertainty:
        raise UsageError("several results do not fit into one stream; use -o FILE with --samples or --uncertainty")
    from safelight.jobs.enhance.plan import EXTENSIONS
    from safelight.picture import format_of

    with tempfile.TemporaryDirectory(prefix="safelight-") as folder:
        source: Path = inputs[0]
        content: Path | bytes = source
        if source == STDIO:
            content = sys.stdin.buffer.read()
            source = Path(folder) / STANDARD_INPUT
            source.write_bytes(content)
        container = format_of(content) if settings.format == "same" else settings.format
        stand_in = Path(folder) / f"result.{EXTENSIONS.get(container, 'png')}"
        yield [source], stand_in if output == STDIO else output, output == STDIO


def _run(
    plan: "Plan", settings: "EnhanceSettings", device: str, workers: int, stop: bool, as_json: bool, quiet: bool
) -> int:
    """Run with a bar for the whole batch on standard error; returns how many failed."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from safelight.jobs.enhance import run
    from safelight.runtime.restore import Restorer

    if device not in ("auto", "cpu", "cuda"):
        raise UsageError(f"--device '{device}': use auto, cpu or cuda")
    loaded = Restorer.load(settings.model, device, precision=settings.precision)
    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
    counts = {"done": 0, "skipped": 0, "failed": 0}
    with Progress(
        TextColumn("{task.description}", markup=False), *columns, console=console, disable=not console.is_terminal
    ) as bar:
        row = bar.add_task("", total=len(plan.tasks))
        position = {task.source: k for k, task in enumerate(plan.tasks)}
        progress = run(
            plan,
            loaded,
            settings,
            workers=workers,
            stop_on_error=stop,
            on_progress=lambda task, share: bar.update(
                row, description=task.source.name, completed=position[task.source] + share
            ),
        )
        try:
            for outcome in progress:
                counts[outcome.status] += 1
                _rename_stand_in(outcome)
                _tell(outcome, as_json, quiet)
        except KeyboardInterrupt:
            typer.echo("interrupted; what is finished is kept, run the same command again to go on", err=True)
            raise typer.Exit(INTERRUPTED) from None
        bar.update(row, completed=sum(counts.values()))
    typer.echo(
        f"{counts['done']} done, {counts['skipped']} skipped, {counts['failed']} failed, on {loaded.networks.device}",
        err=True,
    )
    return counts["failed"]


def _rename_stand_in(outcome: "Outcome") -> None:
    """Say "standard input" where a file in a temporary folder stands in for it."""
    if Path(outcome.source).name == STANDARD_INPUT:
        outcome.error = outcome.error and outcome.error.replace(outcome.source, STANDARD_INPUT)
        outcome.source = STANDARD_INPUT


def _tell_plan(plan: "Plan", as_json: bool) -> None:
    """What would be done. Exit code 1 if some of it could not."""
    for task in plan.tasks:
        source, outputs = shown(task.source), [shown(path) for path in task.outputs]
        problem = task.problem and shown(task.problem)
        if as_json:
            typer.echo(json.dumps({"source": source, "outputs": outputs, "error": problem}))
        elif not problem:
            typer.echo(f"{source} -> {', '.join(outputs)}")
        if problem:
            typer.echo(f"failed: {problem}", err=True)
    if any(task.problem for task in plan.tasks):
        raise typer.Exit(1)


def _tell(outcome: "Outcome", as_json: bool, quiet: bool) -> None:
    """Results on standard output, what went wrong on standard error."""
    for warning in outcome.warnings:
        typer.echo(f"warning: {outcome.source}: {warning}", err=True)
    if outcome.error:
        typer.echo(f"failed: {outcome.error}", err=True)
    if quiet:
        return
    if as_json:
        typer.echo(json.dumps(vars(outcome)))
    elif outcome.status == "done":
        typer.echo(f"{outcome.source} -> {outcome.outputs[0]}  ({outcome.megapixels:.2f} Mpx, {outcome.seconds:.1f} s)")
    elif outcome.status == "skipped" and not outcome.warnings:
        typer.echo(f"{outcome.source} -> {outcome.outputs[0]}  (done before)")
