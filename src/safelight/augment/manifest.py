"""manifest.jsonl of an augmentation: a header on which everything depends, then a line for each file."""

import json
from pathlib import Path
from typing import Any

from safelight.augment.sets.base import Line
from safelight.errors import OutputError, UsageError

MANIFEST = "manifest.jsonl"


def read_manifest(path: Path) -> tuple[dict[str, Any], list[Line]]:
    """Header and lines; a line that was cut off by a kill is left out. Raises UsageError."""
    try:
        texts = path.read_text(encoding="utf-8").split("\n")
        header = json.loads(texts[0])
        lines = []
        for text in texts[1:]:
            try:
                line = json.loads(text)
            except ValueError:
                continue
            if not isinstance(line, dict) or not isinstance(line.get("number"), int) or "copy" not in line:
                raise UsageError(f"{path}: '{text[:60]}' is no line of a manifest; take one that safelight wrote")
            if "record" in line and not {"source", "pixels_sha256"} <= line.keys():
                raise UsageError(f"{path}: '{text[:60]}' lacks its source; take a manifest that safelight wrote")
            lines.append(line)
    except (OSError, ValueError, IndexError) as error:
        raise UsageError(
            f"{path}: is no manifest ({error}); give the manifest.jsonl that safelight augment wrote"
        ) from None
    if not isinstance(header, dict) or "recipe" not in header:
        raise UsageError(f"{path}: is no manifest of an augmentation; give the one that safelight augment wrote")
    return header, lines


def append_line(path: Path, line: Line) -> Line:
    """At the end. Raises OutputError."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}); check the folder and the disk") from None
    return line
