"""The training loop: stages in order, each a page of: fetch a batch, compute the loss, step, average, report.

Interrupting is safe: Ctrl-C, or a callback that raises `Cancelled`, ends the step at hand, writes a checkpoint and
leaves. Divergence is safe, too: after many useless gradients the run goes back to its last checkpoint, and on with half
the learning rate.
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import broadcast
from safetensors.torch import load_file
from torch import nn

from safelight.errors import TrainingError
from safelight.learn import checkpoint
from safelight.learn.device import PROCESSOR, found_device, name_of_device, place, training_device, training_on
from safelight.learn.ema import Ema
from safelight.learn.interrupts import interruptible
from safelight.learn.job import TrainJob
from safelight.learn.meter import Clock, Meter, foretold, too_short
from safelight.learn.optimise import HopelessError, build_optimiser, guarded_step, learning_rate
from safelight.learn.recipe import Schedule, budget_shares
from safelight.learn.run import RunFolder
from safelight.learn.task import Group, Moment, TrainingTask
from safelight.work import Cancelled, Progress

ROLLBACKS = 3
SUSPICIOUS = 5
"""Skipped steps in a row after which nothing is saved: the weights may be lost."""


@dataclass
class Training:
    """Everything that a run holds while it runs."""

    task: TrainingTask
    run: RunFolder
    job: TrainJob
    ema: Ema
    accelerator: Accelerator
    progress: checkpoint.Progress
    interrupted: bool = False

    @property
    def stage(self) -> Schedule:
        """The one at hand."""
        return self.task.stages[self.progress.stage]

    @property
    def group(self) -> Group:
        """Where this process stands among those that train."""
        return Group(self.accelerator.process_index, self.accelerator.num_processes)

    @property
    def stage_budget_s(self) -> float | None:
        """The stage's part of the budget; None without a budget."""
        if self.job.settings.budget_s is None:
            return None
        return self.job.settings.budget_s * budget_shares(self.task.stages)[self.progress.stage]

    def share(self, ahead: int = 0) -> float:
        """Of the stage that is done: by its time if there is a budget, else by its steps and `ahead` more of them."""
        if self.stage_budget_s is None:
            return (self.progress.step + ahead) / self.stage.steps
        return min(1.0, self.progress.seconds / self.stage_budget_s)

    def interrupt(self) -> None:
        """End the run after the step at hand, with a checkpoint."""
        self.interrupted = True

    def report(self, numbers: str = "") -> None:
        """Tell how far the stage is. A callback that cancels ends the run after the step at hand."""
        what = f"stage {self.progress.stage + 1} of {len(self.task.stages)}{numbers}"
        done, total = float(self.progress.step), float(self.stage.steps)
        if self.stage_budget_s is not None:
            done, total = self.progress.seconds, self.stage_budget_s
        try:
            self.job.on_progress(Progress(done, total, what))
        except Cancelled:
            self.interrupted = True


def run_stages(task: TrainingTask, run: RunFolder, job: TrainJob) -> bool:
    """Train all stages of a task, from its beginning or its checkpoint. False if interrupted.

    The model is back on the processor afterwards. Raises TrainingError; UsageError and DeviceError for the device.
    """
    with training_on(found_device(job.settings.device)):
        place(task.model)
        done = _run_stages(task, run, job)
    place(task.model)
    return done


def _run_stages(task: TrainingTask, run: RunFolder, job: TrainJob) -> bool:
    if job.processes == 1:
        AcceleratorState._reset_state(True)  # which would stay on the device of an earlier run
    accelerator = Accelerator(device_placement=False, cpu=training_device() == PROCESSOR)
    saved = checkpoint.find(run.checkpoint) if job.settings.resume else None
    progress = checkpoint.load_progress(saved) if saved else checkpoint.Progress()
    training = Training(task, run, job, ema=Ema(task.model), accelerator=accelerator, progress=progress)
    with interruptible(training.interrupt):
        while progress.stage < len(task.stages):
            if not _run_stage(training, resume=saved is not None):
                return False
            saved = None
            progress.next_stage()
    job.last_words.extend(too_short(task.stages, progress.ended) if job.settings.budget_s is not None else ())
    job.on_progress(Progress(0, 0, "export and measurements"))
    return True


