"""How far a job is: one record, one kind of callback, and one way to cancel."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """One report of a job."""

    done: float
    """In the job's own unit: files, pictures, steps, seconds."""
    total: float
    """In the same unit; 0 if it is not known."""
    what: str
    """What is being done at the moment: a file's name, or a phase in words."""


OnProgress = Callable[[Progress], None]
"""Called from the job's own thread or from a worker thread. It cancels the job by raising `Cancelled`."""


class Cancelled(BaseException):
    """Raised by a callback to end a job. What is finished stays; the same job goes on later.

    It is no `Exception`, so that no handler of one file's errors can swallow it.
    """


def silent(progress: Progress) -> None:
    """The callback that does nothing."""
