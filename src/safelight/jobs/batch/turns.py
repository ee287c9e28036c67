"""What the threads of a batch share: whose turn it is at the model, and how far all of them are."""

import threading

from safelight.jobs.batch.plan import FileTask
from safelight.work import OnProgress, Progress


class Turns:
    """Files come to the model in the order of the plan."""

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


class Meter:
    """How far the batch is: files that have ended, and the shares of those in progress."""

    def __init__(self, total: int, on_progress: OnProgress) -> None:
        self._total, self._on_progress = total, on_progress
        self._ended, self._shares = 0, dict[int, float]()
        self._lock = threading.Lock()

    def moved(self, number: int, task: FileTask, share: float) -> None:
        """A share of the task of that number, 0 to 1, is done."""
        with self._lock:
            self._shares[number] = share
            self._report(task)

    def ended(self, number: int, task: FileTask) -> None:
        """A task is done, skipped or failed."""
        with self._lock:
            self._shares.pop(number, None)
            self._ended += 1
            self._report(task)

    def _report(self, task: FileTask) -> None:
        done = self._ended + sum(self._shares.values())
        self._on_progress(Progress(done, self._total, task.source.name))
