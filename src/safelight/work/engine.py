"""Where the tasks of a job run: one protocol, and its two forms on one machine.

An engine maps a function over tasks. Results come in the order of the tasks. Only a bounded number of tasks is in
flight, so that memory does not grow with their number. When the caller stops early, tasks that have begun are finished
and no new task begins.
"""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol, TypeVar

from safelight.errors import OutputError

Task = TypeVar("Task")
Result = TypeVar("Result")


def ignore(result: object) -> None:
    """The callback that does nothing."""


class Engine(Protocol):
    """Runs the tasks of a job somewhere."""

    def map(
        self, function: Callable[[Task], Result], tasks: Iterable[Task], on_late: Callable[[Result], None] = ignore
    ) -> Generator[Result]:
        """The function's result for every task, in order. What the function raises is raised here.

        `on_late` gets the results of tasks that were in flight when the caller stopped early. `tasks.close` is called
        before these are waited for, if there is one.
        """


class Threads:
    """Threads of this process: for tasks that wait for files, or that share a model."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def map(
        self, function: Callable[[Task], Result], tasks: Iterable[Task], on_late: Callable[[Result], None] = ignore
    ) -> Generator[Result]:
        """See `Engine.map`."""
        with ThreadPoolExecutor(self.workers) as pool:
            yield from _bounded(pool, function, tasks, self.workers, on_late=on_late)


class Processes:
    """Fresh processes of this machine: for tasks that compute in Python.

    `prepare` runs once in each process, with `arguments`: it loads what all tasks need.
    """

    def __init__(
        self, workers: int, prepare: Callable[..., None] | None = None, arguments: tuple[Any, ...] = ()
    ) -> None:
        self.workers, self.prepare, self.arguments = workers, prepare, arguments

    def map(
        self, function: Callable[[Task], Result], tasks: Iterable[Task], on_late: Callable[[Result], None] = ignore
    ) -> Generator[Result]:
        """See `Engine.map`. Raises OutputError if a process dies."""
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(self.workers, context, _prepare, (self.prepare, self.arguments)) as pool:
            try:
                yield from _bounded(pool, function, tasks, 2 * self.workers, on_late=on_late)
            except BrokenProcessPool:
                raise OutputError("a worker died, perhaps for want of memory; go on with fewer --workers") from None


def no_more_of(tasks: Iterable[Any]) -> None:
    """Tell whoever makes the tasks that no more are wanted."""
    close = getattr(tasks, "close", None)
    if close is not None:
        close()


def _prepare(prepare: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    """Ctrl-C in a terminal, its end, and a stopped service reach every process; the driver alone decides what to do."""
    end_with_driver()
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    if prepare is not None:
        prepare(*arguments)


def end_with_driver() -> None:
    """From now on, this process ends at once when the one that started it has ended: no queue would tell it."""
    driver = multiprocessing.parent_process()

    def wait() -> None:
        if driver is not None:
            driver.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _bounded(
    pool: Executor,
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    most: int,
    on_late: Callable[[Result], None],
) -> Generator[Result]:
    """Results in order, with at most `most` tasks in flight."""
    in_flight: deque[Future[Result]] = deque()
    try:
        for task in tasks:
            in_flight.append(pool.submit(function, task))
            while len(in_flight) >= most or (in_flight and in_flight[0].done()):
                in_flight[0].result()  # an interrupt while it is waited for leaves it in flight
                yield in_flight.popleft().result()
        while in_flight:
            in_flight[0].result()
            yield in_flight.popleft().result()
    finally:
        no_more_of(tasks)
        pool.shutdown(wait=True, cancel_futures=True)
        for late in in_flight:
            if not late.cancelled() and late.exception() is None:
                on_late(late.result())
