"""One job of the studio: what is asked for, how far it is, and what became of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from safelight.settings import Settings
from safelight.work import OnProgress

State = Literal["waiting", "running", "done", "failed", "cancelled", "cut off"]
OnOutcome = Callable[[Any], None]
"""Called with a record of each file that was made or failed."""
OPEN: tuple[State, ...] = ("waiting", "running")


@dataclass
class Job:
    """One job, as the page sees it."""

    id: str
    verb: str
    settings: dict[str, Any]
    """What was chosen, without files and folders."""
    names: list[str]
    """Of the pictures, or of what else the job is about."""
    folder: str | None
    """Where results go, below `root`; None: they are kept by the studio."""
    created: float
    state: State = "waiting"
    error: str | None = None
    outcomes: list[dict[str, Any]] = field(default_factory=list)
    done: float = 0.0
    total: float = 0.0
    what: str = ""
    seconds: float = 0.0
    seconds_left: float | None = None
    version: int = 0
    """Rises with every change."""
    is_cancelling: bool = False
    root: str | None = None
    """The studio's folder when the job was made."""
    files: list[str] | None = None
    """Names of its results, known when it ends."""
    report: list[str] = field(default_factory=list)
    """What came of it, in sentences."""


@dataclass(frozen=True)
class Made:
    """Files that a job made; a record for `OnOutcome`."""

    source: str
    outputs: list[str]
    status: Literal["done"] = "done"
    warnings: tuple[str, ...] = ()
    error: str | None = None


@dataclass(frozen=True)
class Verb:
    """How a verb of the command line is run as a job."""

    settings: type[Settings]
    run: Callable[[Any, OnProgress, OnOutcome, Path], list[str]]
    """(settings, on_progress, on_outcome, folder of results) → what came of it, in sentences."""
    is_on_pictures: bool = True
    """Whether it reads a folder of inputs and writes a folder of results; else its settings name what it works on."""
