"""Verbs of the command line as jobs of the studio."""

import logging
from pathlib import Path
from typing import Any

from safelight.downstream.settings import VerdictSettings
from safelight.jobs.augment.settings import AugmentSettings
from safelight.jobs.compress.settings import CompressSettings
from safelight.jobs.enhance.settings import EnhanceSettings
from safelight.learn.settings import TrainSettings
from safelight.studio.job import Made, OnOutcome, Verb
from safelight.work import Cancelled, OnProgress, write_whole

TOLD = 6
"""Lines of a training run's words that a report keeps."""


def _enhance(settings: Any, on_progress: OnProgress, on_outcome: OnOutcome, folder: Path) -> list[str]:
    from safelight.jobs.enhance.enhance import enhance

    enhance(settings, on_progress, on_outcome)
    return []


def _compress(settings: Any, on_progress: OnProgress, on_outcome: OnOutcome, folder: Path) -> list[str]:
    from safelight.jobs.compress.compress import compress

    compress(settings, on_progress, on_outcome)
    return []


def _augment(settings: Any, on_progress: OnProgress, on_outcome: OnOutcome, folder: Path) -> list[str]:
    from safelight.jobs.augment.augment import augment  # OpenCV is an extra

    report = augment(settings, on_progress)
    lines = [f"{report.originals} originals and {report.variants + report.before} variants"]
    lines += [f"{report.left_out} variants were left out, since the guard refused them"] if report.left_out else []
    return [*lines, *report.failed, *report.warnings]


def _verdict(settings: Any, on_progress: OnProgress, on_outcome: OnOutcome, folder: Path) -> list[str]:
    """Its page and diagrams are files."""
    from safelight.downstream.verdict import verdict  # torch is an extra

    report = verdict(settings, on_progress)
    made = [folder / "verdict.html"]
    report.write_page(made[0])
    for diagram in report.diagrams:
        made.append(folder / f"verdict {len(made)}.svg")
        write_whole(made[-1], diagram)
    on_outcome(Made(report.title, [str(path) for path in made]))
    return [report.verdict.sentence, *report.notes]


def _train(settings: Any, on_progress: OnProgress, on_outcome: OnOutcome, folder: Path) -> list[str]:
    """A run that has a checkpoint goes on."""
    from safelight.learn.train import train  # torch is an extra

    told, logger = _Lines(), logging.getLogger("safelight")
    level = logger.level
    logger.addHandler(told)
    logger.setLevel(logging.INFO)
    try:
        is_begun = (settings.run / "checkpoint").exists()
        report = train(settings.model_copy(update={"resume": is_begun}), on_progress)
    finally:
        logger.removeHandler(told)
        logger.setLevel(level)
    if report.bundle is None:
        raise Cancelled
    return told.lines[-TOLD:]


class _Lines(logging.Handler):
    """What a run tells people."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self.lines.append(record.getMessage())


VERBS = {
    "enhance": Verb(EnhanceSettings, _enhance),
    "compress": Verb(CompressSettings, _compress),
    "augment": Verb(AugmentSettings, _augment, is_on_pictures=False),
    "verdict": Verb(VerdictSettings, _verdict, is_on_pictures=False),
    "train": Verb(TrainSettings, _train, is_on_pictures=False),
}
