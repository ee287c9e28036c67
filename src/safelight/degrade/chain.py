"""Chains of degradations: parameters drawn from ranges, recorded, replayed.

record = draw(chain, seed, "img_01.png", 3)      # depends on these words only
y = replay(x, record)                            # the same y, now or from the JSON in a year
"""

import inspect
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from safelight import randomness
from safelight.degrade import codec, noise, optics
from safelight.degrade.light import Pixels
from safelight.errors import RecipeError, UsageError

DEGRADATIONS: dict[str, Callable[..., Pixels]] = {
    "camera_noise": noise.camera_noise,
    "disk_blur": optics.disk_blur,
    "exposure": optics.exposure,
    "gaussian_blur": optics.gaussian_blur,
    "gaussian_noise": noise.gaussian_noise,
    "jpeg": codec.jpeg,
    "motion_blur": optics.motion_blur,
    "quantise": codec.quantise,
    "resample": optics.resample,
    "webp": codec.webp,
}


class Bounds(NamedTuple):
    """Between which values a parameter makes sense."""

    least: float
    most: float
    unit: str = ""


_GAIN, _SWITCH = Bounds(0.1, 10), Bounds(0, 1)
_QUALITY = {"quality": Bounds(1, 100)}

BOUNDS: dict[str, dict[str, Bounds]] = {
    "camera_noise": {
        "shot": Bounds(0, 1, "of full scale"),
        "read": Bounds(0, 1, "of full scale"),
        "red_gain": _GAIN,
        "blue_gain": _GAIN,
        "mosaic": _SWITCH,
    },
    "disk_blur": {"radius_px": Bounds(0, 64, "px")},
    "exposure": {"stops": Bounds(-10, 10, "stops")},
    "gaussian_blur": {"sigma_px": Bounds(0, 64, "px")},
    "gaussian_noise": {"sigma_255": Bounds(0, 255, "in units of 1/255")},
    "jpeg": _QUALITY | {"subsample": _SWITCH},
    "motion_blur": {"length_px": Bounds(0, 128, "px"), "angle_deg": Bounds(-360, 360, "degrees anticlockwise")},
    "quantise": {},
    "resample": {"factor": Bounds(0.01, 1, "of each side")},
    "webp": _QUALITY,
}
"""Of every parameter of every degradation."""


@dataclass(frozen=True)
class DegradeStep:
    """One degradation with the range of each of its parameters; equal ends mean a fixed value."""

    kind: str
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)

    @staticmethod
    def fixed(kind: str, **values: float) -> "DegradeStep":
        """A step with one value for each parameter."""
        return DegradeStep(kind, {name: (value, value) for name, value in values.items()})

    def __post_init__(self) -> None:
        if self.kind not in DEGRADATIONS:
            known = ", ".join(sorted(DEGRADATIONS))
            raise RecipeError(f"degradation '{self.kind}' is not known; choose one of: {known}")
        parameters = inspect.signature(DEGRADATIONS[self.kind]).parameters.values()
        takes = {p.name: p.default is p.empty for p in parameters if p.kind == p.KEYWORD_ONLY}
        for name, ends in self.ranges.items():
            if name not in takes:
                raise RecipeError(f"{self.kind} takes no '{name}'; it takes: {', '.join(takes) or 'nothing'}")
            if not _is_range(ends):
                raise RecipeError(f"{self.kind}.{name}: {ends} is no range; give a number or [low, high]")
            _check_bounds(self.kind, name, ends)
        missing = [name for name, needed in takes.items() if needed and name not in self.ranges]
        if missing:
            raise RecipeError(f"{self.kind} needs '{missing[0]}'; give a number or [low, high]")


def _is_range(ends: Sequence[object]) -> bool:
    numbers = [end for end in ends if isinstance(end, int | float) and abs(end) < math.inf]
    return len(numbers) == len(ends) == 2 and numbers[0] <= numbers[1]


def _check_bounds(kind: str, name: str, ends: tuple[float, float]) -> None:
    """Raises RecipeError for an end of a range out of the bounds."""
    known = BOUNDS[kind][name]
    unit = f" {known.unit}" if known.unit else ""
    for value in ends:
        if not known.least <= value <= known.most:
            raise RecipeError(f"{kind}.{name} is {value}; use {known.least:g} to {known.most:g}{unit}")


Chain = Sequence[DegradeStep]


@dataclass(frozen=True)
class DegradeRecord:
    """What was drawn: enough to make the same pair again.

    A parameter that the recipe leaves out, such as `red_gain`, is not on record. `replay` then takes the default of
    the degradation. So a default must never change.
    """

    seed: int
    identity: tuple[int | str, ...]
    steps: tuple[tuple[str, dict[str, float]], ...]

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps({"seed": self.seed, "identity": self.identity, "steps": self.steps})

    @staticmethod
    def from_json(text: str) -> "DegradeRecord":
        """The inverse of `to_json`."""
        data: dict[str, Any] = json.loads(text)
        steps = tuple((kind, dict(parameters)) for kind, parameters in data["steps"])
        return DegradeRecord(data["seed"], tuple(data["identity"]), steps)


def draw(chain: Chain, seed: int, *identity: int | str) -> DegradeRecord:
    """Draw every parameter uniformly from its range."""
    rng = randomness.generator(seed, *identity, "parameters")
    steps = ((step.kind, {name: float(rng.uniform(*ends)) for name, ends in step.ranges.items()}) for step in chain)
    return DegradeRecord(seed, identity, tuple(steps))


def replay(pixels: Pixels, record: DegradeRecord) -> Pixels:
    """Apply what was recorded; each step has its own generator. Raises UsageError for pixels that are no floats."""
    if not np.issubdtype(pixels.dtype, np.floating):
        raise UsageError(f"degradations take numbers from 0 to 1, not {pixels.dtype}; use picture.as_float()")
    for position, (kind, parameters) in enumerate(record.steps):
        rng = randomness.generator(record.seed, *record.identity, position, kind)
        pixels = DEGRADATIONS[kind](pixels, rng, **parameters)
    return pixels
