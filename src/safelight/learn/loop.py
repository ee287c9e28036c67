"""The training loop: stages in order, each a page of: fetch, lose, step, average, tell.

Interrupting is safe: Ctrl-C ends the step at hand, writes a checkpoint and leaves.
"""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor, nn

from safelight.ladder.restorer import Restorer, build_restorer
from safelight.learn import checkpoint
from safelight.learn.data import Pair, RestorationPairs, loader
from safelight.learn.ema import Ema
from safelight.learn.objectives import OBJECTIVES, latent_noise
from safelight.learn.optimise import build_optimiser, guarded_step, learning_rate
from safelight.learn.preview import write_preview
from safelight.learn.run import RunFolder
from safelight.learn.settings import StageSettings, TrainRecipe
from safelight.learn.store import PixelStore
from safelight.learn.validate import build_validation, validate_mean, validate_posterior


class TrainingStep(nn.Module):
    """The objective as one module, so that a distributed wrapper sees its forward pass."""

    def __init__(self, model: Restorer, objective: str) -> None:
        super().__init__()
        self.model = model
        self.objective = OBJECTIVES[objective]

    def forward(self, pair: Pair, noise: list[Tensor], kl_weight: float) -> tuple[Tensor, dict[str, Tensor]]:
        loss, log = self.objective(self.model, pair, noise, kl_weight)
        return loss, log


@dataclass
class Training:
    """Everything that a run holds while it runs."""

    recipe: TrainRecipe
    run: RunFolder
    store: PixelStore
    model: Restorer
    ema: Ema
    accelerator: Accelerator
    validation: dict[str, Pair]
    progress: checkpoint.Progress
    stop_at: int | None = None
    """Leave after this many steps in total, as if interrupted; for tests and for sittings."""
    interrupted: bool = False


def train(recipe: TrainRecipe, store: PixelStore, run: RunFolder, resume: bool, stop_at: int | None = None) -> bool:
    """Train all stages of `recipe`, from the start or from the checkpoint. False if interrupted."""
    torch.manual_seed(recipe.seed)
    held_out = store.select(validation=True, share=recipe.data.validation_share)
    model = build_restorer(**recipe.model.model_dump()).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    found = checkpoint.find(run.checkpoint) if resume else None
    training = Training(
        recipe=recipe,
        run=run,
        store=store.select(validation=False, share=recipe.data.validation_share),
        model=model,
        ema=Ema(model),
        accelerator=Accelerator(cpu=True),
        validation=build_validation(held_out, recipe.seed),
        progress=checkpoint.load_progress(found) if found else checkpoint.Progress(),
        stop_at=stop_at,
    )
    with _interruptible(training):
        while training.progress.stage < len(recipe.stages):
            if not _run_stage(training, resume=found is not None):
                return False
            found = None
            training.progress.stage, training.progress.step = training.progress.stage + 1, 0
            training.progress.norm_average = 0.0
    return True


def _run_stage(training: Training, resume: bool) -> bool:
    """One stage from where it is to its end; the averaged weights become the weights. False if interrupted."""
    progress, stage = training.progress, training.recipe.stages[training.progress.stage]
    parameters = _trained_parameters(training.model, stage)
    step_module = TrainingStep(training.model, stage.objective)
    step_module, optimiser = training.accelerator.prepare(step_module, build_optimiser(parameters, stage))
    if resume:
        found = checkpoint.find(training.run.checkpoint)
        assert found is not None
        checkpoint.load(found, training.model, training.ema, optimiser.optimizer)
    batches = _batches(training, stage)
    with _bar() as bar:
        task = bar.add_task(stage.objective, total=stage.steps, completed=progress.step, note="")
        meter = _Meter()
        for pair, wait_s in batches:
            log = _step(training, stage, step_module, optimiser, parameters, pair)
            meter.add(wait_s, len(pair.clean))
            bar.advance(task)
            done = progress.step == stage.steps
            if progress.step % training.recipe.log_every == 0 or done:
                bar.update(task, note=_tell(training, stage, log, meter))
            stopping = training.interrupted or _total_steps(training) == training.stop_at
            if progress.step % training.recipe.validate_every == 0 or done or stopping:
                _validate_and_save(training, stage, optimiser.optimizer, validate=not stopping)
            if stopping:
                return False
    training.ema.copy_to(training.model)
    return True


