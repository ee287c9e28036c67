"""Run a plan on this machine: decode, enhance and encode overlap, one file after the other in order.

A reader thread is a file ahead and a writer thread a file behind the model, which has all cores.
"""

import os
import re
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from safelight.errors import OutputError
from safelight.jobs.enhance.files import Loaded, Outcome, enhance, failure, load, save
from safelight.jobs.enhance.manifest import Manifest
from safelight.jobs.enhance.plan import Plan, Task
from safelight.jobs.enhance.settings import EnhanceSettings
from safelight.picture import PART_PREFIX
from safelight.runtime.restore import Restorer


def run(
    plan: Plan,
    model: Restorer,
    settings: EnhanceSettings,
    *,
    workers: int = 1,
    stop_on_error: bool = False,
    on_progress: Callable[[Task, float], None] = lambda task, share: None,
) -> Iterator[Outcome]:
    """Do every task that is not done yet; yields one outcome a task, in order.

    Failures of single files are outcomes. A KeyboardInterrupt lets the files at hand be finished and
    written down first. `workers` files are decoded ahead and encoded behind.
    """
    _prepare(plan)
    manifest = Manifest(plan.folder)
    with ThreadPoolExecutor(workers) as readers, ThreadPoolExecutor(workers) as writers:
        writing: deque[Future[Outcome]] = deque()
        try:
            for loaded in _ahead(readers, plan.tasks, workers, lambda task: load(task, model, settings, manifest)):
                if loaded.outcome is None:
                    try:
                        results = [enhance(model, page, loaded.task, settings, on_progress) for page in loaded.pages]
                    except Exception as error:
                        loaded.outcome = failure(loaded.task, error)
                    else:
                        writing.append(writers.submit(save, loaded, results, model, settings, manifest))
                if loaded.outcome is not None:
                    writing.append(_finished(loaded.outcome))
                while len(writing) > workers or (writing and writing[0].done()):
                    outcome = writing.popleft().result()
                    yield outcome
                    if stop_on_error and outcome.status == "failed":
                        return
        finally:
            readers.shutdown(wait=False, cancel_futures=True)
            writers.shutdown(wait=True)
        while writing:
            yield writing.popleft().result()


def _prepare(plan: Plan) -> None:
    """Make the folder and clear away what killed runs left. Raises OutputError."""
    try:
        plan.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{plan.folder}: cannot be made ({error.strerror}); choose another -o") from None
    for folder in {output.parent for task in plan.tasks for output in task.outputs}:
        for part in folder.glob(f"{PART_PREFIX}*.part") if folder.is_dir() else ():
            owner = re.fullmatch(re.escape(PART_PREFIX) + r"(\d+)-[0-9a-f]+\.part", part.name)
            if owner and not _alive(int(owner[1])):
                part.unlink(missing_ok=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _ahead(pool: ThreadPoolExecutor, tasks: list[Task], ahead: int, read: Callable[[Task], Loaded]) -> Iterator[Loaded]:
    """Load in threads, at most `ahead` tasks before they are needed."""
    pending: deque[Future[Loaded]] = deque()
    for task in tasks:
        pending.append(pool.submit(read, task))
        if len(pending) > ahead:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


def _finished(outcome: Outcome) -> Future[Outcome]:
    future: Future[Outcome] = Future()
    future.set_result(outcome)
    return future
