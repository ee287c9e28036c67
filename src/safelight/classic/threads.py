"""OpenCV on one thread: pictures are small and many, and whoever has cores gives them several pictures."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import cv2


class _OneThread:
    """Counts the blocks that are open, in all threads: the first one sets, the last one restores."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blocks, self._before = 0, 1

    def enter(self) -> None:
        with self._lock:
            if not self._blocks:
                self._before = cv2.getNumThreads()
                cv2.setNumThreads(1)
            self._blocks += 1

    def leave(self) -> None:
        with self._lock:
            self._blocks -= 1
            if not self._blocks:
                cv2.setNumThreads(self._before)


_one_thread = _OneThread()


@contextmanager
def single_threaded() -> Iterator[None]:
    """Within the block OpenCV uses one thread, in the whole process. Afterwards it uses as many as before.

    Blocks may be open in several threads at a time. The results of operations do not depend on the number of threads.
    """
    _one_thread.enter()
    try:
        yield
    finally:
        _one_thread.leave()
