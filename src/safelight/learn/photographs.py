"""The photographs of a run: decoded, and split by content into those to train on, to calibrate and to measure."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from safelight.errors import UsageError, shown
from safelight.learn.job import TrainJob
from safelight.learn.store import PixelStore, build_store
from safelight.work import mirrored


class PhotographSettings(Protocol):
    """What the section `[data]` of a recipe has if its task learns from photographs."""

    @property
    def folder(self) -> Path | None: ...
    @property
    def scales(self) -> Sequence[float]: ...
    @property
    def validation_share(self) -> float: ...


def open_photographs(job: TrainJob, data: PhotographSettings, smallest_px: int) -> PixelStore:
    """All photographs; tells which files are left out. Raises UsageError if a part of the split is empty."""
    folder = job.settings.data or data.folder
    if folder is None:
        raise UsageError(f"{job.settings.recipe}: names no data.folder; give --data FOLDER")
    with job.first_alone():
        store, left_out = build_store(mirrored(folder, job.on_progress), job.settings.cache, data.scales, smallest_px)
    for line in left_out:
        job.tell(f"left out: {line}")
    counts = part_sizes(store, data)
    if 0 in counts:
        raise UsageError(
            f"{shown(folder)}: {counts[0]} pictures to train on, {counts[1]} to calibrate, {counts[2]} to measure; "
            "each needs one, and equal pictures are in one part: add pictures or change data.validation_share"
        )
    return store


def part_sizes(store: PixelStore, data: PhotographSettings) -> list[int]:
    """Pictures to train on, to calibrate, to measure."""
    share = data.validation_share
    return [part.pictures for part in (store.part(share, 1), *store.part(0, share).halves())]
