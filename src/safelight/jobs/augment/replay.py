"""A manifest.jsonl as something to make again. Manifests from before the common grammar are read, too."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from safelight.augmentation import VariantRecord
from safelight.errors import UsageError


class ReplayedVariant(NamedTuple):
    """One variant that a manifest tells of."""

    source: str
    """Name of its picture."""
    copy: int
    record: VariantRecord
    pixels_sha256: str


class Replay(NamedTuple):
    """A manifest."""

    path: Path
    header: dict[str, Any]
    variants: tuple[ReplayedVariant, ...]

    @property
    def model(self) -> str | Path | None:
        """What the header says: a path from where the manifest lies, or a name. None for a path that is not there."""
        model = self.header.get("model")
        if not isinstance(model, str):
            return None
        path = self.path.parent / model
        return path if path.exists() else model if Path(model).name == model else None


def read_replay(path: Path) -> Replay:
    """A line that was cut off by a kill is left out. Raises UsageError."""
    try:
        header, *lines = [_parsed(text) for text in path.read_text(encoding="utf-8").split("\n")]
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path}: is no manifest ({error}); give the manifest.jsonl that safelight augment wrote"
        ) from None
    if not isinstance(header, dict) or "recipe" not in header:
        raise UsageError(f"{path}: is no manifest of an augmentation; give the one that safelight augment wrote")
    variants = (_variant(line, path) for line in lines if line is not _CUT_OFF)
    return Replay(path, header, tuple(variant for variant in variants if variant is not None))


_CUT_OFF = object()


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _CUT_OFF


def _variant(line: Any, path: Path) -> ReplayedVariant | None:
    """None for a line about something else. Raises UsageError."""
    begin = json.dumps(line)[:60]
    if not isinstance(line, dict) or not ("copy" in line or "outputs" in line):
        raise UsageError(f"{path}: '{begin}' is no line of a manifest; take one that safelight wrote")
    if "record" not in line:
        return None
    if not {"source", "copy", "pixels_sha256"} <= line.keys():
        raise UsageError(f"{path}: '{begin}' lacks its source; take a manifest that safelight wrote")
    try:
        record = VariantRecord.from_dict(line["record"])
        return ReplayedVariant(str(line["source"]), int(line["copy"]), record, str(line["pixels_sha256"]))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UsageError(f"{path}: '{begin}' has a damaged record ({error}); take one that safelight wrote") from None
