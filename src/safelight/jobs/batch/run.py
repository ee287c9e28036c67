"""Run a plan on this machine: while the model works on one file, others are read and written.

    driver          hash → done before? → "begun" line                     "finished" line → outcome
    threads                                          load           save
    model's thread                                          → work →

The driver is the calling thread. It alone writes the manifest. The model takes one file at a time.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic

from safelight.errors import OutputError, shown
from safelight.jobs.batch.outcome import OutcomeT, reason_of
from safelight.jobs.batch.plan import FileTask, Plan
from safelight.jobs.batch.remote import Done, do
from safelight.jobs.batch.results import Results, task_key
from safelight.jobs.batch.staging import named_as, on_disk
from safelight.jobs.batch.steps import Steps
from safelight.jobs.batch.turns import Meter, Turns
from safelight.picture.vips import without_operation_cache
from safelight.runtime.graphs import watched
from safelight.work import Cancelled, Engine, OnProgress, Ray, Threads, clear_leftovers, file_sha256, silent
from safelight.work.places import exists, make_folder
from safelight.work.storage import find, is_stored


def ignore(outcome: object) -> None:
    """The callback that does nothing."""


def run(
    plan: Plan,
    steps: Steps[Any, Any, OutcomeT],
    on_progress: OnProgress = silent,
    on_outcome: Callable[[OutcomeT], None] = ignore,
    engine: Engine | None = None,
) -> list[OutcomeT]:
    """Do every task that is not done yet. Returns one outcome a task, in order.

    `engine` is that of `batch.remote.engine_of`; None for this machine alone.

    Failures of single files are outcomes. `settings.workers` files are read ahead and written behind. `on_outcome` is
    called by the driver with each outcome, in the order of the plan; it may raise `Cancelled`. Ctrl-C and `Cancelled`
    end the run: files that the model has finished are saved and written down first.
    """
    _prepare(plan)
    batch = _Batch(plan, steps, on_progress)
    outcomes: list[OutcomeT] = []
    threads = Threads(1 + 2 * plan.settings.workers)
    in_order = threads.map(batch.do, ToDo(batch)) if engine is None else batch.on(engine)
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
        if isinstance(engine, Ray):
            _clear(plan, engine.run)  # what lost workers left
    return outcomes


@dataclass(eq=False)
class TaskRun(Generic[OutcomeT]):
    """One task on its way. The driver has it first and last, and one thread in between."""

    number: int
    """In the plan, from 0."""
    task: FileTask
    key: str = ""
    source_sha256: str = ""
    is_saving: bool = False
    """Whether files may have been written."""
    outcome: OutcomeT | None = None


class _Batch(Generic[OutcomeT]):
    """What the driver and the threads share."""

    def __init__(self, plan: Plan, steps: Steps[Any, Any, OutcomeT], on_progress: OnProgress) -> None:
        self.plan, self.steps = plan, steps
        self.results = Results(plan.folder, plan.verb, plan.manifest)
        self.open: list[TaskRun[OutcomeT]] = []
        """Begun in the manifest, and neither finished nor given up there."""
        self.stopping = threading.Event()
        self._model = ThreadPoolExecutor(1)
        """One thread for all that the model does: the memory of one is used again for the next file."""
        self._behind = threading.Semaphore(plan.settings.workers)
        self._turns = Turns()
        self._meter = Meter(plan.tasks, on_progress)

    def begin_all(self) -> Iterator[TaskRun[OutcomeT]]:
        """The driver's first part, for each task when a thread is free for it."""
        for number, task in enumerate(self.plan.tasks):
            if self.stopping.is_set():
                return
            yield self._begin(number, task)

    def _begin(self, number: int, task: FileTask) -> TaskRun[OutcomeT]:
        """A run that is begun in the manifest, or one with its outcome already."""
        if task.problem:
            return TaskRun(number, task, outcome=self._failed(task, task.problem))
        try:
            source_sha256 = _hash(task.source)
            key = task_key(source_sha256, self.steps.model_sha256, self.steps.parameters())
            outcome = self._skipped(task, key)
            if outcome is not None:
                return TaskRun(number, task, outcome=outcome)
            self.results.begin(key, task.outputs)
        except Exception as error:
            return TaskRun(number, task, outcome=self._failed(task, reason_of(task.source, error)))
        self.open.append(TaskRun(number, task, key=key, source_sha256=source_sha256))
        return self.open[-1]

    def _failed(self, task: FileTask, reason: str) -> OutcomeT:
        return self.steps.outcome(source=shown(task.source), status="failed", error=reason)

    def _skipped(self, task: FileTask, key: str) -> OutcomeT | None:
        """For a task whose results are there, or that something else is in the way of."""
        source = shown(task.source)
        make: Callable[..., OutcomeT] = self.steps.outcome
        for outputs in (task.outputs, *task.earlier):
            if self.results.is_done(key, outputs):
                return make(source=source, status="skipped", outputs=[shown(path) for path in outputs])
        in_the_way = [p for p in task.outputs if exists(p) and not self.results.is_own(key, p)]
        if not in_the_way or self.plan.settings.if_exists != "skip":
            return None
        name = shown(in_the_way[0])
        if self.plan.is_one_file:
            note = f"{name} is there already; name another file with -o, or use --if-exists overwrite or rename"
        else:
            why = "made of another input or with other settings"
            note = f"{name} is there already, {why}; use --if-exists overwrite, or another -o"
        return make(source=source, status="skipped", outputs=[name], warnings=[note])

    def do(self, task_run: TaskRun[OutcomeT]) -> TaskRun[OutcomeT]:
        """A thread's part: load, work, save. Raises what callbacks raise, if it is no Exception."""
        try:
            if task_run.outcome is None:
                try:
                    task_run.outcome = self._made(task_run)
                except Exception as error:
                    task_run.outcome = self._failed(task_run.task, reason_of(task_run.task.source, error))
            if task_run.outcome.status == "failed" and self.plan.settings.on_error == "stop":
                self._turns.wait_for(task_run.number)  # the files before this one have passed the model
                self.stopping.set()
            self._meter.ended(task_run.number, task_run.task)
        except BaseException:
            self.stopping.set()
            raise
        finally:
            self._turns.end(task_run.number)
        return task_run

    def on(self, engine: Engine) -> Generator[TaskRun[OutcomeT]]:
        """All tasks on a cluster, in order."""
        on_their_way: deque[TaskRun[OutcomeT]] = deque()

        def to_send() -> Iterator[FileTask]:
            for task_run in self.begin_all():
                on_their_way.append(task_run)
                if task_run.outcome is None:
                    yield task_run.task

        def arrived(done: Done) -> None:
            """The next one of those that were sent."""
            task_run = next(one for one in on_their_way if one.outcome is None)
            task_run.outcome, task_run.is_saving = done

        def in_order() -> Iterator[TaskRun[OutcomeT]]:
            while on_their_way and on_their_way[0].outcome is not None:
                task_run = on_their_way.popleft()
                self._meter.ended(task_run.number, task_run.task)
                yield task_run

        with closing(engine.map(do, to_send(), arrived)) as all_done:
            for done in all_done:
                arrived(done)
                yield from in_order()
        yield from in_order()

    def _made(self, task_run: TaskRun[OutcomeT]) -> OutcomeT:
        with on_disk(task_run.task) as task:
            loaded = self.steps.load(task)
            self._turns.wait_for(task_run.number)
            made = self._model.submit(self._worked, task_run, task, loaded).result()
            try:
                self._turns.end(task_run.number)
                made = self.steps.check(task, made)
                task_run.is_saving = True
                return named_as(task_run.task, self.steps.save(task, made))
            finally:
                self._behind.release()

    def _worked(self, task_run: TaskRun[OutcomeT], task: FileTask, loaded: Any) -> Any:
        """In the model's thread. Raises Cancelled if the run is being stopped."""
        done = 0.0

        def on_share(share: float) -> None:
            nonlocal done
            if self.stopping.is_set():
                raise Cancelled
            done = share
            self._meter.moved(task_run.number, task_run.task, share)

        on_share(0)
        with watched(lambda: on_share(done)):  # a large tile takes seconds
            made = self.steps.work(task, loaded, on_share)
        self._behind.acquire()  # the model waits while too many results wait to be saved: memory is bounded
        return made

    def settle(self, task_run: TaskRun[OutcomeT]) -> OutcomeT:
        """The driver's last part: write down what became of a task that a thread has done."""
        if task_run in self.open:
            self.open.remove(task_run)
            try:
                self._write_down(task_run)
            except Exception as error:
                task_run.outcome = self._failed(task_run.task, reason_of(task_run.task.source, error))
        assert task_run.outcome is not None
        return task_run.outcome

    def close(self) -> None:
        """After the end: write down what is finished and was not waited for."""
        self._model.shutdown()
        try:
            for task_run in self.open:
                self._write_down(task_run)
        finally:
            self.results.close()
        if self.plan.is_one_file:
            self.results.forget()

    def _write_down(self, task_run: TaskRun[OutcomeT]) -> None:
        outcome, outputs = task_run.outcome, task_run.task.outputs
        if outcome is not None and outcome.status == "done":
            facts = self.steps.facts(outcome, task_run.source_sha256)
            if is_stored(task_run.task.source):
                facts["source_version"] = facts.pop("source_sha256")
            self.results.finish(task_run.key, outputs, facts)
        elif not task_run.is_saving:
            self.results.give_up(outputs)


