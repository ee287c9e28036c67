"""Train a codec: from a recipe and photographs to a bundle."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from safelight.errors import UsageError
from safelight.ladder.codec import CodecNet
from safelight.learn.codec.data import CALIBRATION_PX, block_covariance
from safelight.learn.codec.finish import finish
from safelight.learn.codec.recipe import CodecRecipe
from safelight.learn.codec.task import CodecTask
from safelight.learn.job import TrainJob
from safelight.learn.loop import run_stages
from safelight.learn.photographs import open_photographs, part_sizes
from safelight.learn.run import Asked
from safelight.learn.settings import TrainReport
from safelight.learn.store import PixelStore
from safelight.work import file_sha256

Recipe = CodecRecipe


def train_task(job: TrainJob, recipe: CodecRecipe) -> TrainReport:
    """Train a codec, then export it. Raises UsageError."""
    if job.processes > 1:
        raise UsageError("a codec trains in one process in this version; leave --processes out")
    smallest_px = max(CALIBRATION_PX, *(stage.patch_px for stage in recipe.stages))
    store = open_photographs(job, recipe.data, smallest_px)
    run, resume = job.folder(recipe.name), job.settings.resume
    torch.manual_seed(recipe.seed)
    model = recipe.model.build()
    start = Path(job.settings.start) if job.settings.start and not resume else None
    if start is not None:
        _load(model, start)
    elif not resume:
        model.initialise(block_covariance(store.part(recipe.data.validation_share, 1), recipe.seed))
    if resume:
        run.resume(_asked(recipe, store))
    else:
        run.start(_asked(recipe, store), file_sha256(start) if start else None)
    parameters = sum(p.numel() for p in model.parameters()) / 1e6
    training, calibrating, measuring = part_sizes(store, recipe.data)
    job.tell(
        f"{training} pictures to train on, {calibrating} to calibrate, {measuring} to measure; "
        f"{parameters:.2f} M parameters; run in {run.folder}"
    )
    if not run_stages(CodecTask(recipe, store, model), run, job):
        return job.stopped(run)
    return job.finished(run, finish(recipe, job.settings.recipe, store, run))


def _load(model: CodecNet, path: Path) -> None:
    """Raises UsageError."""
    try:
        model.load_state_dict({name: tensor.float() for name, tensor in load_file(path).items()})
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UsageError(f"{path}: does not fit ({reason}); give --start a file of weights of equal sizes") from None


def _asked(recipe: CodecRecipe, store: PixelStore) -> Asked:
    """The card's words may change while the run goes on."""
    asked = recipe.model_dump(mode="json", exclude={"card": True, "data": {"folder"}})
    return {"recipe": asked, "pixels": store.path.stem}
