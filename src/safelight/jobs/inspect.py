"""Look at a set of pictures before training on it."""

from contextlib import closing
from pathlib import Path

from safelight.dataset import ImageSet, InspectReport, compared, grouped, inspect_set, look, open_set
from safelight.dataset.report import Seen
from safelight.errors import RefusedError, shown
from safelight.runtime.machine import cores
from safelight.settings import AnyPath, VerbSettings, argument, option
from safelight.work import OnProgress, Ray, silent
from safelight.work.nodes import ENGINE_HELP, Driver, cluster_address


class InspectSettings(VerbSettings):
    """Which set."""

    may_be_stored = frozenset({"dataset"})

    dataset: AnyPath = argument("A folder (sub-folders are classes), an .npz, a .csv or a .jsonl.", "DATASET")
    group_by: str | None = option(
        None, "Count groups: pictures with equal text at {group} in their names, such as '{group}_*'."
    )
    engine: str | None = option(None, ENGINE_HELP)


def inspect(settings: InspectSettings, on_progress: OnProgress = silent) -> InspectReport:
    """Counts, sizes, duplicates, leaks between parts, broken files.

    Raises UsageError for what is no set, and what `mirrored` raises; on a cluster RefusedError and DeviceError.
    """
    images = grouped(open_set(settings.dataset, on_progress), settings.group_by)
    address = cluster_address(settings.engine)
    if address is None:
        return inspect_set(images, cores(), on_progress)

    def on_lost(index: int, why: str) -> str:
        return f"{images.items[index].name}: {why}"

    engine = Ray(address, _open_on_node, (settings.dataset, len(images), Driver.here()), on_lost)
    with closing(engine.map(_look_on_node, range(len(images)))) as seen:
        return compared(images, seen, on_progress)


_set: list[ImageSet] = []
"""In a worker."""


def _open_on_node(dataset: Path, count: int, driver: Driver) -> None:
    """Raises RefusedError for a node that sees another set."""
    driver.enter()
    images = open_set(dataset)
    if len(images) != count:
        counts = f"has {len(images)} pictures on a node, and {count} for the driver"
        raise RefusedError(f"{shown(dataset)}: {counts}; share it")
    _set[:] = [images]


def _look_on_node(index: int) -> Seen | str:
    return look(_set[0], index)
