"""safelight train: recipe and pictures → a run folder and a bundle."""

import logging

import typer

from safelight.cli.console import INTERRUPTED, progress_bar, say
from safelight.cli.options import add_command
from safelight.learn.settings import TrainSettings


def add_to(app: typer.Typer) -> None:
    """The command."""
    add_command(app, "train", (TrainSettings,), train)


def train(settings: TrainSettings) -> None:
    """Train what the recipe says. Ctrl-C writes a checkpoint first; --resume goes on from it exactly.

    The run folder gets the recipe, metrics, previews, checkpoints, and at the end the bundle.
    """
    from safelight.learn.train import train as train_recipe

    lines = logging.getLogger("safelight")
    lines.setLevel(logging.INFO)
    lines.addHandler(_OnStandardError())
    with progress_bar() as on_progress:
        report = train_recipe(settings, on_progress)
    if report.bundle is None:
        raise typer.Exit(INTERRUPTED)


class _OnStandardError(logging.Handler):
    """Prints the lines that a run tells."""

    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage(), err=True)
