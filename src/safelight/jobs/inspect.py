"""Look at a set of pictures before training on it."""

from safelight.dataset import InspectReport, grouped, inspect_set, open_set
from safelight.runtime.machine import cores
from safelight.settings import AnyPath, Settings, argument, option
from safelight.work import OnProgress, silent


class InspectSettings(Settings):
    """Which set."""

    dataset: AnyPath = argument("A folder (sub-folders are classes), an .npz, a .csv or a .jsonl.", "DATASET")
    group_by: str | None = option(
        None, "Count groups: pictures with equal text at {group} in their names, such as '{group}_*'."
    )


def inspect(settings: InspectSettings, on_progress: OnProgress = silent) -> InspectReport:
    """Counts, sizes, duplicates, leaks between parts, broken files. Raises UsageError for what is no set."""
    images = grouped(open_set(settings.dataset), settings.group_by)
    return inspect_set(images, cores(), on_progress)
