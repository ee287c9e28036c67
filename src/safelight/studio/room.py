"""How much room the studio takes on the disk, and what it removes."""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from safelight.errors import SafelightError
from safelight.studio.names import ID


class DiskFullError(SafelightError):
    """What is kept takes all the room that it may."""


def used_bytes(folder: Path) -> int:
    """Of all files below a folder; those with several names count once."""
    seen = {}
    for where, _, files in os.walk(folder):
        for name in files:
            try:
                found = (Path(where) / name).lstat()
            except OSError:
                continue
            seen[found.st_ino] = found.st_size
    return sum(seen.values())


def remove_old(state: Path, days: float) -> None:
    """Pictures and jobs that nobody has touched for so long."""
    limit = time.time() - 86400 * days
    for kind in ("pictures", "jobs"):
        for entry in _folders(state / kind):
            if entry.stat().st_mtime < limit:
                shutil.rmtree(entry, ignore_errors=True)


def _folders(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from (path for path in folder.iterdir() if path.is_dir() and ID.fullmatch(path.name))
