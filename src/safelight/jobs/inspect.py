"""Look at a set of pictures before training on it."""

from safelight.dataset import InspectReport, inspect_set, open_set
from safelight.runtime.machine import cores
from safelight.settings import AnyPath, Settings, argument
from safelight.work import OnProgress, silent


class InspectSettings(Settings):
    """Which set."""

    dataset: AnyPath = argument("A folder (sub-folders are classes), an .npz, a .csv or a .jsonl.", "DATASET")


def inspect(settings: InspectSettings, on_progress: OnProgress = silent) -> InspectReport:
    """Counts, sizes, duplicates, leaks between parts, broken files. Raises UsageError for what is no set."""
    return inspect_set(open_set(settings.dataset), cores(), on_progress)
