"""What became of each file of a batch."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from safelight.errors import SafelightError
from safelight.jobs.batch.plan import FOLDERS, OWN_RESULTS

Status = Literal["done", "skipped", "failed"]


class Outcome(Protocol):
    """What became of one file. Each verb has a record of its own, which has more numbers."""

    source: str
    status: Status
    outputs: list[str]
    megapixels: float
    warnings: list[str]
    error: str | None


class Report(Protocol):
    """What became of a batch."""

    @property
    def outcomes(self) -> Sequence[Outcome]: ...
    @property
    def passed_over(self) -> Mapping[str, int]: ...


OutcomeT = TypeVar("OutcomeT", bound=Outcome)


def count(outcomes: Sequence[Outcome], status: Status) -> int:
    """How many files became that."""
    return sum(outcome.status == status for outcome in outcomes)


RAW = frozenset(
    {".cr2", ".cr3", ".nef", ".arw", ".dng", ".raf", ".orf", ".rw2", ".pef", ".srw", ".raw", ".3fr", ".iiq"}
)
"""How names of raw camera files end."""


def in_words(passed_over: Mapping[str, int]) -> str | None:
    """What was passed over in folders, by kind: "12 passed over: 8 .bmp, 4 .jxl". None for nothing."""
    if not passed_over:
        return None
    folders, own = passed_over.get(FOLDERS, 0), passed_over.get(OWN_RESULTS, 0)
    order = sorted(
        ((suffix, number) for suffix, number in passed_over.items() if suffix not in (FOLDERS, OWN_RESULTS)),
        key=lambda item: (-item[1], item[0]),
    )
    raw = [(suffix, number) for suffix, number in order if suffix in RAW]
    kinds = [f"{number} {suffix or 'without a suffix'}" for suffix, number in order if suffix not in RAW]
    if raw:
        kinds.append(
            f"{', '.join(f'{number} {suffix}' for suffix, number in raw)} (raw camera files: develop them first)"
        )
    if own:
        kinds.append(f"{own} with the name{'s' * (own > 1)} of results (give their names to include them)")
    if folders:
        kinds.append(f"{folders} folder{'s' * (folders > 1)} (add -r)")
    return f"{sum(passed_over.values())} passed over: {', '.join(kinds)}"


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
