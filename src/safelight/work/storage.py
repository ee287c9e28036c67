"""Files on object storage, such as s3://bucket/scans/1.png, through fsspec and the packages for it.

A path whose first part is a scheme lies there; pathlib writes it as s3:/bucket/scans/1.png. Nothing there is changed in
place: an object appears as a whole at the end of its upload. What lies below a folder that was listed is known from the
list, so that no object is asked about one by one.
"""

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from safelight.errors import OutputError, PictureError, RefusedError, SafelightError, UsageError, is_stored, shown

PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "az": "adlfs"}
"""Scheme → the package that knows it. There, uploads are whole or nothing."""


class Stored(NamedTuple):
    """An object."""

    bytes: int
    version: str
    """Another one for other content: the ETag."""


__all__ = ["download", "find", "forget", "is_stored", "look", "objects_below", "read", "remove", "upload", "walk"]

_listed: dict[str, dict[str, Stored]] = {}
"""URL of a folder → all objects below it, by their URLs."""


def forget() -> None:
    """Ask storage anew from now on."""
    _listed.clear()


def objects_below(folder: Path) -> dict[str, Stored]:
    """All objects below a folder, by their URLs; a folder is listed once.

    Raises UsageError and RefusedError for a scheme that nothing here knows, and OutputError for storage that refuses.
    """
    url = shown(folder)
    known = _listed.get(url)
    if known is not None:
        return known
    found: dict[str, dict[str, Any]] = {}
    with _answering(url) as system, suppress(FileNotFoundError):  # of a bucket that does not exist
        found = system.find(url, detail=True)
    listed = {_url(url, key): _stored(info) for key, info in found.items() if info["type"] == "file"}
    listed.pop(url, None)
    _listed[url] = listed
    return listed


def find(path: Path) -> Stored | None:
    """What lies at a path, as its folder was listed; None for nothing. Raises what `objects_below` raises."""
    url = shown(path)
    known = next((listed for folder, listed in list(_listed.items()) if url.startswith(f"{folder}/")), None)
    return look(path) if known is None else known.get(url)


def look(path: Path) -> Stored | None:
    """What lies at a path now; None for nothing. Raises what `objects_below` raises."""
    url, found = shown(path), None
    with _answering(url) as system, suppress(FileNotFoundError):
        info = system.info(url)
        found = _stored(info) if info["type"] == "file" else None
    for folder, listed in list(_listed.items()):
        if found is not None and url.startswith(f"{folder}/"):
            listed[url] = found
    return found


def walk(folder: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """As `os.walk` from above: a folder that is taken out of the second list is not entered.

    Keys that are no paths of a file system, such as with `..` in them, are passed over: no result may lie elsewhere.
    """
    below: dict[Path, tuple[list[str], list[str]]] = {folder: ([], [])}
    start = f"{shown(folder)}/"
    for url in objects_below(folder):
        *folders, name = parts = url.removeprefix(start).split("/")
        if {"", ".", ".."} & {*parts}:
            continue
        here = folder
        for part in folders:
            if here / part not in below:
                below[here][0].append(part)
                below[here / part] = [], []
            here /= part
        below[here][1].append(name)
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        yield here, *below[here]
        waiting += [here / name for name in reversed(below[here][0])]


def download(path: Path, to: Path) -> None:
    """Raises PictureError for what is not there, and what `objects_below` raises."""
    url = shown(path)
    with _answering(url) as system:
        try:
            system.get_file(url, str(to))
        except FileNotFoundError:
            raise PictureError(f"{url}: does not exist") from None
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            why = f"no room for it on the disk of {socket.gethostname()} ({to.parent}); make room, or set TMPDIR"
            raise PictureError(f"{url}: {why}") from None


def upload(file: Path, to: Path) -> None:
    """Nobody sees half of it. Raises what `objects_below` raises."""
    url = shown(to)
    with _answering(url) as system:
        system.put_file(str(file), url)


def read(path: Path) -> bytes:
    """A small object; empty for one that is not there. Raises what `objects_below` raises."""
    url, content = shown(path), b""
    with _answering(url) as system, suppress(FileNotFoundError):
        content = system.cat_file(url)
    return content


def remove(path: Path) -> None:
    """If it is there. Raises what `objects_below` raises."""
    with _answering(shown(path)) as system, suppress(FileNotFoundError):
        system.rm_file(shown(path))


def _url(folder: str, key: str) -> str:
    """Of an object, as fsspec names it: without a scheme, or with a slash before it."""
    scheme = folder.split("://", 1)[0]
    return f"{scheme}://{key.removeprefix(f'{scheme}://').lstrip('/')}"


def _stored(info: dict[str, Any]) -> Stored:
    version = info.get("ETag") or info.get("etag") or info.get("md5Hash") or info.get("created") or ""
    return Stored(int(info["size"]), str(version).strip('"'))


@contextmanager
def _answering(url: str) -> Iterator[Any]:
    """The file system of a URL. Raises what `objects_below` raises."""
    scheme = url.split(":", 1)[0]
    if scheme not in PACKAGES:
        raise UsageError(f"{url}: '{scheme}://' is not known; use one of {', '.join(PACKAGES)}, or a folder")
    try:
        try:
            system = import_module("fsspec").filesystem(scheme, use_listings_cache=False)
        except ImportError:
            why = f"{scheme}:// needs {PACKAGES[scheme]}; see docs/cluster.md for how to install it"
            raise RefusedError(why) from None
        yield system
    except SafelightError:
        raise
    except Exception as error:  # each package has errors of its own
        why = " ".join(str(error).split()) or type(error).__name__
        raise OutputError(f"{url}: the storage refuses ({why}); check its address and your rights") from None
