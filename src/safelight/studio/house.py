"""Everything that one running studio holds."""

from dataclasses import dataclass
from pathlib import Path

from safelight.errors import UsageError
from safelight.studio.jobs import Jobs
from safelight.studio.models import Models
from safelight.studio.pictures import Pictures
from safelight.studio.previews import Previews
from safelight.studio.rates import Rates
from safelight.studio.room import DiskFullError, StateFolder, remove_old, used_bytes
from safelight.studio.sets import Sets
from safelight.studio.settings import StudioSettings
from safelight.studio.verbs import VERBS
from safelight.work import user_cache


@dataclass(frozen=True)
class House:
    """The parts, which live as long as the server."""

    settings: StudioSettings
    state: Path
    held: StateFolder
    pictures: Pictures
    models: Models
    previews: Previews
    rates: Rates
    sets: Sets
    jobs: Jobs

    def close(self) -> None:
        """End what runs, and let another studio have the state folder."""
        self.jobs.close()
        self.held.release()

    def check_room(self, more_bytes: int = 0) -> None:
        """Raises DiskFullError if what is kept takes too much room."""
        most = self.settings.max_disk_gb * 1e9
        if used_bytes(self.state) + more_bytes > most:
            raise DiskFullError(
                f"dropped pictures and results may take {self.settings.max_disk_gb:g} GB; "
                "remove some, or see --max-disk-gb"
            )


def open_house(settings: StudioSettings) -> House:
    """Raises UsageError for a folder that is none, or a state folder that cannot be made."""
    folder = settings.folder
    if folder is not None and not folder.is_dir():
        raise UsageError(f"{folder}: is not a folder; name an existing one, or none")
    try:
        state = settings.state or user_cache() / "studio"
    except RuntimeError as error:
        raise UsageError(f"the state folder cannot be made ({error}); choose another --state") from None
    held = StateFolder(state)
    remove_old(state, settings.keep_days)
    root = folder.resolve() if folder is not None else None
    pictures, models = Pictures(state, root, settings.max_megapixels), Models(root)
    jobs = Jobs(state, VERBS, settings, root)
    return House(
        settings,
        state,
        held,
        pictures=pictures,
        models=models,
        previews=Previews(pictures, models),
        rates=Rates(pictures, models),
        sets=Sets(root, state),
        jobs=jobs,
    )
