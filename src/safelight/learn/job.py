"""What `safelight train` does, from a recipe's file to a bundle."""

from collections.abc import Callable
from pathlib import Path

from safelight.errors import UsageError
from safelight.learn.finish import finish
from safelight.learn.loop import train
from safelight.learn.run import RunFolder
from safelight.learn.settings import load_recipe
from safelight.learn.store import build_store
from safelight.learn.validate import CROP_PX


def train_recipe(
    path: Path,
    data: Path | None,
    run_folder: Path | None,
    cache: Path,
    *,
    resume: bool,
    workers: int | None,
    stop_at: int | None,
    tell: Callable[[str], None],
) -> bool:
    """Train, then export to `<run>/bundle`. False if interrupted; raises UsageError and RecipeError."""
    recipe = load_recipe(path)
    folder = data or recipe.data.folder
    if folder is None:
        raise UsageError(f"{path}: names no data.folder; give --data FOLDER")
    if workers is not None:
        recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"workers": workers})})
    run = RunFolder(run_folder or Path("runs") / recipe.name)
    run.start(recipe, resume)
    smallest = max(CROP_PX, recipe.data.patch_px + recipe.data.margin_px)
    store, left_out = build_store(folder, cache, recipe.data.scales, smallest)
    for line in left_out:
        tell(f"left out: {line}")
    tell(f"{len(store.entries)} pictures in {store.path}; run in {run.folder}")
    if not train(recipe, store, run, resume, stop_at):
        tell(f"stopped; go on with: safelight train {path} --data {folder} --run {run.folder} --resume")
        return False
    bundle = finish(recipe, path, store, run)
    tell(f"bundle in {bundle.folder}: {', '.join(f'{k} {v:g}' for k, v in bundle.card.measured.items())}")
    return True
