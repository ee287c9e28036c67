"""What became of each file, and of the whole batch."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from safelight.errors import SafelightError, shown

Status = Literal["done", "skipped", "failed"]


@dataclass
class Outcome:
    """What became of one file."""

    source: str
    status: Status
    outputs: list[str] = field(default_factory=list)
    seconds: float = 0.0
    megapixels: float = 0.0
    ood_score: float | None = None
    """How far the picture is from the training pictures, 1 at their limit. Of several pages, the farthest."""
    expert: str | None = None
    """Which of the model's experts restored it, or its first page."""
    precision: str | None = None
    """What the mean was computed in."""
    warnings: list[str] = field(default_factory=list)
    error: str | None = None


@dataclass(frozen=True)
class EnhanceReport:
    """What became of a batch."""

    outcomes: list[Outcome]
    """One for each file, in the order of the plan."""
    device: str
    """Where the model ran."""

    @property
    def done(self) -> int:
        """Files that were restored now."""
        return self._count("done")

    @property
    def skipped(self) -> int:
        """Files whose results were there, or were in the way."""
        return self._count("skipped")

    @property
    def failed(self) -> int:
        """Files that could not be read, restored or written."""
        return self._count("failed")

    def _count(self, status: Status) -> int:
        return sum(outcome.status == status for outcome in self.outcomes)


def failure(source: Path, error: Exception) -> Outcome:
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
    return Outcome(shown(source), "failed", error=" ".join(text.split()))
