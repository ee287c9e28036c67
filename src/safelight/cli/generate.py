"""safelight generate: new pictures of a VAE of a set of pictures, and ways through its latent space."""

import json

import typer

from safelight.cli.console import progress_bar
from safelight.cli.options import add_command
from safelight.jobs.generate.settings import GenerateSettings
from safelight.settings import Settings, option


class Output(Settings):
    """What is printed."""

    as_json: bool = option(False, "One JSON line per picture on standard output.", "--json")


def add_to(app: typer.Typer) -> None:
    """The command."""
    add_command(app, "generate", (GenerateSettings, Output), generate)


def generate(settings: GenerateSettings, output: Output) -> None:
    """Make pictures: random ones, a way between two pictures, or one latent varied."""
    from safelight.jobs.generate.generate import generate as make_pictures

    with progress_bar() as on_progress:
        report = make_pictures(settings, on_progress)
    for line in report.lines if output.as_json else ():
        typer.echo(json.dumps(line))
