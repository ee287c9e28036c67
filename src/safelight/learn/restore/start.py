"""The weights that a run begins with: a bundle's, or those of a file of averaged weights."""

from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from safelight.bundle import RestorerCard, find_bundle
from safelight.bundle.restore import WEIGHTS
from safelight.errors import UsageError
from safelight.ladder.restorer import build_restorer
from safelight.learn.job import TrainJob
from safelight.learn.restore.export import TRAINING_ONLY
from safelight.learn.restore.grow import grow
from safelight.learn.restore.recipe import RestoreRecipe
from safelight.work import file_sha256


class Start(NamedTuple):
    """Where a run begins."""

    name: str
    sha256: str
    weights: dict[str, dict[str, Tensor]]
    """Expert → its tensors by name, in the order of the experts."""


def open_start(given: str) -> Start:
    """A bundle by name or path, or a .safetensors file such as a checkpoint's ema.safetensors.

    In a file names begin with the expert's: `noise.trunk.head.weight`. Raises BundleError and UsageError.
    """
    path = Path(given)
    if path.suffix != ".safetensors":
        bundle = find_bundle(given, RestorerCard)
        by_expert = {name: load_file(bundle.path(f"{name}/{WEIGHTS}")) for name in bundle.card.experts}
        return Start(bundle.card.name, bundle.sha256, by_expert)
    try:
        tensors, sha256 = load_file(path), file_sha256(path)
    except (OSError, SafetensorError) as error:
        raise UsageError(f"{path}: cannot be read ({error}); give --start a bundle or a file of weights") from None
    weights: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        expert, _, own = name.partition(".")
        weights.setdefault(expert, {})[own] = tensor
    return Start(path.name, sha256, weights)


def starting_weights(recipe: RestoreRecipe, start: Start, expert: str, job: TrainJob) -> dict[str, Tensor]:
    """What an expert of the recipe begins with, part by part: the weights of the start's expert of that name.

    If there is none of that name, those of its first expert. They grow where the recipe's sizes are larger
    (`learn.restore.grow`). What a bundle goes without, the ladder's view of the clean picture, is learned anew.
    Raises UsageError if the trunk does not fit.
    """
    torch.manual_seed(recipe.seed)
    wanted = build_restorer(**recipe.model.model_dump()).state_dict()
    teacher = expert if expert in start.weights else next(iter(start.weights))
    given = {name: tensor.float() for name, tensor in start.weights[teacher].items()}
    given |= {name: tensor for name, tensor in wanted.items() if TRAINING_ONLY.match(name) and name not in given}
    given, grown = grow(given, wanted)
    misfits = [name for name in wanted if name not in given] + list(given.keys() - wanted.keys())
    fresh = sorted({name.partition(".")[0] for name in misfits})
    if "trunk" in fresh:
        raise UsageError(f"{start.name}: has a trunk of other sizes; make the recipe's [model] equal, or larger")
    new = f"; new: {', '.join(fresh)}" if fresh else ""
    job.tell(f"{expert} starts from {start.name}'s {teacher}{f'; {grown}' if grown else ''}{new}")
    return {name: given[name] for name in wanted if name.partition(".")[0] not in fresh}  # a part whole, or not at all
