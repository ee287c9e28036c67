"""safelight evaluate: how good a model of a set of pictures is, on pictures that it was not trained on."""

import json

import typer
from typer.core import TyperCommand

from safelight.cli.console import progress_bar
from safelight.cli.options import add_command
from safelight.cli.output import ReportOutput
from safelight.errors import UsageError, shown
from safelight.jobs.evaluate import EvaluateReport, EvaluateSettings
from safelight.jobs.evaluate import evaluate as measure
from safelight.jobs.evaluate_codec import CodecEvaluateSettings
from safelight.jobs.evaluate_codec import evaluate_codec as measure_codec

CODEC = "--codec"
MOVED = "--downstream"
"""An option of old, with others that only it took; all of them belong to another command now."""


class _Evaluate(TyperCommand):
    """Has the options of codecs if a codec is named, and tells people with an old command line what is new."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Raises UsageError for the option of old."""
        names = [word.partition("=")[0] for word in args]
        if CODEC in names:
            other = typer.main.get_command(_codec_app())
            self.params, self.callback, self.help = other.params, other.callback, other.help
        for k, word in enumerate(args):
            if names[k] == MOVED:
                dataset = word.partition("=")[2] or "".join(args[k + 1 : k + 2]) or "DATASET"
                raise UsageError(
                    f"this comparison is now 'safelight verdict {dataset} --recipe AUG.toml'; see its --help"
                )
        return super().parse_args(ctx, args)


def _codec_app() -> typer.Typer:
    """The command as it is for codecs: other options, another report."""
    app = typer.Typer(add_completion=False)
    add_command(app, "evaluate", (CodecEvaluateSettings, ReportOutput), evaluate_codec)
    return app


def add_to(app: typer.Typer) -> None:
    """The command."""
    add_command(app, "evaluate", (EvaluateSettings, ReportOutput), evaluate)
    app.registered_commands[-1].cls = _Evaluate


def evaluate(settings: EvaluateSettings, output: ReportOutput) -> None:
    """Measure a VAE of a set of pictures: ELBO, likelihood, reconstructions, latents in use, samples.

    A codec is measured by 'safelight evaluate --codec NAME'; see 'safelight evaluate --codec NAME --help'.
    """
    with progress_bar() as on_progress:
        report = measure(settings, on_progress)
    typer.echo(f"{report.pictures} pictures of {shown(settings.data)}: {report.part}", err=True)
    if output.as_json:
        typer.echo(json.dumps(report.as_dict()))
    else:
        _print(report)
    if output.html is not None:
        report.write_page(output.html)


def evaluate_codec(settings: CodecEvaluateSettings, output: ReportOutput) -> None:
    """Measure a codec on photographs, beside JPEG, WebP and AVIF: rate-distortion curves and BD-rates."""
    with progress_bar() as on_progress:
        report = measure_codec(settings, on_progress)
    for line in report.left_out:
        typer.echo(f"left out: {line}", err=True)
    typer.echo(f"{report.pictures} photographs of {shown(settings.data)}", err=True)
    if output.as_json:
        typer.echo(json.dumps(report.as_dict()))
    else:
        for name, number in report.numbers.items():
            typer.echo(f"{name}  {number:+.1f}")
    if output.html is not None:
        report.write_page(output.html)


def _print(report: EvaluateReport) -> None:
    """For people."""
    for note in report.notes:
        typer.echo(note)
    width = max(map(len, report.numbers))
    for name, number in report.numbers.items():
        typer.echo(f"{name:<{width}}  {number:.6g}")
