"""The door to training, for the command line and for Python: it opens where the packages for training are."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from safelight.errors import RefusedError, TrainingError, UsageError

if TYPE_CHECKING:
    from safelight.learn.job import Tell
    from safelight.learn.run import RunFolder


def run_recipe(
    recipe: Path,
    data: Path | None,
    run: Path | None,
    tell: "Tell",
    *,
    cache: Path,
    resume: bool = False,
    start: str | None = None,
    workers: int | None = None,
    stop_at: int | None = None,
    budget_s: float | None = None,
    tensorboard: bool = False,
) -> bool:
    """See `cli.train` for the arguments. False if interrupted; raises RefusedError if a package is missing."""
    if budget_s is not None and not budget_s > 0:
        raise UsageError(f"a budget of {budget_s} s; give a time above 0")
    try:
        from safelight.learn.job import TrainJob
        from safelight.learn.loop import Limits
        from safelight.learn.recipes import train_recipe
    except ModuleNotFoundError as error:
        raise RefusedError(f"training needs '{error.name}'; see 'Train your own' in the README") from None
    job = TrainJob(recipe, data, run, cache, resume, start, workers, Limits(stop_at, budget_s), tensorboard)
    return train_recipe(job, tell)


def fit(
    recipe: str | Path,
    data: str | Path | None = None,
    run: str | Path = "runs/fit",
    *,
    resume: bool = False,
    budget_s: float | None = None,
    cache: str | Path = ".cache/pixels",
) -> "RunFolder":
    """Train what a recipe says, in the folder `run`, which has the model in `.bundle`, for `safelight.load`.

    Raises RefusedError if a package for training is missing, RecipeError and UsageError for what makes no sense,
    TrainingError if the run cannot go on or was interrupted (`resume` goes on).
    """
    folder, source = Path(run), None if data is None else Path(data)
    told = lambda line: print(line, file=sys.stderr)  # noqa: E731, T201
    if not run_recipe(Path(recipe), source, folder, told, cache=Path(cache), resume=resume, budget_s=budget_s):
        raise TrainingError(f"{folder}: was interrupted; go on with resume=True")
    from safelight.learn.run import RunFolder

    return RunFolder(folder)
