"""manifest.jsonl beside the outputs: what was made of what, with what; and so what need not be made again."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

NAME = "manifest.jsonl"


def task_key(source_sha256: str, model_sha256: str, parameters: dict[str, object]) -> str:
    """Equal keys mean equal results: input, model and parameters."""
    words = json.dumps([source_sha256, model_sha256, parameters], sort_keys=True)
    return hashlib.sha256(words.encode()).hexdigest()


class Manifest:
    """Append-only; a line is written when its files are complete, so a kill loses at most unfinished work."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._done: dict[str, list[str]] = {}
        content = self.path.read_bytes() if self.path.exists() else b""
        self._broken = bool(content) and not content.endswith(b"\n")
        for line in content.splitlines():
            self._remember(line)

    def outputs_of(self, key: str) -> list[Path] | None:
        """Where the results of that key are, if all of them are still there."""
        outputs = self._done.get(key)
        if outputs is None:
            return None
        paths = [self.path.parent / name for name in outputs]
        return paths if all(path.is_file() for path in paths) else None

    def add(self, key: str, outputs: Sequence[Path], **facts: Any) -> None:
        """Write down one finished task. Raises OSError if the disk is full or read-only."""
        names = [str(path.resolve().relative_to(self.path.parent.resolve())) for path in outputs]
        line = json.dumps({"key": key, "outputs": names, **facts}) + "\n"
        with self.path.open("a", encoding="utf-8") as file:
            file.write(("\n" if self._broken else "") + line)
        self._broken = False
        self._done[key] = names

    def _remember(self, line: bytes) -> None:
        try:
            entry = json.loads(line)
            self._done[entry["key"]] = list(entry["outputs"])
        except (ValueError, KeyError, TypeError):
            return  # cut off by a kill: that file is made again
