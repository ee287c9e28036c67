"""A text that grows line by line: a file, or an object that a copy on this machine grows for."""

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from safelight.errors import OutputError, shown
from safelight.work import storage
from safelight.work.files import user_cache, write_whole
from safelight.work.hashes import json_sha256

UPLOADED_S, RESTED = 5.0, 20
"""An object is replaced by its longer copy at most so often; and after so many times as long as the last time took."""


class Journal(Protocol):
    """All methods raise OutputError where the file or the storage refuses."""

    def read(self) -> bytes:
        """All of it; nothing if it is not there."""
        ...

    def append(self, text: str) -> None: ...

    def rewrite(self, text: str) -> None:
        """All of it, in one step."""
        ...

    def remove(self) -> None:
        """If it is there."""
        ...

    def close(self) -> None:
        """At the end of a run."""
        ...


def journal_at(path: Path) -> Journal:
    """On a file system, or on object storage."""
    return StoredJournal(path) if storage.is_stored(path) else FileJournal(path)


class FileJournal:
    """On a file system."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> bytes:
        """Raises OutputError."""
        try:
            return self.path.read_bytes() if os.path.lexists(self.path) else b""
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be read ({error.strerror}); move it away") from None

    def append(self, text: str) -> None:
        """Raises OutputError."""
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            why = f"cannot be written ({error.strerror}); check the folder and the disk"
            raise OutputError(f"{self.path}: {why}") from None

    def rewrite(self, text: str) -> None:
        write_whole(self.path, text)

    def remove(self) -> None:
        """Raises OutputError."""
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be removed ({error.strerror}); check the folder") from None

    def close(self) -> None:
        """It is complete at any time."""


class StoredJournal:
    """On object storage, where nothing can be appended.

    Lines go to a copy in the user's cache, which replaces the object every few seconds and at the end. A run that was
    killed goes on from the copy if that is ahead of the object.
    """

    def __init__(self, path: Path) -> None:
        """Raises OutputError for a user without a home."""
        self.path = path
        try:
            home = user_cache()
        except RuntimeError:
            raise OutputError(f"{shown(path)}: its copy needs a home; set XDG_CACHE_HOME to a folder") from None
        self._copy = FileJournal(home / "journals" / f"{json_sha256(shown(path))[:32]}.jsonl")
        self._next_upload = 0.0
        self._is_ahead = False

    def read(self) -> bytes:
        stored, copied = storage.read(self.path), self._copy.read()
        if stored and copied.startswith(stored):
            self._is_ahead = len(copied) > len(stored)
            return copied
        write_whole(self._copy.path, stored)
        return stored

    def append(self, text: str) -> None:
        self._copy.append(text)
        self._is_ahead = True
        if time.monotonic() > self._next_upload:
            with suppress(OutputError):  # the copy is complete, and the next time will tell
                self.close()

    def rewrite(self, text: str) -> None:
        self._copy.rewrite(text)
        self._is_ahead = True
        self.close()

    def remove(self) -> None:
        storage.remove(self.path)
        self._copy.remove()

    def close(self) -> None:
        began = time.monotonic()
        self._next_upload = began + UPLOADED_S
        if self._is_ahead:
            storage.upload(self._copy.path, self.path)
        now = time.monotonic()
        self._next_upload, self._is_ahead = now + max(UPLOADED_S, RESTED * (now - began)), False
