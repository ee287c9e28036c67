"""A training run at work: its settings, its folder, and how it tells what happens."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from accelerate import PartialState

from safelight.bundle import Bundle, Card
from safelight.errors import shown
from safelight.learn.device import PROCESSOR, found_device
from safelight.learn.run import RunFolder
from safelight.learn.settings import CACHE, TrainReport, TrainSettings
from safelight.work import OnProgress

LONG = timedelta(hours=12)
"""How long processes may wait for the first one to decode a large set; a lost process is noticed at once."""
log = logging.getLogger("safelight")
"""Lines for people: the command line prints them, a Python program shows them if it likes."""


@dataclass(frozen=True)
class TrainJob:
    """One run to begin or to go on with."""

    settings: TrainSettings
    on_progress: OnProgress
    last_words: list[str] = field(default_factory=list)
    """What a person must know when the run is finished."""

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes and tells. Of several that a launcher started, one is."""
        return os.environ.get("RANK", "0") == "0"

    @property
    def processes(self) -> int:
        """Of this run."""
        return int(os.environ.get("WORLD_SIZE", "1"))

    def tell(self, line: str) -> None:
        """One line for people, from one process of several."""
        if self.is_first:
            log.info(line)

    def folder(self, name: str) -> RunFolder:
        """The run's, by default that of the recipe's name."""
        settings = self.settings
        return RunFolder(settings.run or Path("runs") / name, settings.tensorboard and self.is_first)

    @contextmanager
    def first_alone(self) -> Iterator[None]:
        """The first process passes the block before the others: they find there what it has written."""
        if self.processes == 1:
            yield
            return
        state = PartialState(cpu=found_device(self.settings.device) == PROCESSOR, timeout=LONG)
        with state.main_process_first():
            yield

    def stopped(self, run: RunFolder) -> TrainReport:
        """The report of a run that was interrupted; tells the command that goes on."""
        asked = self.settings
        options: dict[str, object] = {"--data": asked.data and shown(asked.data)}
        options |= {"--run": asked.run, "--workers": asked.workers}
        options |= {"--budget": asked.budget_s and f"{asked.budget_s:g}s"}
        options |= {"--cache": asked.cache if asked.cache != CACHE else None}
        options |= {"--device": asked.device if asked.device != "auto" else None}
        options |= {"--processes": asked.processes if asked.processes > 1 else None, "--engine": asked.engine}
        words = "".join(f" {option} {value}" for option, value in options.items() if value is not None)
        self.tell(f"stopped; go on with: safelight train {asked.recipe}{words} --resume")
        return TrainReport(run.folder, None, {})

    def finished(self, run: RunFolder, bundle: Bundle[Card], shown: tuple[str, ...] | None = None) -> TrainReport:
        """The report of a whole run; tells all that was measured, or the numbers of these names."""
        measured = bundle.card.measured
        names = [name for name in (shown or measured) if name in measured]
        self.tell(f"bundle in {bundle.folder}: {', '.join(f'{name} {measured[name]:g}' for name in names)}")
        for line in self.last_words:
            self.tell(line)
        return TrainReport(run.folder, bundle.folder, dict(measured))
