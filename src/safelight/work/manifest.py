"""manifest.jsonl beside the results of every job: what was made of what, with what, and so what is done.

    {"manifest": 1, "verb": "augment", ...}                 the header: all that every line depends on
    {"outputs": {"a.png": 12345}, "source": "a.jpg", ...}   a result: its files with their sizes in bytes, and facts
    {"begun": "key", "outputs": {"a.png": 0}}               a result that a job has begun to write

A line that a kill has cut off is passed over. A later line about the same files outdates an earlier one. One process
writes a manifest: the one that drives the job, never a worker.
"""

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from safelight.errors import OutputError, shown
from safelight.work.journal import journal_at
from safelight.work.places import size

MANIFEST = "manifest.jsonl"
GRAMMAR = 1
Line = dict[str, Any]


class Manifest:
    """The lines of one folder, in memory and on disk. Raises OutputError where the file cannot be used."""

    def __init__(self, folder: Path, name: str = MANIFEST) -> None:
        """Read what is there; a missing file has nothing. Raises OutputError for somebody else's file."""
        self.path = folder / name
        self.header: Line | None = None
        self.lines: list[Line] = []
        self._file = journal_at(self.path)
        content = self._file.read()
        self._is_cut_off = bool(content) and not content.endswith(b"\n")
        for text in content.splitlines():
            line = _parsed(text)
            if line is not None and "manifest" in line:
                self.header = line
            elif line is not None:
                self.lines.append(line)
        if content.strip() and self.header is None and not self.lines:
            raise OutputError(f"{self.path}: was not written by Safelight; move it away, or choose another -o")

    def begin(self, verb: str, **facts: Any) -> None:
        """Start a new manifest with this header."""
        self.header, self.lines = header(verb, **facts), []
        self.rewrite([])

    def append(self, line: Line) -> Line:
        """Write one more line; returns it. Raises OutputError."""
        self._file.append(("\n" if self._is_cut_off else "") + json.dumps(line) + "\n")
        self._is_cut_off = False
        self.lines.append(line)
        return line

    def rewrite(self, lines: Iterable[Line]) -> None:
        """Replace all lines, the header excepted, in one step."""
        self.lines = list(lines)
        whole = [*([] if self.header is None else [self.header]), *self.lines]
        self._file.rewrite("".join(json.dumps(line) + "\n" for line in whole))
        self._is_cut_off = False

    def remove(self) -> None:
        """Remove the file, if there is one. Raises OutputError."""
        self._file.remove()

    def close(self) -> None:
        """At the end of a run: object storage gets the last lines. Raises OutputError."""
        self._file.close()

    def sizes(self, outputs: Sequence[Path], as_listed: bool = False) -> dict[str, int]:
        """What a line says of files: names below the folder, and sizes in bytes (`places.size`)."""
        return {self.name(path): size(path, as_listed) for path in outputs}

    def sizes_of_written(self, outputs: Sequence[Path]) -> dict[str, int]:
        """The same, of files that must be there. Raises OutputError for what a worker wrote where nobody sees it."""
        sizes = self.sizes(outputs)
        missing = next((path for path in outputs if sizes[self.name(path)] < 0), None)
        if missing is not None:
            raise OutputError(f"{shown(missing)}: was written, and is not there; use a folder that all nodes share")
        return sizes

    def name(self, path: Path) -> str:
        """A file's name in the manifest: relative to the folder."""
        return os.path.relpath(path, self.path.parent)

    def is_complete(self, line: Line) -> bool:
        """Whether all files of a line are there with the sizes that it says."""
        return all(size(self.path.parent / name) == bytes_ >= 0 for name, bytes_ in line["outputs"].items())


def header(verb: str, **facts: Any) -> Line:
    """The first line of a job's manifest."""
    return {"manifest": GRAMMAR, "verb": verb, **facts}


def _parsed(text: bytes) -> Line | None:
    """None for a line that was cut off, and for what is no line of a manifest."""
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(line, dict) or not ("manifest" in line or isinstance(line.get("outputs"), dict)):
        return None
    return line
