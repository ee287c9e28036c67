"""How much room the studio takes on the disk, and what it removes."""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from safelight.errors import SafelightError, UsageError
from safelight.studio.names import ID


class DiskFullError(SafelightError):
    """What is kept takes all the room that it may."""


def used_bytes(state: Path) -> int:
    """Of dropped pictures and of jobs, which a person can remove; files with several names count once."""
    seen = {}
    for kind in ("pictures", "jobs"):
        for where, _, files in os.walk(state / kind):
            for name in files:
                try:
                    found = (Path(where) / name).lstat()
                except OSError:
                    continue
                seen[found.st_ino] = found.st_size
    return sum(seen.values())


class StateFolder:
    """The state folder, of one studio at a time. Raises UsageError if another one uses it, or it cannot be made."""

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = (folder / "lock").open("w")
        except OSError as error:
            raise UsageError(f"the state folder cannot be made ({error}); choose another --state") from None
        try:
            import fcntl  # not on every system
        except ModuleNotFoundError:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise UsageError(f"{folder}: another studio uses this state folder; choose another --state") from None

    def release(self) -> None:
        """Another studio may take it."""
        self._file.close()


def remove_old(state: Path, days: float) -> None:
    """Dropped pictures that nobody has touched for so long. Jobs have links of their own, and keep their results."""
    limit = time.time() - 86400 * days
    for entry in _folders(state / "pictures"):
        if entry.stat().st_mtime < limit:
            shutil.rmtree(entry, ignore_errors=True)


def _folders(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from (path for path in folder.iterdir() if path.is_dir() and ID.fullmatch(path.name))
