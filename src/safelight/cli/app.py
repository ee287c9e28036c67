"""The verbs together, and the one place where errors become a line and an exit code."""

import sys
from typing import Annotated

import typer

from safelight import __version__
from safelight.cli import augment, data, doctor, enhance, evaluate, generate, model, train
from safelight.errors import SafelightError

app = typer.Typer(
    name="safelight",
    help="Restore photographs with variational autoencoders, and know how sure the result is.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("enhance")(enhance.enhance)
app.command("train")(train.train)
app.command("data")(data.data)
app.command("generate")(generate.generate)
app.command("augment")(augment.augment)
app.command("evaluate")(evaluate.evaluate)
app.add_typer(model.app, name="model")
app.command("doctor")(doctor.doctor)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"safelight {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Restore photographs with variational autoencoders, and know how sure the result is."""


def main() -> None:
    """Entry point. Exit codes: 0 done, 1 some files failed, 2 wrong use, 3 model or device refused, 130 interrupted."""
    try:
        app()
    except SafelightError as error:
        typer.echo(f"safelight: {error}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.exit(1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        typer.echo(f"safelight: {where}{error.strerror or error}; check the path and the disk", err=True)
        sys.exit(1)
