"""Any recipe: its `task` says what is trained."""

from pathlib import Path

from safelight.errors import RecipeError
from safelight.learn.images.settings import ImageRecipe
from safelight.learn.images.train import train_images
from safelight.learn.job import Tell, TrainJob
from safelight.learn.restore.settings import TrainRecipe
from safelight.learn.restore.train import train_restorer
from safelight.settings import checked, read_toml

KINDS: dict[str, type[TrainRecipe] | type[ImageRecipe]] = {"restore": TrainRecipe, "images": ImageRecipe}


def read_recipe(path: Path) -> TrainRecipe | ImageRecipe:
    """Of any task; raises RecipeError with file, key and reason."""
    keys = read_toml(path)
    if "steps" in keys:
        raise RecipeError(f"{path}: is a recipe of 'safelight augment', not of training; name another")
    task = keys.get("task", "restore")
    if task not in KINDS:
        raise RecipeError(f"{path}: task '{task}' is not known; use {' or '.join(KINDS)}")
    return checked(KINDS[task], keys, path)


def train_recipe(job: TrainJob, tell: Tell) -> bool:
    """Train, then export to `<run>/bundle`. False if interrupted; raises SafelightError."""
    recipe = read_recipe(job.recipe)
    if isinstance(recipe, TrainRecipe):
        return train_restorer(job, recipe, tell)
    return train_images(job, recipe, tell)