def _run_stage(training: Training, resume: bool) -> bool:
    """One stage from where it is to its end. False if interrupted."""
    task, progress, stage = training.task, training.progress, training.stage
    parameters = task.trained(progress.stage)
    if progress.step == 0:
        task.begin(progress.stage)
        training.ema.restart(task.model)
    objective, optimiser = training.accelerator.prepare(
        task.objective(progress.stage, training.group), build_optimiser(parameters, stage)
    )
    if resume:
        _restore(training, optimiser)
    batches, meter, numbers = task.batches(progress.stage, progress.step, training.group), Meter(), ""
    training.report()
    while training.share() < 1 and not _enough(training):
        began = Clock.now()
        fetched = next(batches)
        waited_s = began.seconds_since()
        try:
            log = _step(training, objective, Update(optimiser, parameters), fetched.batch)
            meter.add(stage.batch, waited_s, fetched.loader_s)
            seconds, interrupted = _agreed(training, began.seconds_since())
            progress.spend(seconds)
            share = training.share()
            sound = progress.skipped_in_a_row < SUSPICIOUS
            due = (progress.step % task.validate_every == 0 and sound) or share >= 1
            for line in foretold(task.stages, training.stage_budget_s, progress):
                training.job.tell(line)
            stopping = interrupted or _total_steps(training) >= (training.job.settings.stop_at or math.inf)
            if progress.step % task.log_every == 0 or share >= 1 or stopping:
                numbers = _log(training, log, meter)
            training.report(numbers)
            if due:
                training.report("  measuring")
                _validate(training)
        except HopelessError as error:
            _roll_back(training, optimiser, str(error))
            batches = task.batches(progress.stage, progress.step, training.group)
            continue
        if due or stopping:
            _save(training, optimiser)
        if due:
            _preview(training)
            meter.restart()
        if stopping and share < 1:
            return False
    _end_stage(training)
    return True


def _end_stage(training: Training) -> None:
    """The averaged weights become the weights: those that were judged best, where there is a judge."""
    task, progress = training.task, training.progress
    if _enough(training):
        training.job.tell(f"no better for {task.patience} validations: the stage ends at step {progress.step}")
    if progress.best is not None and training.run.best.exists():
        training.ema.load_state_dict(load_file(training.run.best))
    training.ema.copy_to(task.model)


class Update(NamedTuple):
    """What changes at a step."""

    optimiser: Any
    parameters: list[nn.Parameter]


def _step(training: Training, objective: nn.Module, update: Update, batch: Any) -> dict[str, float]:
    """One update; returns what to log."""
    progress, stage, optimiser = training.progress, training.stage, update.optimiser
    for group in optimiser.param_groups:
        group["lr"] = progress.rate_factor * learning_rate(stage, progress.step, training.share())
    loss, log = objective(batch, Moment(progress.stage, progress.step, training.share(ahead=1)))
    optimiser.zero_grad()
    training.accelerator.backward(loss)
    norm = guarded_step(update.parameters, optimiser, progress)
    progress.step += 1
    training.ema.update(training.task.model, stage.ema_decay, progress.step)
    return {"loss": float(loss.detach()), "grad_norm": norm, **{k: float(v.detach()) for k, v in log.items()}}


def _agreed(training: Training, seconds: float) -> tuple[float, bool]:
    """A step's seconds and whether to stop, as the first process has it, so that all do the same."""
    if training.group.size == 1:
        return seconds, training.interrupted
    seconds, interrupted = broadcast(torch.tensor([seconds, float(training.interrupted)])).tolist()
    return seconds, bool(interrupted)


