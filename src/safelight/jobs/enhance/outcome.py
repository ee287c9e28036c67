"""What became of each file, and of the whole batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from safelight.jobs.batch.outcome import Status, count


@dataclass
class EnhanceOutcome:
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
    scale: tuple[float, float] | None = None
    """The numbers that were black and white for the model, in the first page."""
    scales: Sequence[tuple[float, float] | None] | None = None
    """The same of every page, where they differ."""
    warnings: list[str] = field(default_factory=list)
    error: str | None = None


@dataclass(frozen=True)
class EnhanceReport:
    """What became of a batch."""

    outcomes: list[EnhanceOutcome]
    """One for each file, in the order of the plan."""
    device: str
    """Where the model ran."""
    passed_over: Mapping[str, int] = field(default_factory=dict)
    """What is in the input folders and was not read; see `jobs.batch.plan.Plan`."""
    compared: int = 0
    """Pictures on the page that was asked for."""

    @property
    def done(self) -> int:
        """Files that were restored now."""
        return count(self.outcomes, "done")

    @property
    def skipped(self) -> int:
        """Files whose results were there, or were in the way."""
        return count(self.outcomes, "skipped")

    @property
    def failed(self) -> int:
        """Files that could not be read, restored or written."""
        return count(self.outcomes, "failed")
