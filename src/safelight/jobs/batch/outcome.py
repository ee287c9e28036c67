"""What became of each file of a batch."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from safelight.errors import SafelightError

Status = Literal["done", "skipped", "failed"]


class Outcome(Protocol):
    """What became of one file. Each verb has a record of its own, which has more numbers."""

    source: str
    status: Status
    outputs: list[str]
    warnings: list[str]
    error: str | None


OutcomeT = TypeVar("OutcomeT", bound=Outcome)


def count(outcomes: Sequence[Outcome], status: Status) -> int:
    """How many files became that."""
    return sum(outcome.status == status for outcome in outcomes)


def reason_of(source: Path, error: Exception) -> str:
    """A file's error as one line. An unforeseen error is named as such."""
    if os.environ.get("SAFELIGHT_DEBUG"):
        raise error
    if isinstance(error, SafelightError):
        text = str(error)
    elif isinstance(error, MemoryError):
        text = f"{source}: not enough memory; close other programs or split the picture"
    elif isinstance(error, OSError):
        text = f"{source}: {error.filename or ''} {error.strerror or error}; check the folder and the disk"
    else:
        text = f"{source}: internal error ({type(error).__name__}: {error}); please report it"
    return " ".join(text.split())
