"""Names that strangers choose → names of files that lead nowhere else."""

import re
from pathlib import Path, PurePosixPath

from safelight.errors import UsageError

ID = re.compile(r"[0-9a-f]{16}")
"""Of dropped pictures and of jobs: names of folders in the state folder."""
MOST_BYTES = 180
"""Of one name: file systems take 255, and results have longer ones."""
MOST_PARTS = 12
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_RESERVED = re.compile(r'[<>:"|?*\\]')


def relative_path(name: str) -> PurePosixPath:
    """A path of plain parts for a new file below some folder. Raises UsageError: empty, absolute, hidden, too long.

    Characters that some systems do not take become "_".
    """
    parts = [part for part in name.replace("\\", "/").split("/") if part]
    if not parts or name.startswith(("/", "\\")):
        raise UsageError("the name is empty or absolute; give a file name such as a.jpg")
    if len(parts) > MOST_PARTS:
        raise UsageError(f"the name has more than {MOST_PARTS} folders; drop a folder further inside")
    return PurePosixPath(*map(_plain, parts))


def _plain(part: str) -> str:
    if _CONTROL.search(part) or part.startswith("."):
        raise UsageError("the name is hidden or has characters that no name should have; rename the file")
    part = _RESERVED.sub("_", part).rstrip(". ")
    if not part:
        raise UsageError("the name has a part without letters; rename the file")
    try:
        size = len(part.encode())
    except UnicodeEncodeError:
        raise UsageError("the name is not valid text; rename the file") from None
    if size > MOST_BYTES:
        raise UsageError(f"the name is longer than {MOST_BYTES} bytes; rename the file")
    return part


def inside(root: Path, relative: str) -> Path:
    """An existing path below a folder, links followed, by its own name. Raises FileNotFoundError for all others."""
    parts = relative.split("/")
    if any(not part or part.startswith(".") or _CONTROL.search(part) for part in parts):
        raise FileNotFoundError(relative)
    try:
        path = root.joinpath(*parts).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        raise FileNotFoundError(relative) from None
    if not path.is_relative_to(root.resolve()):
        raise FileNotFoundError(relative)
    return path
