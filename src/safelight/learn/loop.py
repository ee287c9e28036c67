"""The training loop: stages in order, each a page of: fetch, lose, step, average, tell.

Interrupting is safe: Ctrl-C ends the step at hand, writes a checkpoint and leaves.
"""

import math
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor, nn

from safelight import randomness
from safelight.errors import UsageError
from safelight.ladder.restorer import Restorer, build_restorer
from safelight.learn import checkpoint
from safelight.learn.data import Pair, loader, training_pairs
from safelight.learn.ema import Ema
from safelight.learn.objectives import OBJECTIVES, Terms, draw_noise
from safelight.learn.optimise import build_optimiser, guarded_step, learning_rate
from safelight.learn.preview import write_preview
from safelight.learn.run import RunFolder
from safelight.learn.settings import StageSettings, TrainRecipe
from safelight.learn.store import PixelStore
from safelight.learn.validate import build_validation, validate_mean, validate_posterior


class TrainingStep(nn.Module):
    """The objective as one module, which is what accelerate wraps."""

    def __init__(self, model: Restorer, stage: StageSettings) -> None:
        super().__init__()
        self.model = model
        self.objective = OBJECTIVES[stage.objective]  # a function
        self.reduced = stage.precision == "bfloat16"

    def forward(self, pair: Pair, terms: Terms) -> tuple[Tensor, dict[str, Tensor]]:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.reduced):
            loss, log = self.objective(self.model, pair, terms)
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


def train(
    recipe: TrainRecipe,
    store: PixelStore,
    run: RunFolder,
    resume: bool,
    stop_at: int | None = None,
    start: Mapping[str, Tensor] | None = None,
) -> bool:
    """Train all stages of `recipe`, from random weights, those of `start`, or the checkpoint. False if interrupted."""
    torch.manual_seed(recipe.seed)
    share = recipe.data.validation_share
    accelerator = Accelerator(cpu=True)
    if accelerator.num_processes > 1:
        raise UsageError("training runs in one process in this version; start it without a launcher")
    model = build_restorer(**recipe.model.model_dump()).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    model.load_state_dict(start or {}, strict=False)
    found = checkpoint.find(run.checkpoint) if resume else None
    training = Training(
        recipe=recipe,
        run=run,
        store=store.part(share, 1),
        model=model,
        ema=Ema(model),
        accelerator=accelerator,
        validation=build_validation(store.part(0, share).halves()[0], recipe.seed),  # the other half measures, once
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
    parameters = freeze_all_but(training.model, stage)
    if stage.objective == "posterior" and progress.step == 0:
        _wake(training, stage)
    step_module = TrainingStep(training.model, stage)
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
            stopping = training.interrupted or _total_steps(training) >= (training.stop_at or math.inf)
            if progress.step % training.recipe.validate_every == 0 or done or stopping:
                checkpoint.save(training.run.checkpoint, training.model, training.ema, optimiser.optimizer, progress)
            if progress.step % training.recipe.validate_every == 0 or done:
                _validate(training, stage)
                meter.restart()
            if stopping:
                return False
    training.ema.copy_to(training.model)
    return True


def _wake(training: Training, stage: StageSettings) -> None:
    """Rungs that are silent begin with what the first batch shows; see `Rung.wake`."""
    batch = next(iter(_batches(training, stage)))[0]
    seed, _ = randomness.key(training.recipe.seed, "wake", training.progress.stage)
    training.model.wake(*batch, torch.Generator().manual_seed(seed >> 1))


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
    seed, _ = randomness.key(training.recipe.seed, "latent", progress.stage, progress.step)
    generator = torch.Generator().manual_seed(seed >> 1)  # torch's seeds have 63 bits
    noise = draw_noise(training.model, pair.degraded.shape, generator) if stage.objective == "posterior" else []
    kl_weight = min(1.0, (progress.step + 1) / max(1.0, stage.kl_warmup_share * stage.steps))
    free_nats = stage.free_nats or [0.0] * len(training.model.ladder.latents)
    loss, log = step_module(pair, Terms(stage.loss, noise, kl_weight, free_nats))
    optimiser.zero_grad()
    training.accelerator.backward(loss)
    norm = guarded_step(parameters, optimiser, progress)
    progress.step += 1
    training.ema.update(training.model, stage.ema_decay, progress.step)
    return {"loss": float(loss.detach()), "grad_norm": norm, **{k: float(v.detach()) for k, v in log.items()}}


def freeze_all_but(model: Restorer, stage: StageSettings) -> list[nn.Parameter]:
    """What a stage trains: trunk and scale learn the mean; on them, finished, the ladder learns the residual."""
    model.requires_grad_(False)
    parts = (model.trunk, model.scale) if stage.objective == "mean" else (model.ladder,)
    for part in parts:
        part.requires_grad_(True)
    return [p for part in parts for p in part.parameters()]


def _batches(training: Training, stage: StageSettings) -> Iterator[tuple[Pair, float]]:
    """Batches from the current step on, each with the seconds that the step waited for it."""
    progress = training.progress
    pairs = training_pairs(training.recipe, training.store, f"{progress.stage}:{stage.objective}", stage.patch_px)
    source = iter(loader(pairs, progress.step, stage.steps, stage.batch, training.recipe.data.workers))
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
        progress.stage,
        progress.step,
        objective=stage.objective,
        learning_rate=learning_rate(stage, progress.step - 1),
        skipped=progress.skipped,
        samples_per_s=rate,
        loader_wait_share=waiting,
        **log,
    )
    return f"loss {log['loss']:.4f}  {rate:.0f} samples/s"


def _validate(training: Training, stage: StageSettings) -> None:
    progress = training.progress
    with training.ema.applied(training.model):
        scores = validate_mean(training.model, training.validation)
        if stage.objective == "posterior":
            scores |= validate_posterior(training.model, training.validation)
        name = f"{progress.stage}-{progress.step:06d}.png"
        write_preview(training.model, training.validation, training.run.previews / name)
    training.run.log(progress.stage, progress.step, **scores)


def _total_steps(training: Training) -> int:
    return sum(s.steps for s in training.recipe.stages[: training.progress.stage]) + training.progress.step


class _Meter:
    """Samples per second, and the share of the time spent waiting for data, since the last reading."""

    def __init__(self) -> None:
        self.restart()

    def add(self, wait_s: float, samples: int) -> None:
        self.wait_s += wait_s
        self.samples += samples

    def read(self) -> tuple[float, float]:
        elapsed = time.perf_counter() - self.began
        result = self.samples / elapsed, self.wait_s / elapsed
        self.restart()
        return result

    def restart(self) -> None:
        self.began, self.wait_s, self.samples = time.perf_counter(), 0.0, 0


def _bar() -> Progress:
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
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
