"""A run folder: what was asked for, what happened, and where to go on.

run.json       the resolved recipe and which pixels     metrics.jsonl   one line per logged step
checkpoint/    see checkpoint.py                        previews/       a grid at every validation
"""

import json
import math
import time
from pathlib import Path
from typing import Any

from safelight.errors import UsageError
from safelight.learn import checkpoint
from safelight.learn.settings import TrainRecipe
from safelight.learn.store import PixelStore


class RunFolder:
    """Paths and the metrics file of one run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checkpoint = folder / "checkpoint"
        self.previews = folder / "previews"
        self.metrics = folder / "metrics.jsonl"
        self._asked = folder / "run.json"

    def start(self, recipe: TrainRecipe, store: PixelStore, started_from: str | None = None) -> None:
        """Make the folder for a new run, which begins with the weights of the bundle of that SHA-256, if any.

        Raises UsageError if it holds one that could be resumed.
        """
        if checkpoint.find(self.checkpoint) is not None:
            raise UsageError(f"{self.folder}: holds a run already; go on with --resume or choose another --run")
        self.previews.mkdir(parents=True, exist_ok=True)
        self.metrics.unlink(missing_ok=True)
        self._asked.write_text(json.dumps(_asked(recipe, store) | {"started_from": started_from}, indent=2))

    def resume(self, recipe: TrainRecipe, store: PixelStore) -> None:
        """Check that it is the same run, and forget what was logged after its checkpoint. Raises UsageError."""
        found = checkpoint.find(self.checkpoint)
        if found is None:
            raise UsageError(f"{self.folder}: nothing to resume; train without --resume")
        told = self._told()
        if any(told.get(key) != value for key, value in _asked(recipe, store).items()):
            raise UsageError(f"{self.folder}: was started with another recipe or other pictures; resume with the same")
        progress = checkpoint.load_progress(found)
        lines = self.metrics.read_text(encoding="utf-8").splitlines(keepends=True) if self.metrics.exists() else []
        known = (line for line in lines if _place(line) <= (progress.stage, progress.step))
        self.metrics.write_text("".join(known), encoding="utf-8")

    @property
    def started_from(self) -> str | None:
        """SHA-256 of the bundle that the run began with."""
        told: str | None = self._told().get("started_from")
        return told

    def _told(self) -> dict[str, Any]:
        try:
            told: dict[str, Any] = json.loads(self._asked.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UsageError(f"{self._asked}: cannot be read ({error}); choose another --run") from None
        return told

    def log(self, stage: int, step: int, **numbers: Any) -> None:
        """Append one line to the metrics; what is not finite becomes null."""
        entry = {"time": round(time.time(), 1), "stage": stage, "step": step}
        entry |= {name: _json_number(value) for name, value in numbers.items()}
        with self.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")


def _asked(recipe: TrainRecipe, store: PixelStore) -> dict[str, Any]:
    """What the weights depend on; the card's words may change while the run goes on."""
    asked = recipe.model_dump(mode="json", exclude={"card": True, "data": {"folder", "workers"}})
    return {"recipe": asked, "pixels": store.path.stem}


def _place(line: str) -> tuple[float, float]:
    """Stage and step of a line; beyond everything for one that a kill cut off."""
    try:
        entry = json.loads(line)
    except ValueError:
        return math.inf, math.inf
    return entry["stage"], entry["step"]


def _json_number(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return float(f"{value:.6g}") if math.isfinite(value) else None
