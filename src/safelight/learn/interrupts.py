"""Ctrl-C in a training run."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def interruptible(ask: Callable[[], None]) -> Iterator[None]:
    """Within the block the first Ctrl-C calls `ask`; a second one is an ordinary KeyboardInterrupt."""

    def on_signal(signum: int, frame: object) -> None:
        ask()
        signal.signal(signal.SIGINT, previous)

    if threading.current_thread() is not threading.main_thread():  # where no signal arrives
        yield
        return
    previous = signal.signal(signal.SIGINT, on_signal)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