def _roll_back(training: Training, optimiser: Any, why: str) -> None:
    """To the last checkpoint, and on with half the rate. Raises TrainingError if there is none or it did not help."""
    saved = checkpoint.find(training.run.checkpoint)
    before = checkpoint.load_progress(saved) if saved else None
    if before is None or before.stage != training.progress.stage or training.progress.rollbacks == ROLLBACKS:
        raise TrainingError(f"{why}; lower learning_rate in the recipe and train again")
    back_to, seconds = before.step, training.progress.seconds
    factor, rollbacks = training.progress.rate_factor / 2, training.progress.rollbacks + 1
    fresh = {"rate_factor": factor, "rollbacks": rollbacks, "seconds": seconds, "skipped_in_a_row": 0}
    vars(training.progress).update(vars(before) | fresh)
    _restore(training, optimiser)
    training.job.tell(f"{why}: back to step {back_to}, on with {factor:g} of the learning rate")


def _restore(training: Training, optimiser: Any) -> None:
    saved = checkpoint.find(training.run.checkpoint)
    assert saved is not None
    checkpoint.load(saved, training.task.model, training.ema, optimiser.optimizer)


def _save(training: Training, optimiser: Any) -> None:
    if training.accelerator.is_main_process:
        state = checkpoint.State(training.task.model, training.ema, optimiser.optimizer, training.progress)
        checkpoint.save(training.run.checkpoint, state)
    training.accelerator.wait_for_everyone()


def _log(training: Training, log: dict[str, float], meter: Meter) -> str:
    """Write the average over all processes into the metrics; returns the main numbers in words."""
    progress = training.progress
    log = dict(zip(log, training.accelerator.reduce(torch.tensor([*log.values()]), "mean").tolist(), strict=True))
    speed = meter.read()
    if training.accelerator.is_main_process:
        training.run.log(
            progress.stage,
            progress.step,
            learning_rate=progress.rate_factor * learning_rate(training.stage, progress.step - 1, training.share()),
            seconds=progress.seconds,
            skipped=progress.skipped,
            **speed._asdict(),
            trained_with=(f"{training.group.size} x " if training.group.size > 1 else "") + name_of_device(),
            **log,
        )
    return f"  loss {log['loss']:.4g}  {speed.samples_per_s:.0f} samples/s (loader {speed.loader_samples_per_s:.0f})"


def _validate(training: Training) -> None:
    """Measure, log, remember the best.

    Raises TrainingError when training must not go on, and HopelessError when numbers are lost; nothing is saved then.
    """
    task, progress = training.task, training.progress
    with training.ema.applied(task.model):
        scores = task.validate(progress.stage)
    if training.group.size > 1:  # all judge by the scores of the first process
        values = broadcast(torch.tensor([*scores.values()])).tolist()
        scores = dict(zip(scores, values, strict=True))
    if training.accelerator.is_main_process:
        training.run.log(progress.stage, progress.step, **scores)
    judge = task.judged_by(progress.stage)
    if judge is not None and not math.isfinite(scores[judge]):
        raise HopelessError(f"{judge} is not finite at step {progress.step}")
    complaint = task.complaint(progress.stage, scores)
    if complaint is not None:
        saved = checkpoint.find(training.run.checkpoint)
        kept = f"; {saved} holds step {checkpoint.load_progress(saved).step}, before that" if saved else ""
        raise TrainingError(f"step {progress.step}: {complaint}{kept}")
    if judge is not None and training.share() > training.stage.kl_warmup_share:  # before, it is about something else
        progress.judge(scores[judge])
        if progress.bad_validations == 0 and training.accelerator.is_main_process:
            checkpoint.save_weights(training.run.best, training.ema)


def _preview(training: Training) -> None:
    """A convenience: what goes wrong with it is told, and nothing more."""
    if not training.accelerator.is_main_process:
        return
    progress = training.progress
    try:
        with training.ema.applied(training.task.model):
            name = f"{progress.stage}-{progress.step:06d}.png"
            training.task.preview(training.run.previews / name, progress.stage)
    except Exception as error:  # whatever a picture's encoder raises
        training.job.tell(f"no preview at step {progress.step}: {' '.join(str(error).split())}")


def _enough(training: Training) -> bool:
    patience = training.task.patience
    return bool(patience) and training.progress.bad_validations >= patience


def _total_steps(training: Training) -> int:
    return sum(s.steps for s in training.task.stages[: training.progress.stage]) + training.progress.step
