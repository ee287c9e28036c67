"""manifest.jsonl beside the outputs: what was made of what, with what; and so what need not be made again.

Two kinds of lines: {"begun": key, "outputs": [...]} before the first file of a task is written, and the
whole story with {"key": ...} when all are complete. What is begun and not finished is made again.
"""

import hashlib
import json
import os
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from safelight.errors import OutputError

NAME = "manifest.jsonl"


def task_key(source_sha256: str, model_sha256: str, parameters: dict[str, object]) -> str:
    """Equal keys mean equal results: input, model and parameters."""
    words = json.dumps([source_sha256, model_sha256, parameters], sort_keys=True)
    return hashlib.sha256(words.encode()).hexdigest()


class Manifest:
    """Append-only; a later line about a file outdates an earlier one. Raises OutputError if it cannot be used."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._finished: dict[str, tuple[str, int]] = {}
        """Output → the key that it belongs to, and its size in bytes."""
        self._begun: dict[str, str] = {}
        self._lock = threading.Lock()
        try:
            content = self.path.read_bytes() if os.path.lexists(self.path) else b""
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be read ({error.strerror}); move it away") from None
        self._cut_off = bool(content) and not content.endswith(b"\n")
        for line in content.splitlines():
            self._remember(line)

    def files(self) -> set[str]:
        """Real paths of everything that was made here."""
        return {os.path.realpath(self.path.parent / name) for name in (*self._finished, *self._begun)}

    def done(self, key: str, outputs: Iterable[Path]) -> bool:
        """Whether all `outputs` are there as that key's results, complete."""
        return all(self._finished.get(self._name(p)) == (key, _size(p)) for p in outputs)

    def begun(self, key: str, output: Path) -> bool:
        """Whether `output` is there because that key's task was cut off."""
        return self._begun.get(self._name(output)) == key

    def begin(self, key: str, outputs: Sequence[Path]) -> None:
        """Write down that a task starts to write."""
        self._append({"begun": key, "outputs": {self._name(path): 0 for path in outputs}})

    def finish(self, key: str, outputs: Sequence[Path], **facts: Any) -> None:
        """Write down one finished task."""
        self._append({"key": key, "outputs": {self._name(path): _size(path) for path in outputs}, **facts})

    def _name(self, path: Path) -> str:
        return os.path.relpath(path, self.path.parent)

    def _append(self, entry: dict[str, Any]) -> None:
        line = json.dumps(entry) + "\n"
        try:
            with self._lock, self.path.open("a", encoding="utf-8") as file:
                file.write(("\n" if self._cut_off else "") + line)
        except OSError as error:
            raise OutputError(
                f"{self.path}: cannot be written ({error.strerror}); check the folder and the disk"
            ) from None
        self._cut_off = False
        self._remember(line.encode())

    def _remember(self, line: bytes) -> None:
        try:
            entry = json.loads(line)
            outputs = dict(entry["outputs"])
            key = entry.get("key") or entry["begun"]
        except (ValueError, KeyError, TypeError, AttributeError):
            return  # cut off by a kill: that file is made again
        for name, size in outputs.items():
            self._finished.pop(name, None)
            self._begun.pop(name, None)
            if "key" in entry:
                self._finished[name] = (key, size)
            else:
                self._begun[name] = key


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
