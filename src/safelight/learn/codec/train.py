"""Train a codec: from a recipe and photographs to a bundle."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from safelight.errors import UsageError
from safelight.ladder.codec import CodecNet
from safelight.learn.codec.data import block_covariance
from safelight.learn.codec.finish import CALIBRATION_PX, finish
from safelight.learn.codec.recipe import CodecRecipe
from safelight.learn.codec.task import CodecTask
from safelight.learn.device import place
from safelight.learn.job import TrainJob
from safelight.learn.loop import run_stages
from safelight.learn.run import Asked
from safelight.learn.settings import TrainReport
from safelight.learn.store import PixelStore, build_store
from safelight.work import file_sha256

Recipe = CodecRecipe


def train_task(job: TrainJob, recipe: CodecRecipe) -> TrainReport:
    """Train a codec, then export it. Raises UsageError."""
    store = _open_store(job, recipe)
    run, resume = job.folder(recipe.name), job.settings.resume
    torch.manual_seed(recipe.seed)
    model = recipe.model.build()
    start = Path(job.settings.start) if job.settings.start and not resume else None
    if start is not None:
        _load(model, start)
    elif not resume:
        model.initialise(block_covariance(store.part(recipe.data.validation_share, 1), recipe.seed))
    place(model)
    if resume:
        run.resume(_asked(recipe, store))
    else:
        run.start(_asked(recipe, store), file_sha256(start) if start else None)
    parameters = sum(p.numel() for p in model.parameters()) / 1e6
    held_out = store.part(0, recipe.data.validation_share).pictures
    job.tell(
        f"{store.pictures - held_out} pictures to train on, {held_out} held out; "
        f"{parameters:.2f} M parameters; run in {run.folder}"
    )
    if not run_stages(CodecTask(recipe, store, model), run, job):
        return job.stopped(run)
    return job.finished(run, finish(recipe, job.settings.recipe, store, run))


def _open_store(job: TrainJob, recipe: CodecRecipe) -> PixelStore:
    """All photographs, decoded; tells which files are left out. Raises UsageError if a part of the split is empty."""
    folder = job.settings.data or recipe.data.folder
    if folder is None:
        raise UsageError(f"{job.settings.recipe}: names no data.folder; give --data FOLDER")
    smallest = max(CALIBRATION_PX, *(stage.patch_px for stage in recipe.stages))
    store, left_out = build_store(folder, job.settings.cache, recipe.data.scales, smallest)
    for line in left_out:
        job.tell(f"left out: {line}")
    share = recipe.data.validation_share
    parts = (store.part(share, 1), *store.part(0, share).halves())
    if not all(part.pictures for part in parts):
        counts = ", ".join(str(part.pictures) for part in parts)
        raise UsageError(
            f"{folder}: {counts} pictures to train on, to validate and to measure; "
            "each needs one: add pictures or change data.validation_share"
        )
    return store


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
