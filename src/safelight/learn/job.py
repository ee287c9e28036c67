"""What `safelight train` does, from a recipe's file to a bundle."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from safelight.errors import UsageError
from safelight.learn.finish import finish
from safelight.learn.loop import train
from safelight.learn.run import RunFolder
from safelight.learn.settings import TrainRecipe, load_recipe
from safelight.learn.store import build_store
from safelight.learn.validate import CROP_PX


@dataclass(frozen=True)
class TrainJob:
    """What the command line says beside the recipe."""

    recipe: Path
    data: Path | None = None
    run: Path | None = None
    cache: Path = Path(".cache/pixels")
    resume: bool = False
    workers: int | None = None
    stop_at: int | None = None
    """Leave with a checkpoint after this many steps in total."""


def train_recipe(job: TrainJob, tell: Callable[[str], None]) -> bool:
    """Train, then export to `<run>/bundle`. False if interrupted; raises UsageError and RecipeError."""
    recipe = _with_workers(load_recipe(job.recipe), job.workers)
    folder = job.data or recipe.data.folder
    if folder is None:
        raise UsageError(f"{job.recipe}: names no data.folder; give --data FOLDER")
    smallest = max(CROP_PX, recipe.data.patch_px + recipe.data.margin_px)
    store, left_out = build_store(folder, job.cache, recipe.data.scales, smallest)
    for line in left_out:
        tell(f"left out: {line}")
    share = recipe.data.validation_share
    parts = store.part(share, 1), *store.part(0, share).halves()
    counts = [part.pictures for part in parts]
    if 0 in counts:
        raise UsageError(
            f"{folder}: {counts[0]} pictures to train on, {counts[1]} to calibrate, {counts[2]} to measure; "
            "each needs one: add pictures or change data.validation_share"
        )
    run = RunFolder(job.run or Path("runs") / recipe.name)
    (run.resume if job.resume else run.start)(recipe, store)
    tell(f"{counts[0]} pictures to train on, {counts[1]} to calibrate, {counts[2]} to measure; run in {run.folder}")
    if not train(recipe, store, run, job.resume, job.stop_at):
        tell(f"stopped; go on with: safelight train {job.recipe} --data {folder} --run {run.folder} --resume")
        return False
    bundle = finish(recipe, job.recipe, store, run)
    tell(f"bundle in {bundle.folder}: {', '.join(f'{k} {v:g}' for k, v in bundle.card.measured.items())}")
    return True


def _with_workers(recipe: TrainRecipe, workers: int | None) -> TrainRecipe:
    if workers is None:
        return recipe
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"workers": workers})})
