"""Files are written beside their final name and renamed: a reader sees the old file or the new one, never a half."""

import errno
import os
import re
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safelight.errors import OutputError

_PREFIX = ".safelight-"
_PART = re.compile(re.escape(_PREFIX) + r"(?:(\d+)|run([0-9a-f]{8}))-[0-9a-f]{8}\.part")
"""An unfinished file: its name has the process that writes it, or a run of a cluster, whose processes are elsewhere."""
_run: list[str] = []


def write_for(run: str) -> None:
    """From now on this process is one of a cluster's run, and names its unfinished files so."""
    _run[:] = [run]


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A temporary name beside `target`. When the block ends, that file becomes `target`.

    When the block raises, the temporary file is removed and `target` stays as it was.
    """
    writer = f"run{_run[0]}" if _run else os.getpid()
    part = target.with_name(f"{_PREFIX}{writer}-{uuid.uuid4().hex[:8]}.part")
    try:
        yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def user_cache() -> Path:
    """The folder of this program in the user's cache. Raises RuntimeError for a user without a home."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "safelight"


def read_small(path: Path, most_bytes: int) -> bytes:
    """All of a file that is meant to be small. Raises OSError for a larger one, and for pipes, devices and folders."""
    if not path.is_file():
        raise OSError(errno.ENOENT, "no such file")
    if path.stat().st_size > most_bytes:
        raise OSError(errno.EFBIG, f"more than {most_bytes} bytes")
    return path.read_bytes()


def unpacked_bytes(archive: zipfile.ZipFile) -> int:
    """What all files of a zip need when they are unpacked, as it says itself; zipfile gives no more than that."""
    return sum(member.file_size for member in archive.infolist())


def write_whole(path: Path, content: str | bytes) -> None:
    """All of a small file or nothing; folders above it are made. Raises OutputError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part:
            part.write_bytes(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}); check the folder and the disk") from None


def clear_leftovers(folder: Path, recursive: bool = False, run: str | None = None) -> None:
    """Remove the unfinished files of processes that are gone, and of a run of a cluster: of this one, or of "any"."""
    pattern = f"{_PREFIX}*.part"
    for part in (folder.rglob(pattern) if recursive else folder.glob(pattern)) if folder.is_dir() else ():
        owner = _PART.fullmatch(part.name)
        if owner is None:
            continue
        process, of_run = owner.groups()
        if run in ("any", of_run) if process is None else not _is_alive(int(process)):
            part.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
