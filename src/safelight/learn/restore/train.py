"""What `safelight train` does for a restoration ladder, from a recipe to a bundle."""

import re

import torch
from safetensors.torch import load_file
from torch import Tensor

from safelight.bundle import Bundle, RestorerCard, find_bundle
from safelight.errors import UsageError
from safelight.ladder.restorer import build_experts, build_restorer
from safelight.learn.job import Tell, TrainJob
from safelight.learn.loop import train
from safelight.learn.restore.export import TRAINING_ONLY
from safelight.learn.restore.finish import finish
from safelight.learn.restore.settings import TrainRecipe
from safelight.learn.restore.store import PixelStore, build_store
from safelight.learn.restore.task import RestoreTask
from safelight.learn.restore.validate import CROP_PX
from safelight.learn.run import Asked
from safelight.runtime.restore.look import WINDOW_PX


def train_restorer(job: TrainJob, recipe: TrainRecipe, tell: Tell) -> bool:
    """Train a restoration ladder, then export it. False if interrupted; raises UsageError."""
    recipe = _with_workers(recipe, job.workers)
    folder = job.data or recipe.data.folder
    if folder is None:
        raise UsageError(f"{job.recipe}: names no data.folder; give --data FOLDER")
    patches = (recipe.data.patch_px, *(stage.patch_px or 0 for stage in recipe.stages))
    smallest = max(CROP_PX, WINDOW_PX, *patches) + recipe.data.margin_px
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
    learning = {stage.expert for stage in recipe.stages if stage.objective == "mean"}
    idle = [name for name in recipe.experts if name not in learning]
    if idle and None not in learning and not job.start and not job.resume:
        raise UsageError(f"{job.recipe}: no stage teaches expert '{idle[0]}' the mean; add one, or give --start BUNDLE")
    run = job.folder(recipe.name)
    start = find_bundle(job.start, RestorerCard) if job.start and not job.resume else None
    torch.manual_seed(recipe.seed)
    model = build_experts(recipe.experts, recipe.model.model_dump())
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    together = recipe.stages[0].expert is None  # then all begin with what the first has learned
    if start:
        for name in recipe.experts[:1] if together else recipe.experts:
            model[name].load_state_dict(_fitting_weights(recipe, start, name, tell), strict=False)
    if job.resume:
        run.resume(_asked(recipe, store))
    else:
        run.start(_asked(recipe, store), start.sha256 if start else None)
    tell(f"{counts[0]} pictures to train on, {counts[1]} to calibrate, {counts[2]} to measure; run in {run.folder}")
    if not train(RestoreTask(recipe, store, model), run, job.resume, job.limits):
        tell(job.how_to_resume)
        return False
    bundle = finish(recipe, job.recipe, store, run)
    tell(f"bundle in {bundle.folder}: {', '.join(f'{k} {v:g}' for k, v in bundle.card.measured.items())}")
    return True


def _asked(recipe: TrainRecipe, store: PixelStore) -> Asked:
    """The card's words may change while the run goes on."""
    asked = recipe.model_dump(mode="json", exclude={"card": True, "data": {"folder", "workers"}})
    return {"recipe": asked, "pixels": store.path.stem}


def _fitting_weights(recipe: TrainRecipe, start: Bundle[RestorerCard], expert: str, tell: Tell) -> dict[str, Tensor]:
    """What of a bundle's weights fits an expert of the recipe, part by part: those of the bundle's expert of that name,
    or else of its first. Raises UsageError if the trunk does not fit.

    Residual blocks that only the recipe has begin silent, so that the grown trunk computes what the given one does
    (Chen et al., "Net2Net", ICLR 2016). What a bundle goes without, the ladder's view of the clean picture, is learned
    anew.
    """
    torch.manual_seed(recipe.seed)
    wanted = build_restorer(**recipe.model.model_dump()).state_dict()
    teacher = expert if expert in start.card.experts else start.card.experts[0]
    given = {name: t.float() for name, t in load_file(start.path(f"{teacher}/weights.safetensors")).items()}
    grown = [name for name in wanted.keys() - given.keys() if re.fullmatch(r"trunk\..*\.conv\d\.(weight|bias)", name)]
    given |= {name: tensor for name, tensor in wanted.items() if TRAINING_ONLY.match(name)}
    given |= {name: torch.zeros_like(wanted[name]) if ".conv2." in name else wanted[name] for name in grown}
    fits = {name: name in given and given[name].shape == tensor.shape for name, tensor in wanted.items()}
    misfits = [name for name, does in fits.items() if not does] + list(given.keys() - wanted.keys())
    fresh = sorted({name.partition(".")[0] for name in misfits})
    if "trunk" in fresh:
        raise UsageError(f"{start.folder}: has a trunk of other sizes; make the recipe's [model] equal to its own")
    blocks = f"; {len(grown) // 4} new blocks in the trunk" if grown else ""
    new = f"; new: {', '.join(fresh)}" if fresh else ""
    tell(f"{expert} starts from {start.card.name}'s {teacher}{blocks}{new}")
    return {name: given[name] for name in wanted if name.partition(".")[0] not in fresh}  # a part whole, or not at all


def _with_workers(recipe: TrainRecipe, workers: int | None) -> TrainRecipe:
    if workers is None:
        return recipe
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"workers": workers})})
