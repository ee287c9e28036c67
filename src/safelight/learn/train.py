"""The verb: recipe and pictures → a run folder with a bundle. Any recipe: its `task` says what is trained.

The folder `learn/<task>` has a module `train` with the class `Recipe` and the function `train_task(job, recipe)`.
"""

import os
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from safelight.bundle import TASKS
from safelight.errors import RecipeError, RefusedError
from safelight.learn.recipe import Recipe
from safelight.learn.settings import TrainReport, TrainSettings
from safelight.settings import checked, read_toml
from safelight.work import OnProgress, Progress, silent
from safelight.work.nodes import cluster_address

LAUNCHED = "WORLD_SIZE"
"""The variable that launchers of several processes set, such as torchrun."""
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
    address = None if LAUNCHED in os.environ else cluster_address(settings.engine)
    if address is not None:
        from safelight.learn.cluster import train_on_cluster

        named = settings.model_copy(update={"run": folder_of(settings, recipe)})
        return train_on_cluster(train_here, named, address, on_progress)
    if settings.processes > 1 and LAUNCHED not in os.environ:
        from safelight.learn.processes import train_in_processes

        return train_in_processes(train_here, settings, on_progress)
    return train_here(settings, on_progress)


def folder_of(settings: TrainSettings, recipe: Recipe) -> Path:
    """The run's, by default that of the recipe's name."""
    return settings.run or Path("runs") / recipe.name


def train_here(settings: TrainSettings, on_progress: OnProgress) -> TrainReport:
    """In this process, alone or as one of several. Raises what `train` raises."""
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
