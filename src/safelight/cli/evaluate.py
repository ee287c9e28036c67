"""safelight evaluate: how good a model of a set of pictures is, on pictures that it was not trained on."""

import json

import typer
from typer.core import TyperCommand

from safelight.cli.console import progress_bar
from safelight.cli.options import add_command
from safelight.cli.output import ReportOutput
from safelight.errors import UsageError
from safelight.jobs.evaluate import EvaluateReport, EvaluateSettings
from safelight.jobs.evaluate import evaluate as measure

MOVED = "--downstream"
"""An option of old, with others that only it took; all of them belong to another command now."""


class _Evaluate(TyperCommand):
    """Tells people with an old command line where the comparison of augmentations went."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Raises UsageError for the option of old."""
        for k, word in enumerate(args):
            if word.partition("=")[0] == MOVED:
                dataset = word.partition("=")[2] or "".join(args[k + 1 : k + 2]) or "DATASET"
                raise UsageError(
                    f"this comparison is now 'safelight verdict {dataset} --recipe AUG.toml'; see its --help"
                )
        return super().parse_args(ctx, args)


def add_to(app: typer.Typer) -> None:
    """The command."""
    add_command(app, "evaluate", (EvaluateSettings, ReportOutput), evaluate)
    app.registered_commands[-1].cls = _Evaluate


def evaluate(settings: EvaluateSettings, output: ReportOutput) -> None:
    """Measure a VAE of a set of pictures: ELBO, likelihood, reconstructions, latents in use, samples."""
    with progress_bar() as on_progress:
        report = measure(settings, on_progress)
    typer.echo(f"{report.pictures} pictures of {settings.data}: {report.part}", err=True)
    if output.as_json:
        typer.echo(json.dumps(report.as_dict()))
    else:
        _print(report)
    if output.html is not None:
        report.write_page(output.html)


def _print(report: EvaluateReport) -> None:
    """For people."""
    width = max(map(len, report.numbers))
    for name, number in report.numbers.items():
        typer.echo(f"{name:<{width}}  {number:.6g}")
    for note in report.notes:
        typer.echo(note)
