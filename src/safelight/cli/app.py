"""The verbs together, and the one place where errors become a line and an exit code."""

import sys
from difflib import get_close_matches
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from safelight import __version__
from safelight.cli.console import prepare_terminal
from safelight.errors import SafelightError, UsageError, on_one_line, shown

LONGEST = 2000
"""Characters of an error's line: a stranger's file may have any number in a name."""
VERBS = {
    "enhance": "Restore pictures: noise, JPEG artefacts, slight blur. Metadata, depth and alpha are kept.",
    "train": "Train a restorer or a VAE of a set of pictures, from a recipe.",
    "generate": "Make new pictures with a VAE of a set of pictures.",
    "compress": "Compress pictures to small files that every machine decodes to the same pixels.",
    "decompress": "Decode what 'compress' wrote.",
    "augment": "Write a set of pictures with variants of them, and with their labels.",
    "evaluate": "Measure a VAE of a set of pictures, or a codec, on pictures that it was not trained on.",
    "verdict": "Train classifiers with and without an augmentation, and say whether it helps.",
    "data": "Look at a set of pictures before training on it.",
    "studio": "All of this in a browser, on this machine alone.",
    "model": "Bundles: list them, read their cards, verify and export them.",
    "doctor": "What this machine has, and what Safelight will do with it.",
}
"""What `--help` says of each. The file of that name in this folder adds the command (`add_to`), when it is needed."""


SYNONYMS = {
    "restore": "enhance",
    "denoise": "enhance",
    "sample": "generate",
    "encode": "compress",
    "decode": "decompress",
}
"""What people may try, and the verb that does it."""


class Verbs(TyperGroup):
    """Imports a verb only when it is run: the command line must start at once."""

    def list_commands(self, ctx: Any) -> list[str]:
        """In the order of the table."""
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A stand-in with the one line for `--help`; None for an unknown verb."""
        return TyperCommand(cmd_name, help=VERBS[cmd_name]) if cmd_name in VERBS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command itself. Raises UsageError for an unknown verb, with the one that may be meant."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            near = SYNONYMS.get(args[0]) or next(iter(get_close_matches(args[0], VERBS)), None)
            meant = f"; did you mean '{near}'?" if near else "; see safelight --help"
            raise UsageError(f"'{args[0]}' is no command{meant}")
        name, stand_in, rest = super().resolve_command(ctx, args)
        return (name, stand_in, rest) if stand_in is None else (name, _loaded(str(name)), rest)


def _loaded(verb: str) -> Any:
    alone = _typer()
    import_module(f"safelight.cli.{verb}").add_to(alone)
    command = typer.main.get_command(alone)
    return command.commands[verb] if isinstance(command, TyperGroup) else command


def _typer(**settings: Any) -> typer.Typer:
    return typer.Typer(
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        **settings,
    )


app = _typer(name="safelight", cls=Verbs, no_args_is_help=True)


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
    """Restore, augment, generate and evaluate images with variational autoencoders, on ordinary computers."""


def main() -> None:
    """Entry point. Exit codes: 0 done, 1 some files failed, 2 wrong use, 3 model or device refused, 130 interrupted."""
    try:
        prepare_terminal()
        app()
    except SafelightError as error:
        typer.echo(f"safelight: {on_one_line(str(error))[:LONGEST]}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.exit(1)
    except OSError as error:
        where = f"{on_one_line(shown(error.filename))}: " if error.filename else ""
        typer.echo(f"safelight: {where}{error.strerror or error}; check the path and the disk", err=True)
        sys.exit(1)
