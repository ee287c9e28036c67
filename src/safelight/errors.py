"""Everything that can go wrong on purpose.

    SafelightError            exit 1   something about one file; the rest of the batch goes on
    ├── PictureError                   a picture cannot be read, or not as asked
    ├── OutputError                    a result cannot be written, or must not be
    ├── UnfitNodeError                 a machine of a cluster cannot do what another may
    ├── TrainingError                  a run cannot go on
    ├── UsageError            exit 2   the request itself makes no sense
    │   └── RecipeError                a recipe or a setting has an unknown key or a wrong value
    └── RefusedError          exit 3   a model or a device that must not be used
        ├── BundleError                a bundle is damaged, unknown or newer than this program
        └── DeviceError                the device that was asked for is not there

Each message says what is wrong, with which file, and how to mend it.
"""

import os
import re
import sys
from pathlib import Path

_SCHEME = re.compile(r"(s3a?|gs|gcs|az|abfss?|https?|s?ftp|hdfs):/{1,2}(?=[^/])", re.IGNORECASE)
"""How a URL of storage begins; pathlib takes one of its slashes away. Other words before a colon are folders."""


_shown_as: dict[str, str] = {}


def show_as(prefix: str, words: str) -> None:
    """From now on, errors say `words` where a path begins with `prefix`: a copy has the name of what it is of."""
    _shown_as[prefix] = words


def shown(path: Path | str) -> str:
    """A path, or words that begin with one, for people and files; names that are no UTF-8 get question marks.

    Of a path on object storage the URL.
    """
    words = os.fsencode(path).decode("utf-8", "replace")
    url = _SCHEME.match(words)
    return words if url is None else f"{url[1].lower()}://{words[url.end() :]}"


def is_stored(path: Path) -> bool:
    """Whether a path names something on object storage, or on another server."""
    return _SCHEME.match(str(path)) is not None


def installed_by(extra: str) -> str:
    """How to get the packages of an extra."""
    return f"in the clone: {sys.executable or 'python'} -m pip install -e '.[{extra}]'"


def on_one_line(words: str) -> str:
    """For a terminal: characters that would move or colour its text are written as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in words)


class SafelightError(Exception):
    """Root of the tree; shown to people as one line, never as a traceback."""

    exit_code = 1

    def __init__(self, words: str = "", *more: object) -> None:
        for prefix, instead in _shown_as.items():
            words = str(words).replace(prefix, instead)
        super().__init__(words, *more)


class PictureError(SafelightError):
    """A picture cannot be read, or not as asked."""


class UnfitNodeError(SafelightError):
    """A machine of a cluster cannot do what another may, such as for want of room on its disk."""


class OutputError(SafelightError):
    """A result cannot be written, or must not be."""


class TrainingError(SafelightError):
    """A training run cannot go on."""


class UsageError(SafelightError):
    """The request itself makes no sense."""

    exit_code = 2


class RecipeError(UsageError):
    """A recipe or a setting has an unknown key or a wrong value."""


class RefusedError(SafelightError):
    """A model or a device that must not be used."""

    exit_code = 3


class BundleError(RefusedError):
    """A bundle is damaged, unknown, or newer than this program."""


class DeviceError(RefusedError):
    """The device that was asked for is not there."""
