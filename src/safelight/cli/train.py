"""safelight train: recipe and pictures → a run folder and a bundle."""

import re
from pathlib import Path
from typing import Annotated

import typer

from safelight.errors import UsageError

UNITS_S = {"s": 1, "m": 60, "h": 3600}


def train(
    recipe: Annotated[Path, typer.Argument(help="A training recipe, such as recipes/photo.toml.")],
    data: Annotated[
        Path | None, typer.Option(help="Photographs, or a set of pictures; needed if the recipe names none.")
    ] = None,
    run: Annotated[Path | None, typer.Option(help="Run folder; default runs/NAME.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the run stopped.")] = False,
    start: Annotated[
        str | None, typer.Option(help="Begin with the weights of this bundle, such as photo, not at random.")
    ] = None,
    cache: Annotated[Path, typer.Option(help="Where decoded pictures are kept.")] = Path(".cache/pixels"),
    workers: Annotated[int | None, typer.Option(min=0, help="Loader processes; overrides the recipe's.")] = None,
    stop_at: Annotated[
        int | None, typer.Option(min=1, help="Write a checkpoint and leave after this many steps in total.")
    ] = None,
    budget: Annotated[
        str | None, typer.Option(help="Time to train, as 90s, 10m or 2h; schedules follow the clock then.")
    ] = None,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write metrics for TensorBoard, too; it must be installed.")
    ] = False,
) -> None:
    """Train what the recipe says; Ctrl-C writes a checkpoint first, --resume goes on exactly."""
    from safelight.learn.fit import run_recipe

    done = run_recipe(
        recipe,
        data,
        run,
        lambda line: typer.echo(line, err=True),
        cache=cache,
        resume=resume,
        start=start,
        workers=workers,
        stop_at=stop_at,
        budget_s=None if budget is None else _seconds(budget),
        tensorboard=tensorboard,
    )
    if not done:
        raise typer.Exit(130)


def _seconds(budget: str) -> float:
    """Raises UsageError for what is no time."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", budget)
    if found is None or float(found[1]) == 0:
        raise UsageError(f"--budget {budget}: is no time; write 90s, 10m or 2h")
    return float(found[1]) * UNITS_S[found[2]]
