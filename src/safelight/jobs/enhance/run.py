"""Run a plan on this machine: while one picture is restored, others are decoded and encoded.

    driver          hash → done before? → "begun" line                     "finished" line → outcome
    threads                                          load           save
    model's thread                                        → restore →

The driver is the calling thread. It alone writes the manifest. The model takes one picture at a time.
"""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from safelight.errors import OutputError, shown
from safelight.jobs.enhance.files import Page, Steps
from safelight.jobs.enhance.outcome import Outcome, failure
from safelight.jobs.enhance.plan import PictureTask, Plan
from safelight.jobs.enhance.results import Results, task_key
from safelight.picture import Picture
from safelight.picture.vips import without_operation_cache
from safelight.runtime.restore import Restorer
from safelight.work import Cancelled, OnProgress, Progress, Threads, clear_leftovers, file_sha256, silent

OnOutcome = Callable[[Outcome], None]
"""Called by the driver with each outcome, in the order of the plan. It may raise `Cancelled`."""


def ignore(outcome: Outcome) -> None:
    """The callback that does nothing."""


def run(
    plan: Plan, restorer: Restorer, on_progress: OnProgress = silent, on_outcome: OnOutcome = ignore
) -> list[Outcome]:
    """Do every task that is not done yet. Returns one outcome a task, in order.

    Failures of single files are outcomes. `settings.workers` files are decoded ahead and encoded behind.
    Ctrl-C and `Cancelled` end the run: pictures that the model has finished are saved and written down first.
    """
    _prepare(plan)
    batch = _Batch(plan, restorer, on_progress)
    outcomes: list[Outcome] = []
    in_order = Threads(1 + 2 * plan.settings.workers).map(batch.do, batch.begin_all())
    try:
        with without_operation_cache(), closing(in_order):
            for task_run in in_order:
                outcome = batch.settle(task_run)
                outcomes.append(outcome)
                on_outcome(outcome)
                if plan.settings.on_error == "stop" and outcome.status == "failed":
                    break
    finally:
        batch.close()
    return outcomes


@dataclass(eq=False)
class TaskRun:
    """One task on its way. The driver has it first and last, and one thread in between."""

    number: int
    """In the plan, from 0."""
    task: PictureTask
    key: str = ""
    source_sha256: str = ""
    is_saving: bool = False
    """Whether files may have been written."""
    outcome: Outcome | None = None


