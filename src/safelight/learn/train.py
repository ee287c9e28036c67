"""The verb: recipe and pictures → a run folder with a bundle. Any recipe: its `task` says what is trained.

The folder `learn/<task>` has a module `train` with the class `Recipe` and the function `train_task(job, recipe)`.
"""

from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from safelight.bundle import TASKS
from safelight.errors import RecipeError, RefusedError
from safelight.learn.recipe import Recipe
from safelight.learn.settings import TrainReport, TrainSettings
from safelight.settings import checked, read_toml
from safelight.work import OnProgress, Progress, silent

FIRST_TASK = "restore"
"""Of a recipe that names none."""


class Column(Protocol):
    """What a task's module `train` has."""

    Recipe: type[Recipe]

    def train_task(self, job: Any, recipe: Any) -> TrainReport:
        """Train what the recipe says, then export it to `<run>/bundle`."""


def train(settings: TrainSettings, on_progress: OnProgress = silent) -> TrainReport:
    """Train what a recipe says. Ctrl-C, and a callback that raises `Cancelled`, write a checkpoint first.

    Raises RefusedError if a package for training is missing, RecipeError and UsageError for what makes no sense,
    TrainingError if the run cannot go on.
    """
    recipe = read_recipe(settings.recipe)
    from safelight.learn.job import TrainJob  # torch is an extra

    on_progress(Progress(0, 0, "reading pictures"))
    return column(recipe.task).train_task(TrainJob(settings, on_progress), recipe)


def read_recipe(path: Path) -> Recipe:
    """A recipe of any task. Raises RecipeError with file, key and reason."""
    keys = read_toml(path)
    if "steps" in keys:
        raise RecipeError(f"{path}: is a recipe of 'safelight augment', not of training; name another")
    task = keys.get("task", FIRST_TASK)
    if task not in TASKS:
        raise RecipeError(f"{path}: task '{task}' is not known; use {' or '.join(TASKS)}")
    return checked(column(task).Recipe, keys, path)


def column(task: str) -> Column:
    """The module that trains a task. Raises RefusedError if a package for training is missing."""
    try:
        module: Any = import_module(f"safelight.learn.{task}.train")
    except ModuleNotFoundError as error:
        raise RefusedError(f"training needs '{error.name}'; see 'Train your own' in the README") from None
    found: Column = module
    return found
