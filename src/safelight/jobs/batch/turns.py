"""What the threads of a batch share: whose turn it is at the model, and how far all of them are."""

import threading
from collections.abc import Sequence
from pathlib import Path

from safelight.jobs.batch.plan import FileTask
from safelight.picture.opening import pixels_of
from safelight.work import OnProgress, Progress
from safelight.work.places import size
from safelight.work.storage import is_stored


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
    """How far the batch is, in megapixels: a large file takes longer than a small one.

    Of many files, and on object storage, megapixels are what the files' sizes suggest: no file is opened for them.
    """

    def __init__(self, tasks: Sequence[FileTask], on_progress: OnProgress) -> None:
        opens = len(tasks) <= MOST_OPENED
        self._sizes, self._on_progress = [_megapixels(task.source, opens) for task in tasks], on_progress
        self._total, self._ended, self._count = sum(self._sizes), 0.0, 0
        self._done = 0.0
        self._shares: dict[int, float] = {}
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
            self._ended += self._sizes[number]
            self._count += 1
            self._report(task)

    def _report(self, task: FileTask) -> None:
        now = self._ended + sum(self._sizes[number] * share for number, share in self._shares.items())
        self._done = min(self._total, max(self._done, now))  # a sum of many parts is rounded
        what = f"{min(self._count + 1, len(self._sizes))} of {len(self._sizes)}: {task.source.name}"
        self._on_progress(Progress(self._done, self._total, what))


MOST_OPENED = 1000
"""Files of a batch whose heads are read, at less than a millisecond each, to know their megapixels."""
_BYTES_PER_PIXEL = {".png": 1.8, ".tif": 3.0, ".tiff": 3.0, ".webp": 0.2, ".avif": 0.15, ".heic": 0.2, ".latent": 0.08}
"""Of common files; others are about JPEG."""
_BYTES_PER_PIXEL_OF_JPEG = 0.4
_LEAST_MEGAPIXELS = 0.01
"""Of a file that is small, or not there: it takes some time, too."""


def _megapixels(path: Path, opens: bool) -> float:
    """By the head of the file if `opens`, else about so many by its size and kind."""
    pixels = pixels_of(path) if opens and not is_stored(path) else None
    if pixels is not None:
        return max(_LEAST_MEGAPIXELS, pixels / 1e6)
    per_pixel = _BYTES_PER_PIXEL.get(path.suffix.lower(), _BYTES_PER_PIXEL_OF_JPEG)
    return max(_LEAST_MEGAPIXELS, size(path, as_listed=True) / per_pixel / 1e6)
