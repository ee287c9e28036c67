"""safelight studio: all jobs in a browser."""

from collections.abc import Callable
from typing import Any

import typer

from safelight.cli.options import add_command
from safelight.errors import RefusedError, installed_by
from safelight.studio.settings import StudioSettings


def studio(settings: StudioSettings) -> None:
    """Open a page on this machine that does what the commands do. Nothing leaves the machine."""
    _server()(settings, typer.echo)


def _server() -> Callable[..., Any]:
    """Raises RefusedError if the extra is not installed."""
    try:
        from safelight.studio.serve import studio as serve
    except ModuleNotFoundError as error:
        raise RefusedError(f"the studio needs {error.name}; {installed_by('studio')}") from None
    return serve


def add_to(app: typer.Typer) -> None:
    """The command."""
    add_command(app, "studio", (StudioSettings,), studio)
