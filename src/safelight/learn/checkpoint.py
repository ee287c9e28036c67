"""Checkpoints without pickle: tensors in safetensors, numbers in JSON, replaced in one rename.

There is no random state to save: every draw is keyed by the step (learn/restore/data.py), so weights, EMA,
optimiser moments and the counters are the whole state, and resuming is bit-identical to not stopping.
"""

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from safelight.errors import TrainingError, UsageError
from safelight.learn.ema import Ema
from safelight.work import replacing

FIRST_STEPS = 5
"""Of a stage: they take longer than the others, since memory is taken and kernels are chosen."""


@dataclass
class Progress:
    """Where a run is."""

    stage: int = 0
    step: int = 0
    """Steps done in this stage."""
    seconds: float = 0.0
    """Spent on them, validation left out."""
    first_seconds: float = 0.0
    """Of these, spent on the first `FIRST_STEPS`, which are slow."""
    rate_factor: float = 1.0
    """What going back has made of the learning rate."""
    rollbacks: int = 0
    best: float | None = None
    """The lowest validation number that judges this stage."""
    bad_validations: int = 0
    """Since the best one."""
    skipped: int = 0
    """Steps whose gradient was an outlier or not finite; they changed nothing."""
    skipped_in_a_row: int = 0
    norm_average: float = 0.0
    """Running average of the gradient norm, which says what an outlier is."""

    ended: list[int] = field(default_factory=list)
    """Steps of the stages before."""

    def spend(self, seconds: float) -> None:
        """Count a step's time."""
        self.seconds += seconds
        if self.step == FIRST_STEPS:
            self.first_seconds = self.seconds

    def next_stage(self) -> None:
        """Counters of a stage begin anew."""
        ended = [*self.ended, self.step]
        fresh = Progress(stage=self.stage + 1, rate_factor=self.rate_factor, skipped=self.skipped, ended=ended)
        vars(self).update(vars(fresh))

    def judge(self, number: float) -> None:
        """Take note of a validation."""
        better = self.best is None or number < self.best
        self.best, self.bad_validations = (number, 0) if better else (self.best, self.bad_validations + 1)


class State(NamedTuple):
    """All that a run needs to go on exactly."""

    model: nn.Module
    ema: Ema
    optimiser: torch.optim.Optimizer
    progress: Progress


def save(folder: Path, state: State) -> None:
    """Write `folder` anew; a kill at any moment leaves the old or the new one.

    Raises TrainingError if it cannot be written; the old one stays.
    """
    before = find(folder)
    if before is not None and before != folder:  # what a kill between two renames left
        before.rename(folder)
    fresh = folder.with_name(folder.name + ".new")
    try:
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        save_file({k: v.contiguous() for k, v in state.model.state_dict().items()}, fresh / "weights.safetensors")
        save_file(state.ema.state_dict(), fresh / "ema.safetensors")
        save_file(_moments(state.model, state.optimiser), fresh / "optimiser.safetensors")
        with replacing(fresh / "progress.json") as part:  # last, since it makes the folder a checkpoint
            part.write_text(json.dumps(asdict(state.progress)))
    except (OSError, SafetensorError) as error:
        shutil.rmtree(fresh, ignore_errors=True)
        kept = "the last checkpoint stays" if find(folder) else "there is no other checkpoint"
        raise TrainingError(f"{fresh}: cannot be written ({error}), {kept}; make room, then --resume") from None
    old = folder.with_name(folder.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def save_weights(path: Path, ema: Ema) -> None:
    """The averaged weights alone, in one rename. Raises TrainingError if they cannot be written."""
    try:
        with replacing(path) as part:
            save_file(ema.state_dict(), part)
    except (OSError, SafetensorError) as error:
        raise TrainingError(f"{path}: cannot be written ({error}); make room, then --resume") from None


def find(folder: Path) -> Path | None:
    """The newest complete checkpoint: `folder`, or what a kill between two renames left."""
    names = (folder, folder.with_name(folder.name + ".new"), folder.with_name(folder.name + ".old"))
    return next((path for path in names if (path / "progress.json").exists()), None)


def load_progress(folder: Path) -> Progress:
    """The counters alone; they say which stage's optimiser to build. Raises UsageError."""
    try:
        return Progress(**json.loads((folder / "progress.json").read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"{folder}: not a usable checkpoint ({error}); choose another --run") from None


def load(folder: Path, model: nn.Module, ema: Ema, optimiser: torch.optim.Optimizer) -> None:
    """Put a checkpoint's tensors into what was built for its stage."""
    model.load_state_dict(load_file(folder / "weights.safetensors"))
    ema.load_state_dict(load_file(folder / "ema.safetensors"))
    moments = load_file(folder / "optimiser.safetensors")
    for name, parameter in _trained(model, optimiser):
        mine = [key for key in moments if key.startswith(f"{name}/")]
        state: dict[str, Any] = {key.removeprefix(f"{name}/"): moments[key] for key in mine}
        if "step" in state:
            state["step"] = state["step"].to(parameter.device)
        for key in state.keys() - {"step"}:  # in the parameter's own memory layout, as before
            state[key] = torch.empty_like(parameter, requires_grad=False).copy_(state[key])
        if state:
            optimiser.state[parameter] = state


def _moments(model: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    return {
        f"{name}/{key}": value.contiguous()
        for name, parameter in _trained(model, optimiser)
        for key, value in optimiser.state.get(parameter, {}).items()
    }


def _trained(model: nn.Module, optimiser: torch.optim.Optimizer) -> list[tuple[str, nn.Parameter]]:
    mine = {id(p) for group in optimiser.param_groups for p in group["params"]}
    return [(name, p) for name, p in model.named_parameters() if id(p) in mine]
