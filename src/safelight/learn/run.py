"""A run folder: what was asked for, what happened, and where to go on.

run.json           the resolved recipe and which pixels     metrics.jsonl   one line per logged step
checkpoint/        see checkpoint.py                        previews/       a grid at every validation
best.safetensors   the averaged weights that were judged best, where there is a judge
"""

import json
import math
import time
from pathlib import Path
from typing import Any

from safelight.errors import TrainingError, UsageError
from safelight.learn import checkpoint

Asked = dict[str, Any]
"""What the weights depend on, as JSON: a `recipe`, and which `pixels`."""


class RunFolder:
    """Paths and the metrics file of one run."""

    def __init__(self, folder: Path, tensorboard: bool = False) -> None:
        """With `tensorboard`, metrics go there as well. Raises UsageError if it is not installed."""
        self.folder = folder
        self._board = _board(folder / "tensorboard") if tensorboard else None
        self.checkpoint = folder / "checkpoint"
        self.best = folder / "best.safetensors"
        self.previews = folder / "previews"
        self.metrics = folder / "metrics.jsonl"
        self.bundle = folder / "bundle"
        self._asked = folder / "run.json"

    def start(self, asked: Asked, started_from: str | None = None) -> None:
        """Make the folder for a new run, which begins with the weights of the bundle of that SHA-256, if any.

        Raises UsageError if it holds one that could be resumed.
        """
        self.check_new()
        self.previews.mkdir(parents=True, exist_ok=True)
        self.metrics.unlink(missing_ok=True)
        self.best.unlink(missing_ok=True)
        self._asked.write_text(json.dumps(asked | {"started_from": started_from}, indent=2))

    def check_new(self) -> None:
        """Raises UsageError for a folder that holds a run that could be resumed."""
        if checkpoint.find(self.checkpoint) is not None:
            raise UsageError(f"{self.folder}: holds a run already; go on with --resume or choose another --run")

    def resume(self, asked: Asked) -> None:
        """Check that it is the same run, and forget what was logged after its checkpoint. Raises UsageError."""
        saved = checkpoint.find(self.checkpoint)
        if saved is None:
            raise UsageError(f"{self.folder}: nothing to resume; train without --resume")
        before = self._begun_with()
        for key, now in _flat(asked).items():
            if key not in _flat(before):
                raise UsageError(
                    f"{self.folder}: was started by a Safelight that did not know {key.removeprefix('recipe.')}; "
                    "go on with that one, or train anew with --start"
                )
            then = _flat(before)[key]
            if then != now and key == "pixels":
                raise UsageError(f"{self.folder}: was started with other pictures; resume with the same")
            if then != now:
                raise UsageError(
                    f"{self.folder}: was started with another recipe: {key.removeprefix('recipe.')} was "
                    f"{json.dumps(then)} and is {json.dumps(now)}; resume with the same"
                )
        progress = checkpoint.load_progress(saved)
        lines = self.metrics.read_text(encoding="utf-8").splitlines(keepends=True) if self.metrics.exists() else []
        known = (line for line in lines if _place(line) <= (progress.stage, progress.step))
        self.metrics.write_text("".join(known), encoding="utf-8")

    @property
    def started_from(self) -> str | None:
        """SHA-256 of the bundle that the run began with."""
        before: str | None = self._begun_with().get("started_from")
        return before

    @property
    def minutes(self) -> float:
        """Of training steps: neither what stood still counts, nor measurements in between."""
        entries = self._steps()
        by_stage = {entry["stage"]: float(entry["seconds"]) for entry in entries if entry.get("seconds") is not None}
        return sum(by_stage.values()) / 60

    @property
    def trained_with(self) -> str:
        """Every machine that it was trained on, in their order."""
        names = dict.fromkeys(entry["trained_with"] for entry in self._steps() if "trained_with" in entry)
        return ", then ".join(names) or "not recorded"

    def _steps(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.metrics.read_text(encoding="utf-8").splitlines()]

    def _begun_with(self) -> dict[str, Any]:
        try:
            before: dict[str, Any] = json.loads(self._asked.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UsageError(f"{self._asked}: cannot be read ({error}); choose another --run") from None
        return before

    def log(self, stage: int, step: int, **numbers: Any) -> None:
        """Append one line to the metrics; what is not finite becomes null. Raises TrainingError if it cannot be."""
        entry = {"time": round(time.time(), 1), "stage": stage, "step": step}
        entry |= {name: _json_number(value) for name, value in numbers.items()}
        try:
            with self.metrics.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")
        except OSError as error:
            raise TrainingError(
                f"{self.metrics}: cannot be written ({error.strerror}); make room, then --resume"
            ) from None
        for name, value in numbers.items():
            if self._board is not None and isinstance(value, float):
                self._board.add_scalar(f"stage {stage + 1}/{name}", value, step)


def _board(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ModuleNotFoundError as error:
        raise UsageError(f"--tensorboard needs '{error.name}'; pip install tensorboard, or leave it out") from None
    return SummaryWriter(str(folder))


def _flat(value: Any, place: str = "") -> dict[str, Any]:
    """Every leaf of nested objects and arrays, under its path; an empty one is a leaf."""
    if not isinstance(value, dict | list) or not value:
        return {place: value}
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return {k: v for key, item in items for k, v in _flat(item, f"{place}.{key}" if place else str(key)).items()}


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
