"""Train a restorer: from a recipe and photographs to a bundle."""

import torch

from safelight.errors import UsageError
from safelight.ladder.restorer import build_experts
from safelight.learn.job import TrainJob
from safelight.learn.loop import run_stages
from safelight.learn.photographs import open_photographs, part_sizes
from safelight.learn.restore.finish import finish
from safelight.learn.restore.recipe import RestoreRecipe
from safelight.learn.restore.start import open_start, starting_weights
from safelight.learn.restore.task import RestoreTask
from safelight.learn.restore.validate import CROP_PX
from safelight.learn.run import Asked, RunFolder
from safelight.learn.settings import TrainReport
from safelight.learn.store import PixelStore
from safelight.runtime.restore.look import WINDOW_PX

Recipe = RestoreRecipe


def train_task(job: TrainJob, recipe: RestoreRecipe) -> TrainReport:
    """Train the experts of a recipe, then export them. Raises UsageError."""
    recipe = _with_workers(recipe, job.settings.workers)
    store = _open_store(job, recipe)
    _check_experts_learn(job, recipe)
    run, resume = job.folder(recipe.name), job.settings.resume
    start = open_start(job.settings.start) if job.settings.start and not resume else None
    torch.manual_seed(recipe.seed)
    model = build_experts(recipe.experts, recipe.model.model_dump())
    if start:
        one_for_all = recipe.stages[0].expert is None  # then all begin with what the first has learned
        for name in recipe.experts[:1] if one_for_all else recipe.experts:
            model[name].load_state_dict(starting_weights(recipe, start, name, job), strict=False)
    if job.is_first and resume:
        run.resume(_asked(recipe, store))
    elif job.is_first:
        run.start(_asked(recipe, store), start.sha256 if start else None)
    _tell_parts(job, recipe, store, run)
    if not run_stages(RestoreTask(recipe, store, model), run, job):
        return job.stopped(run)
    if not job.is_first:
        return TrainReport(run.folder, run.bundle, {})
    return job.finished(run, finish(recipe, job.settings.recipe, store, run))


def _open_store(job: TrainJob, recipe: RestoreRecipe) -> PixelStore:
    """All photographs that every stage can use. Raises UsageError."""
    patches = (recipe.data.patch_px, *(stage.patch_px or 0 for stage in recipe.stages))
    return open_photographs(job, recipe.data, max(CROP_PX, WINDOW_PX, *patches) + recipe.data.margin_px)


def _tell_parts(job: TrainJob, recipe: RestoreRecipe, store: PixelStore, run: RunFolder) -> None:
    training, calibrating, measuring = part_sizes(store, recipe.data)
    job.tell(
        f"{training} pictures to train on, {calibrating} to calibrate, {measuring} to measure; run in {run.folder}"
    )


def _check_experts_learn(job: TrainJob, recipe: RestoreRecipe) -> None:
    """Raises UsageError for an expert that no stage trains, in a run that begins at random."""
    learning = {stage.expert for stage in recipe.stages if stage.objective == "mean"}
    idle = [name for name in recipe.experts if name not in learning]
    if idle and None not in learning and not job.settings.start and not job.settings.resume:
        raise UsageError(
            f"{job.settings.recipe}: no stage teaches expert '{idle[0]}' the mean; add one, or give --start BUNDLE"
        )


def _asked(recipe: RestoreRecipe, store: PixelStore) -> Asked:
    """The card's words may change while the run goes on."""
    asked = recipe.model_dump(mode="json", exclude={"card": True, "data": {"folder", "workers"}})
    return {"recipe": asked, "pixels": store.path.stem}


def _with_workers(recipe: RestoreRecipe, workers: int | None) -> RestoreRecipe:
    if workers is None:
        return recipe
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"workers": workers})})
