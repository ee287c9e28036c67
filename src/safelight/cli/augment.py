"""safelight augment: a set of pictures, enlarged by variants, with its labels."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from safelight.errors import RefusedError, UsageError

if TYPE_CHECKING:
    from safelight.augment.job import Report
    from safelight.augment.settings import AugmentSettings
    from safelight.classic import Operation

INTERRUPTED = 130
FORMATS = {"png": ".png", "jpeg": ".jpg"}


def augment(
    dataset: Annotated[
        Path | None,
        typer.Argument(help="Class folders, .npz, .csv, .jsonl, COCO's .json, YOLO's folder, or images/ and masks/."),
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="A new folder.")] = None,
    recipe: Annotated[Path | None, typer.Option(help="A .toml, such as recipes/augment.toml.")] = None,
    copies: Annotated[int | None, typer.Option(min=0, max=1000, help="Variants of each picture: 4.")] = None,
    model: Annotated[str | None, typer.Option(help="A VAE's bundle, for latent operations and the guard.")] = None,
    seed: Annotated[int | None, typer.Option(help="Equal seeds make equal files: 0.")] = None,
    balance: Annotated[
        bool, typer.Option("--balance", help="More variants of rarer classes, till all are even.")
    ] = False,
    originals: Annotated[
        bool | None, typer.Option("--originals/--no-originals", help="The pictures themselves, too; the default.")
    ] = None,
    preview: Annotated[Path | None, typer.Option(help="Write only a contact sheet, to this .png.")] = None,
    replay: Annotated[Path | None, typer.Option(help="A manifest.jsonl: make its variants again, bit for bit.")] = None,
    format: Annotated[str | None, typer.Option(help="Of variants: png (the default) or jpeg.")] = None,  # noqa: A002
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes; the result is the same.")] = 1,
    operations: Annotated[bool, typer.Option("--operations", help="List all operations and what they take.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The report as one JSON line on standard output.")] = False,
) -> None:
    """Write a set with variants of its pictures: moved in a VAE's latent space and by classic operations.

    Labels are carried: classes, boxes, polygons, keypoints and masks. Pictures that the set keeps for validation or
    test go along unchanged. Whether it helps, 'safelight evaluate --downstream' tells.
    """
    try:
        from safelight.augment import OPERATIONS
    except ModuleNotFoundError:
        raise RefusedError("augmentation needs OpenCV; see 'Augment a data set' in the README") from None
    if operations:
        _list_operations(OPERATIONS, as_json)
        return
    if dataset is None or (recipe is None) == (replay is None) or (output is None) == (preview is None):
        raise UsageError("give DATASET, --recipe or --replay, and -o FOLDER or --preview SHEET.png; see --help")
    if format not in (None, *FORMATS):
        raise UsageError(f"--format '{format}': use {' or '.join(FORMATS)}")
    given = {"copies": copies, "seed": seed, "balance": balance or None, "originals": originals, "format": format}
    settings = _settings(dataset, output or Path(), recipe, replay, model, given, workers)
    if preview is not None:
        from safelight.augment.make import Maker
        from safelight.augment.sheet import write_sheet

        if preview.suffix.lower() != ".png":
            raise UsageError(f"{preview}: a sheet is a PNG; give it a name that ends in .png")
        count = write_sheet(Maker(settings), preview)
        typer.echo(f"{count} variants in {preview}", err=True)
        return
    _tell(_run(settings, workers, replay), settings.output, as_json)


def _settings(
    dataset: Path,
    output: Path,
    recipe: Path | None,
    replay: Path | None,
    model: str | None,
    given: dict[str, Any],
    workers: int,
) -> "AugmentSettings":
    """From the options, or from the manifest that is replayed."""
    from safelight.augment.recipe import load_recipe
    from safelight.augment.settings import AugmentSettings, of_manifest
    from safelight.runtime.machine import cores

    threads = max(1, cores() // workers)
    known = {name: value for name, value in given.items() if value is not None}
    if replay is not None:
        if known:
            raise UsageError(f"--replay makes what its manifest says; leave --{next(iter(known))} out")
        if replay.resolve().parent == output.resolve():
            raise UsageError(f"{output}: is what is replayed; choose another -o")
        return of_manifest(replay, dataset, output, model, threads)
    assert recipe is not None
    return AugmentSettings(
        dataset,
        output,
        load_recipe(recipe),
        model,
        known.get("copies", 4),
        known.get("seed", 0),
        known.get("balance", False),
        known.get("originals", True),
        FORMATS[known.get("format", "png")],
        threads,
    )


def _run(settings: "AugmentSettings", workers: int, replay: Path | None) -> "Report":
    from rich.console import Console
    from rich.progress import Progress

    from safelight.augment.job import augment_set

    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as bar:
        row = bar.add_task("variants")
        try:
            return augment_set(
                settings, workers, replay, lambda done, of: bar.update(row, completed=done, total=max(1, of))
            )
        except KeyboardInterrupt:
            typer.echo("interrupted; what is finished is kept, run the same command again to go on", err=True)
            raise typer.Exit(INTERRUPTED) from None


def _tell(report: "Report", output: Path, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(report._asdict()))
    before = f", {report.before} of them made before" if report.before else ""
    typer.echo(f"{report.originals} files as they are and {report.variants} variants{before} in {output}", err=True)
    for label, (refused, tries) in report.refused.items():
        share = refused / tries if tries else 0.0
        typer.echo(f"guard, class {label}: {refused} of {tries} draws refused ({share:.0%})", err=True)
    if report.left_out:
        typer.echo(f"{report.left_out} variants left out, since every draw of them was refused", err=True)
    for why in report.failed:
        typer.echo(f"failed: {why}", err=True)
    if report.different:
        typer.echo(f"failed: {len(report.different)} replayed variants differ, such as {report.different[0]}", err=True)
    if report.failed or report.different:
        raise typer.Exit(1)


def _list_operations(operations: "dict[str, Operation]", as_json: bool) -> None:
    from dataclasses import asdict

    for name, operation in operations.items():
        takes = {parameter: asdict(known) for parameter, known in operation.parameters.items()}
        if as_json:
            fact = {"op": name, "kind": operation.kind, "summary": operation.summary, "labels": operation.labels}
            typer.echo(json.dumps(fact | {"parameters": takes}))
            continue
        typer.echo(f"{name} ({operation.kind}): {operation.summary} Labels: {operation.labels}.")
        for parameter, known in operation.parameters.items():
            unit = f" {known.unit}" if known.unit else ""
            usual = f"usually {known.usual[0]:g} to {known.usual[1]:g}"
            typer.echo(f"    {parameter}: {known.least:g} to {known.most:g}{unit}; {usual}")
