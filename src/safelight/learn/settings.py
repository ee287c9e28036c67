"""What a training run is asked to do beside the recipe, and what comes back. No torch is needed to read it."""

import re
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, Field

from safelight.settings import AnyPath, NotNegative, OptionalPath, Positive, VerbSettings, argument, option
from safelight.work.nodes import ENGINE_HELP

CACHE = Path(".cache/pixels")
_UNITS_S = {"s": 1, "m": 60, "h": 3600}
_TIME = re.compile(r"(\d+(?:\.\d+)?)([smh])")


def _seconds(given: Any) -> Any:
    """90s, 10m or 2h → seconds. Numbers stay. Raises ValueError."""
    if not isinstance(given, str):
        return given
    time = _TIME.fullmatch(given)
    if time is None:
        raise ValueError("is no time; write 90s, 10m or 2h")
    return float(time[1]) * _UNITS_S[time[2]]


Seconds = Annotated[float, BeforeValidator(_seconds), Field(gt=0)]


class TrainSettings(VerbSettings):
    """One run to begin or to go on with."""

    may_be_stored = frozenset({"data"})

    recipe: AnyPath = argument("A training recipe, such as recipes/photo.toml.", "RECIPE")
    data: OptionalPath = option(None, "Photographs, or a set of pictures. Needed if the recipe names none.")
    run: OptionalPath = option(None, "Run folder. Default: runs/NAME.")
    resume: bool = option(False, "Go on where the run stopped.", "--resume")
    start: str | None = option(
        None, "Begin with the weights of this bundle, such as photo, or of a .safetensors file, not at random."
    )
    cache: AnyPath = option(CACHE, "Where decoded pictures are kept.")
    workers: NotNegative | None = option(None, "Loader processes. Overrides the recipe's.")
    stop_at: Positive | None = option(None, "Write a checkpoint and leave after this many steps in total.")
    budget_s: Seconds | None = option(
        None,
        "Time to train, as 90s, 10m or 2h; export and measurements come after. Learning rates then follow the clock.",
        "--budget",
    )
    device: str = option("auto", "auto, cpu, cuda, cuda:1 or mps.")
    processes: Positive = option(1, "Processes that share the work; the result is the same.")
    engine: str | None = option(None, ENGINE_HELP)
    tensorboard: bool = option(False, "Write metrics for TensorBoard, too. It must be installed.", "--tensorboard")


class TrainReport(NamedTuple):
    """What a run came to."""

    run: Path
    """The run folder."""
    bundle: Path | None
    """The finished model; None for a run that was stopped before its end."""
    measured: dict[str, float]
    """What the model reaches on held-out pictures, as its card has it."""
