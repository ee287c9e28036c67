"""What the command line says of a training run, beside the recipe."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from safelight.learn.loop import Limits
from safelight.learn.run import RunFolder

CACHE = Path(".cache/pixels")
Tell = Callable[[str], None]


@dataclass(frozen=True)
class TrainJob:
    """One run to begin or to go on with."""

    recipe: Path
    data: Path | None = None
    run: Path | None = None
    cache: Path = CACHE
    resume: bool = False
    start: str | None = None
    """A bundle whose weights the run begins with."""
    workers: int | None = None
    limits: Limits = field(default_factory=Limits)
    tensorboard: bool = False

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes and tells; of several that a launcher started, one is."""
        return os.environ.get("RANK", "0") == "0"

    def folder(self, name: str) -> RunFolder:
        """The run's, by default that of the recipe's name."""
        return RunFolder(self.run or Path("runs") / name, self.tensorboard and self.is_first)

    @property
    def how_to_resume(self) -> str:
        """The command that goes on where this one stopped."""
        asked: dict[str, object] = {"--data": self.data, "--run": self.run, "--workers": self.workers}
        asked |= {"--budget": self.limits.budget_s and f"{self.limits.budget_s:g}s"}
        asked |= {"--cache": self.cache if self.cache != CACHE else None}
        options = "".join(f" {option} {value}" for option, value in asked.items() if value is not None)
        return f"stopped; go on with: safelight train {self.recipe}{options} --resume"
