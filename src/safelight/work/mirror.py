"""Sets of pictures that lie on object storage: copied to the disk of this machine, and opened there.

The copy is in the user's cache, under the names that the objects have. It is kept: the next time, what is gone there is
removed, and what is new or changed is downloaded. One process of a user does that at a time.
"""

import errno
import json
import os
import shutil
import sys
import unicodedata
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from safelight.errors import OutputError, PictureError, UsageError, show_as, shown
from safelight.work import storage
from safelight.work.engine import Threads
from safelight.work.files import clear_leftovers, replacing, user_cache, write_whole
from safelight.work.progress import OnProgress, Progress, silent

LISTS = frozenset({".csv", ".tsv", ".jsonl", ".json"})
"""Ends of files that name pictures of their folder."""
AT_A_TIME = 16
"""Downloads."""
_OF_NAMES = (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.EINVAL, errno.EILSEQ)


class _Object(NamedTuple):
    there: Path
    here: Path
    now: storage.Stored


def mirrored(path: Path, on_progress: OnProgress = silent) -> Path:
    """A set on this machine: `path` itself, or its copy if it lies on object storage.

    Of a list, all of its folder is copied. Raises UsageError for what is not there or has no room here, OutputError for
    storage that refuses or names that this disk cannot hold, RefusedError and PictureError of `work.storage`.
    """
    if not storage.is_stored(path):
        return path
    home = _home(path)
    with _alone(home):
        storage.forget()
        found = storage.look(path)
        if found is not None and path.suffix.lower() not in LISTS:
            _copy(home, path, [_Object(path, _here(home, path), found)], on_progress)
            return _here(home, path)
        folder = path if found is None else path.parent
        listed = storage.objects_below(folder)
        objects = [_Object(one, _here(home, one), listed[shown(one)]) for one in _files(folder)]
        if not objects:
            raise UsageError(f"{shown(path)}: does not exist, or is empty; name a folder or a file of the bucket")
        _check_names(folder, objects)
        _remove_others(_here(home, folder), {one.here for one in objects})
        _copy(home, folder, objects, on_progress)
    return _here(home, path)


def _home(path: Path) -> Path:
    """Where the copy of a bucket lies. Raises UsageError for a user without a home, and a path that leads upwards."""
    scheme, _, rest = shown(path).partition("://")
    if {".", ".."} & {*rest.split("/")}:
        raise UsageError(f"{shown(path)}: leads upwards; name the folder of the bucket itself")
    try:
        stored = user_cache() / "stored" / scheme
    except RuntimeError:
        raise UsageError(f"{shown(path)}: there is no home for a copy; set XDG_CACHE_HOME") from None
    show_as(f"{stored}{os.sep}", f"{scheme}://")
    return stored / rest.partition("/")[0]


def _here(home: Path, path: Path) -> Path:
    """Where the copy of an object or a folder of the bucket lies."""
    return home.parent / shown(path).partition("://")[2]


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """One process at a time copies a bucket, where the system has locks for that. Raises OutputError."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        with home.with_name(f".{home.name}.lock").open("w") as lock:
            if sys.platform != "win32":
                import fcntl

                fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise OutputError(f"{home}: cannot be written ({error.strerror}); set XDG_CACHE_HOME") from None


def _files(folder: Path) -> Iterator[Path]:
    for place, _, names in storage.walk(folder):
        yield from (place / name for name in names)


def _check_names(folder: Path, objects: Iterable[_Object]) -> None:
    """Raises UsageError for objects that are one file on a disk that sees no difference between a and A."""
    if sys.platform not in ("darwin", "win32"):
        return
    alike = Counter(unicodedata.normalize("NFC", shown(one.there)).casefold() for one in objects)
    name, count = alike.most_common(1)[0]
    if count > 1:
        raise UsageError(f"{shown(folder)}: has names that differ in capitals alone ({name}); rename one of them")


def _copy(home: Path, root: Path, objects: Iterable[_Object], on_progress: OnProgress) -> None:
    """Download what is not here as it is there. Raises what `mirrored` raises."""
    journal = home.with_name(f".{home.name}.json")
    copied = _read(journal)
    wanted = [one for one in objects if not _is_here(one, copied)]
    _check_room(root, home, sum(one.now.bytes for one in wanted))
    for folder in {one.here.parent for one in wanted}:
        clear_leftovers(folder)
    done = 0
    try:
        with closing(Threads(AT_A_TIME).map(_download, wanted)) as downloads:
            for one in downloads:
                copied[str(one.here)] = one.now.version
                done += 1
                on_progress(Progress(done, len(wanted), f"copying {shown(root)}"))
    finally:
        if done:
            write_whole(journal, json.dumps(copied))


def _read(journal: Path) -> dict[str, str]:
    """Copy → the version that it is of."""
    try:
        return {str(here): str(version) for here, version in json.loads(journal.read_text()).items()}
    except (OSError, ValueError, AttributeError):
        return {}  # all is copied again


def _is_here(one: _Object, copied: dict[str, str]) -> bool:
    return (
        copied.get(str(one.here)) == one.now.version and one.here.is_file() and one.here.stat().st_size == one.now.bytes
    )


def _check_room(root: Path, home: Path, needed: int) -> None:
    """Raises UsageError."""
    free = shutil.disk_usage(home.parent).free
    if needed > free:
        sizes = f"its copy needs {needed / 1e9:.2f} GB, and the disk of {home.parents[1]} has {free / 1e9:.2f}"
        raise UsageError(f"{shown(root)}: {sizes}; make room, or set XDG_CACHE_HOME")


def _download(one: _Object) -> _Object:
    url = shown(one.there)
    try:
        one.here.parent.mkdir(parents=True, exist_ok=True)
        with replacing(one.here) as part:
            storage.download(one.there, part)
    except PictureError as error:
        if isinstance(error.__context__, OSError) and error.__context__.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutputError(f"{url}: no room for a copy in {user_cache()}; set XDG_CACHE_HOME") from None
        raise
    except OSError as error:
        mend = "rename the object" if error.errno in _OF_NAMES else "set XDG_CACHE_HOME"
        raise OutputError(f"{url}: cannot be kept in {user_cache()} ({error.strerror}); {mend}") from None
    return one


def _remove_others(folder: Path, kept: Container[Path]) -> None:
    """What is no longer there, and folders that are empty then."""
    clear_leftovers(folder, recursive=True, run="any")
    for place, _, names in os.walk(folder, topdown=False):
        for name in names:
            if Path(place) / name not in kept:
                (Path(place) / name).unlink(missing_ok=True)
        if next(Path(place).iterdir(), None) is None:
            Path(place).rmdir()
    if folder.is_file() and folder not in kept:
        folder.unlink()
