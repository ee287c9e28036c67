"""safelight augment: a set of pictures, enlarged by variants, with its labels."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand

from safelight.cli.console import INTERRUPTED, progress_bar, say
from safelight.cli.options import add_command
from safelight.errors import RefusedError
from safelight.jobs.augment.settings import AugmentReport, AugmentSettings
from safelight.settings import Settings, option

if TYPE_CHECKING:
    from safelight.classic import Operation


class Output(Settings):
    """What is printed."""

    operations: bool = option(False, "List all operations and what they take.", "--operations")
    as_json: bool = option(False, "The report as one JSON line on standard output.", "--json")


class OrOperations(TyperCommand):
    """The command; or, with --operations, a list that needs no data set."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Leaves after the list."""
        if "--operations" in args:
            _list_operations(as_json="--json" in args)
            ctx.exit()
        rest: list[str] = super().parse_args(ctx, args)
        return rest


def add_to(app: typer.Typer) -> None:
    """The command."""
    add_command(app, "augment", (AugmentSettings, Output), augment)
    app.registered_commands[-1].cls = OrOperations


def augment(settings: AugmentSettings, output: Output) -> None:
    """Write a set with variants of its pictures: moved in a VAE's latent space and by classic operations.

    Labels are carried: classes, boxes, polygons, keypoints and masks. Pictures that the set keeps for validation or
    test go along unchanged. 'safelight verdict' says whether it helps.
    """
    try:
        from safelight.jobs.augment.augment import augment as augment_set
        from safelight.jobs.augment.preview import preview
    except ModuleNotFoundError:
        raise _needs_opencv() from None
    if settings.preview is not None:
        with progress_bar() as on_progress:
            try:
                count = preview(settings, on_progress)
            except KeyboardInterrupt:
                say("interrupted; no contact sheet was written", err=True)
                raise typer.Exit(INTERRUPTED) from None
        if output.as_json:
            typer.echo(json.dumps({"variants": count, "preview": str(settings.preview)}))
        typer.echo(f"{count} variants in {settings.preview}", err=True)
        return
    with progress_bar() as on_progress:
        report = augment_set(settings, on_progress)
    if output.as_json:
        typer.echo(json.dumps(report._asdict()))
    for line in _words(report, settings.output):
        typer.echo(line, err=True)
    if report.failed or report.different:
        raise typer.Exit(1)


def _words(report: AugmentReport, folder: Path | None) -> Iterable[str]:
    """The report for people."""
    before = f" ({report.before} from an earlier run)" if report.before else ""
    yield f"{report.originals} files as they are and {report.variants} variants{before} in {folder}"
    for warning in report.warnings:
        yield f"warning: {warning}"
    for label, (refused, tries) in report.refused.items():
        share = refused / tries if tries else 0.0
        yield f"guard, class {label}: {refused} of {tries} draws refused ({share:.0%})"
    if report.left_out:
        yield f"{report.left_out} variants left out, since every draw of them was refused"
    for why in report.failed:
        yield f"failed: {why}"
    if report.different:
        yield f"failed: {len(report.different)} replayed variants differ, such as {report.different[0]}"


def _list_operations(as_json: bool) -> None:
    try:
        from safelight.augmentation import OPERATIONS
    except ModuleNotFoundError:
        raise _needs_opencv() from None
    for line in _json_lines(OPERATIONS) if as_json else _operations_in_words(OPERATIONS):
        typer.echo(line)


def _json_lines(operations: "Mapping[str, Operation]") -> Iterable[str]:
    for name, operation in operations.items():
        takes = {parameter: asdict(known) for parameter, known in operation.parameters.items()}
        fact = {"op": name, "kind": operation.kind, "summary": operation.summary, "labels": operation.labels}
        yield json.dumps(fact | {"parameters": takes})


def _operations_in_words(operations: "Mapping[str, Operation]") -> Iterable[str]:
    for name, operation in operations.items():
        yield f"{name} ({operation.kind}): {operation.summary} Labels: {operation.labels}."
        for parameter, known in operation.parameters.items():
            unit = f" {known.unit}" if known.unit else ""
            low, high = known.usual
            usual = f"usually {low:g}" + (f" to {high:g}" if high > low else "")
            yield f"    {parameter}: {known.least:g} to {known.most:g}{unit}; {usual}"


def _needs_opencv() -> RefusedError:
    return RefusedError("augmentation needs OpenCV; see 'Augment a data set' in the README")
