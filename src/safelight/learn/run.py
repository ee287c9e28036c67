"""A run folder: what was asked for, what happened, and where to go on.

run.toml.json   the resolved recipe       metrics.jsonl   one line per logged step
checkpoint/     see checkpoint.py         previews/       a grid at every validation
"""

import json
import time
from pathlib import Path
from typing import Any

from safelight.errors import UsageError
from safelight.learn import checkpoint
from safelight.learn.settings import TrainRecipe


class RunFolder:
    """Paths and the metrics file of one run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checkpoint = folder / "checkpoint"
        self.previews = folder / "previews"
        self.metrics = folder / "metrics.jsonl"
        self._recipe = folder / "run.json"

    def start(self, recipe: TrainRecipe, resume: bool) -> None:
        """Make the folder, or check that it holds the same recipe. Raises UsageError if it must not be used."""
        resolved = recipe.model_dump_json(indent=2, exclude={"data": {"folder", "workers"}})
        if resume:
            if checkpoint.find(self.checkpoint) is None:
                raise UsageError(f"{self.folder}: nothing to resume; train without --resume")
            if self._recipe.read_text() != resolved:
                raise UsageError(f"{self.folder}: was started with another recipe; resume with the one it started with")
        elif self._recipe.exists():
            raise UsageError(f"{self.folder}: holds a run already; go on with --resume or choose another --run")
        self.previews.mkdir(parents=True, exist_ok=True)
        self._recipe.write_text(resolved)

    def log(self, **numbers: Any) -> None:
        """Append one line to the metrics."""
        rounded = {k: float(f"{v:.6g}") if isinstance(v, float) else v for k, v in numbers.items()}
        with self.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"time": round(time.time(), 1), **rounded}) + "\n")
