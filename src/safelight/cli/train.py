"""safelight train: recipe and pictures → a run folder and a bundle."""

from pathlib import Path
from typing import Annotated

import typer

from safelight.errors import RefusedError


def train(
    recipe: Annotated[Path, typer.Argument(help="A training recipe, such as recipes/photo.toml.")],
    data: Annotated[Path | None, typer.Option(help="Folder of photographs; needed if the recipe names none.")] = None,
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
) -> None:
    """Train a restoration ladder; Ctrl-C writes a checkpoint first, --resume goes on exactly."""
    try:
        from safelight.learn.job import TrainJob, train_recipe
    except ModuleNotFoundError as error:
        raise RefusedError(f"training needs '{error.name}'; see 'Train your own' in the README") from None
    job = TrainJob(recipe, data, run, cache, resume, start, workers, stop_at)
    if not train_recipe(job, lambda line: typer.echo(line, err=True)):
        raise typer.Exit(130)