class _Batch:
    """What the driver and the threads share."""

    def __init__(self, plan: Plan, restorer: Restorer, on_progress: OnProgress) -> None:
        self.plan, self.steps = plan, Steps(plan.settings, restorer)
        self.results = Results(plan.folder)
        self.open: list[TaskRun] = []
        """Begun in the manifest, and neither finished nor given up there."""
        self._stopping = threading.Event()
        self._model = ThreadPoolExecutor(1)
        """One thread for all that the model does: the memory of one is used again for the next picture."""
        self._behind = threading.Semaphore(plan.settings.workers)
        self._turns = _Turns()
        self._meter = _Meter(len(plan.tasks), on_progress)

    def begin_all(self) -> Iterator[TaskRun]:
        """The driver's first part, for each task when a thread is free for it."""
        try:
            for number, task in enumerate(self.plan.tasks):
                if self._stopping.is_set():
                    return
                yield self._begin(number, task)
        except BaseException:  # also when the engine closes this generator
            self._stopping.set()
            raise

    def _begin(self, number: int, task: PictureTask) -> TaskRun:
        """A run that is begun in the manifest, or one with its outcome already."""
        if task.problem:
            return TaskRun(number, task, outcome=Outcome(shown(task.source), "failed", error=task.problem))
        try:
            source_sha256 = _hash(task.source)
            key = task_key(source_sha256, self.steps.restorer.bundle.sha256, self.steps.parameters())
            outcome = self._skipped(task, key)
            if outcome is not None:
                return TaskRun(number, task, outcome=outcome)
            self.results.begin(key, task.outputs)
        except Exception as error:
            return TaskRun(number, task, outcome=failure(task.source, error))
        self.open.append(TaskRun(number, task, key=key, source_sha256=source_sha256))
        return self.open[-1]

    def _skipped(self, task: PictureTask, key: str) -> Outcome | None:
        """For a task whose results are there, or that something else is in the way of."""
        for outputs in (task.outputs, *((path,) for path in task.earlier)):
            if self.results.is_done(key, outputs):
                return Outcome(shown(task.source), "skipped", [shown(path) for path in outputs])
        in_the_way = [p for p in task.outputs if os.path.lexists(p) and not self.results.is_begun(key, p)]
        if not in_the_way or self.plan.settings.if_exists != "skip":
            return None
        name = shown(in_the_way[0])
        note = f"{name} is there already, made of another input or with other settings; use --if-exists overwrite"
        return Outcome(shown(task.source), "skipped", [name], warnings=[note])

    def do(self, task_run: TaskRun) -> TaskRun:
        """A thread's part: load, restore, save. Raises what callbacks raise, if it is no Exception."""
        try:
            if task_run.outcome is None:
                try:
                    task_run.outcome = self._made(task_run)
                except Exception as error:
                    task_run.outcome = failure(task_run.task.source, error)
            if task_run.outcome.status == "failed" and self.plan.settings.on_error == "stop":
                self._turns.wait_for(task_run.number)  # the pictures before this one are restored
                self._stopping.set()
            self._meter.ended(task_run)
        except BaseException:
            self._stopping.set()
            raise
        finally:
            self._turns.end(task_run.number)
        return task_run

    def _made(self, task_run: TaskRun) -> Outcome:
        task = task_run.task
        pictures = self.steps.load(task)
        self._turns.wait_for(task_run.number)
        pages = self._model.submit(self._restored, task_run, pictures).result()
        try:
            self._turns.end(task_run.number)
            pages = [self.steps.finish(page, task) for page in pages]
            task_run.is_saving = True
            return self.steps.save(task, pages)
        finally:
            self._behind.release()

    def _restored(self, task_run: TaskRun, pictures: list[Picture]) -> list[Page]:
        """In the model's thread. Raises Cancelled if the run is being stopped."""

        def on_share(share: float) -> None:
            if self._stopping.is_set():
                raise Cancelled
            self._meter.moved(task_run, share)

        on_share(0)
        pages = self.steps.restore(pictures, on_share)
        self._behind.acquire()  # the model waits while too many results wait to be saved: memory is bounded
        return pages

    def settle(self, task_run: TaskRun) -> Outcome:
        """The driver's last part: write down what became of a task that a thread has done."""
        if task_run in self.open:
            self.open.remove(task_run)
            try:
                self._write_down(task_run)
            except Exception as error:
                task_run.outcome = failure(task_run.task.source, error)
        assert task_run.outcome is not None
        return task_run.outcome

    def close(self) -> None:
        """After the end: write down what is finished and was not waited for."""
        self._model.shutdown()
        for task_run in self.open:
            self._write_down(task_run)

    def _write_down(self, task_run: TaskRun) -> None:
        outcome, outputs = task_run.outcome, task_run.task.outputs
        if outcome is not None and outcome.status == "done":
            self.results.finish(task_run.key, outputs, self.steps.facts(outcome, task_run.source_sha256))
        elif not task_run.is_saving:
            self.results.give_up(outputs)


class _Turns:
    """Pictures come to the model in the order of the plan."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._next, self._ended = 0, set[int]()

    def wait_for(self, number: int) -> None:
        """Until all tasks before this one have ended their turns."""
        with self._changed:
            self._changed.wait_for(lambda: self._next >= number)

    def end(self, number: int) -> None:
        """The next may come. A second call changes nothing."""
        with self._changed:
            self._ended.add(number)
            while self._next in self._ended:
                self._next += 1
            self._changed.notify_all()


class _Meter:
    """How far the batch is: files that have ended, and the shares of those in progress."""

    def __init__(self, total: int, on_progress: OnProgress) -> None:
        self._total, self._on_progress = total, on_progress
        self._ended, self._shares = 0, dict[TaskRun, float]()
        self._lock = threading.Lock()

    def moved(self, task_run: TaskRun, share: float) -> None:
        """A share of a task, 0 to 1, is done."""
        with self._lock:
            self._shares[task_run] = share
            self._report(task_run)

    def ended(self, task_run: TaskRun) -> None:
        """A task is done, skipped or failed."""
        with self._lock:
            self._shares.pop(task_run, None)
            self._ended += 1
            self._report(task_run)

    def _report(self, task_run: TaskRun) -> None:
        done = self._ended + sum(self._shares.values())
        self._on_progress(Progress(done, self._total, task_run.task.source.name))


def _prepare(plan: Plan) -> None:
    """Make the folder and clear away what killed runs left. Raises OutputError."""
    try:
        plan.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{plan.folder}: cannot be made ({error.strerror}); choose another -o") from None
    for folder in {output.parent for task in plan.tasks for output in task.outputs}:
        clear_leftovers(folder)


def _hash(path: Path) -> str:
    """SHA-256 of a file. Empty for what cannot be opened: the reader says why."""
    try:
        return file_sha256(path) if os.path.isfile(path) else ""
    except OSError:
        return ""