def _step(
    training: Training,
    stage: StageSettings,
    step_module: nn.Module,
    optimiser: Any,
    parameters: list[nn.Parameter],
    pair: Pair,
) -> dict[str, float]:
    """One update; returns what to log."""
    progress = training.progress
    for group in optimiser.param_groups:
        group["lr"] = learning_rate(stage, progress.step)
    generator = torch.Generator().manual_seed((progress.stage << 40) + progress.step)
    noise = latent_noise(training.model, pair, generator)
    kl_weight = min(1.0, (progress.step + 1) / max(1.0, stage.kl_warmup_share * stage.steps))
    loss, log = step_module(pair, noise, kl_weight)
    optimiser.zero_grad()
    training.accelerator.backward(loss)
    norm, _ = guarded_step(parameters, optimiser, progress)
    progress.step += 1
    training.ema.update(training.model, stage.ema_decay, progress.step)
    return {"loss": float(loss.detach()), "grad_norm": norm, **{k: float(v.detach()) for k, v in log.items()}}


def _trained_parameters(model: Restorer, stage: StageSettings) -> list[nn.Parameter]:
    """The trunk learns the mean; on a finished trunk the ladder learns the residual."""
    part = model.trunk if stage.objective == "mean" else model.ladder
    model.requires_grad_(False)
    part.requires_grad_(True)
    return list(part.parameters())


def _batches(training: Training, stage: StageSettings) -> Iterator[tuple[Pair, float]]:
    """Batches from the current step on, each with the seconds that the step waited for it."""
    data, progress = training.recipe.data, training.progress
    stream = f"{progress.stage}:{stage.objective}"
    pairs = RestorationPairs(
        training.store,
        training.recipe.degrade,
        training.recipe.seed,
        stream,
        data.patch_px,
        data.margin_px,
        data.grey_share,
    )
    source = iter(loader(pairs, progress.step, stage.steps, stage.batch, data.workers))
    while True:
        began = time.perf_counter()
        batch = next(source, None)
        if batch is None:
            return
        clean, degraded = (t.contiguous(memory_format=torch.channels_last) for t in (batch.clean, batch.degraded))
        yield Pair(clean, degraded, batch.sigma_01), time.perf_counter() - began


def _tell(training: Training, stage: StageSettings, log: dict[str, float], meter: "_Meter") -> str:
    progress = training.progress
    rate, waiting = meter.read()
    training.run.log(
        stage=stage.objective,
        step=progress.step,
        learning_rate=learning_rate(stage, progress.step - 1),
        skipped=progress.skipped,
        samples_per_s=rate,
        loader_wait_share=waiting,
        **log,
    )
    return f"loss {log['loss']:.4f}  {rate:.0f} samples/s"


def _validate_and_save(
    training: Training, stage: StageSettings, optimiser: torch.optim.Optimizer, validate: bool
) -> None:
    checkpoint.save(training.run.checkpoint, training.model, training.ema, optimiser, training.progress)
    if not validate:
        return
    with training.ema.applied(training.model):
        scores = validate_mean(training.model, training.validation)
        if stage.objective == "posterior":
            scores |= validate_posterior(training.model, training.validation)
        name = f"{training.progress.stage}-{training.progress.step:06d}.png"
        write_preview(training.model, training.validation, training.run.previews / name)
    training.run.log(stage=stage.objective, step=training.progress.step, **scores)


def _total_steps(training: Training) -> int:
    return sum(s.steps for s in training.recipe.stages[: training.progress.stage]) + training.progress.step


class _Meter:
    """Samples per second, and the share of the time spent waiting for data, since the last reading."""

    def __init__(self) -> None:
        self._restart()

    def add(self, wait_s: float, samples: int) -> None:
        self.wait_s += wait_s
        self.samples += samples

    def read(self) -> tuple[float, float]:
        elapsed = time.perf_counter() - self.began
        result = self.samples / elapsed, self.wait_s / elapsed
        self._restart()
        return result

    def _restart(self) -> None:
        self.began, self.wait_s, self.samples = time.perf_counter(), 0.0, 0


def _bar() -> Progress:
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    from rich.console import Console

    return Progress(
        TextColumn("{task.description}"), *columns, TextColumn("{task.fields[note]}"), console=Console(stderr=True)
    )


@contextmanager
def _interruptible(training: Training) -> Iterator[None]:
    """The first Ctrl-C asks the loop to save and leave; a second one is an ordinary KeyboardInterrupt."""

    def ask(signum: int, frame: object) -> None:
        training.interrupted = True
        signal.signal(signal.SIGINT, previous)

    previous = signal.signal(signal.SIGINT, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
