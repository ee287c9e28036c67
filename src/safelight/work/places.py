"""Questions about a path, wherever it lies: on a file system, or on object storage (`work.storage`).

On a file system they are asked through os.path, which answers "no" where pathlib raises: names that are too long, loops
of links.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from safelight.work import storage


def exists(path: Path) -> bool:
    """Whether something has that name; on a file system also a link that leads nowhere."""
    return storage.find(path) is not None if storage.is_stored(path) else os.path.lexists(path)


def is_folder(path: Path) -> bool:
    """On object storage: whether objects lie below it, and none has its name."""
    if storage.is_stored(path):
        return storage.find(path) is None and bool(storage.objects_below(path))
    return os.path.isdir(path)


def size(path: Path, as_listed: bool = False) -> int:
    """In bytes; -1 for a file that is not there. `as_listed` spares a request for each object."""
    if storage.is_stored(path):
        found = storage.find(path) if as_listed else storage.look(path)
        return -1 if found is None else found.bytes
    try:
        return path.stat().st_size
    except OSError:
        return -1


def walk(folder: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """As `os.walk` from above."""
    if storage.is_stored(folder):
        yield from storage.walk(folder)
    else:
        for here, folders, files in os.walk(folder):
            yield Path(here), folders, files


def make_folder(folder: Path) -> None:
    """With those above it. Object storage needs none. Raises OSError."""
    if not storage.is_stored(folder):
        folder.mkdir(parents=True, exist_ok=True)
