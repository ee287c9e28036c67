"""What became of each file."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from safelight.jobs.batch.outcome import Status, count


@dataclass
class CompressOutcome:
    """What became of one picture."""

    source: str
    status: Status
    outputs: list[str] = field(default_factory=list)
    seconds: float = 0.0
    megapixels: float = 0.0
    quality: int | None = None
    """The one that was used, also where another rule was given."""
    bytes: int | None = None
    """Of the whole file."""
    bits_per_pixel: float | None = None
    psnr_db: float | None = None
    """Of what the file decodes to, against the picture that was compressed."""
    warnings: list[str] = field(default_factory=list)
    error: str | None = None


@dataclass
class DecompressOutcome:
    """What became of one .latent file."""

    source: str
    status: Status
    outputs: list[str] = field(default_factory=list)
    seconds: float = 0.0
    megapixels: float = 0.0
    quality: int | None = None
    restored: bool | None = None
    """Whether the picture was restored before it was compressed."""
    warnings: list[str] = field(default_factory=list)
    error: str | None = None


@dataclass(frozen=True)
class CompressReport:
    """What became of a batch."""

    outcomes: list[CompressOutcome]
    """One for each file, in the order of the plan."""
    passed_over: Mapping[str, int] = field(default_factory=dict)
    """What is in the input folders and was not read; see `jobs.batch.plan.Plan`."""

    @property
    def failed(self) -> int:
        """Files that could not be read, compressed or written."""
        return count(self.outcomes, "failed")

    @property
    def bytes(self) -> int:
        """Of all files that were made now."""
        return sum(outcome.bytes or 0 for outcome in self.outcomes)


@dataclass(frozen=True)
class DecompressReport:
    """What became of a batch."""

    outcomes: list[DecompressOutcome]
    """One for each file, in the order of the plan."""
    passed_over: Mapping[str, int] = field(default_factory=dict)
    """What is in the input folders and was not read; see `jobs.batch.plan.Plan`."""

    @property
    def failed(self) -> int:
        """Files that could not be read, decompressed or written."""
        return count(self.outcomes, "failed")