class ToDo(Iterator[TaskRun[OutcomeT]]):
    """The tasks of a batch for threads of this process. When no more are wanted, the file at the model is left, too."""

    def __init__(self, batch: _Batch[OutcomeT]) -> None:
        self._runs, self._stopping = batch.begin_all(), batch.stopping

    def __next__(self) -> TaskRun[OutcomeT]:
        return next(self._runs)

    def close(self) -> None:
        """The engine calls it at the end, whatever ended the work."""
        self._stopping.set()


def _prepare(plan: Plan) -> None:
    """Make the folder and clear away what killed runs left. Raises OutputError."""
    try:
        make_folder(plan.folder)
    except OSError as error:
        raise OutputError(f"{plan.folder}: cannot be made ({error.strerror}); choose another -o") from None
    _clear(plan, None if plan.is_one_file else "any")  # beside a single file another driver may be at work


def _clear(plan: Plan, run: str | None) -> None:
    for folder in {output.parent for task in plan.tasks for output in task.outputs}:
        clear_leftovers(folder, run=run)


def _hash(path: Path) -> str:
    """SHA-256 of a file, or the version of an object. Empty for what cannot be opened: the reader says why."""
    if is_stored(path):
        found = find(path)
        return "" if found is None else found.version
    try:
        return file_sha256(path) if os.path.isfile(path) else ""
    except OSError:
        return ""
