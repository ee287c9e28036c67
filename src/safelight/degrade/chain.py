"""Chains of degradations: parameters drawn from ranges, recorded, replayed.

record = draw(chain, seed, "img_01.png", 3)      # depends on these words only
y = replay(x, record)                            # the same y, now or from the JSON in a year
"""

import inspect
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from safelight import randomness
from safelight.degrade import codec, noise, optics
from safelight.degrade.light import Pixels
from safelight.errors import RecipeError

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
        missing = [name for name, needed in takes.items() if needed and name not in self.ranges]
        if missing:
            raise RecipeError(f"{self.kind} needs '{missing[0]}'; give a number or [low, high]")


def _is_range(ends: Sequence[object]) -> bool:
    numbers = [end for end in ends if isinstance(end, int | float) and math.isfinite(end)]
    return len(numbers) == len(ends) == 2 and numbers[0] <= numbers[1]


Chain = Sequence[DegradeStep]


@dataclass(frozen=True)
class DegradeRecord:
    """What was drawn: enough to make the same pair again."""

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
    """Apply what was recorded; each step has a generator of its own."""
    for position, (kind, parameters) in enumerate(record.steps):
        rng = randomness.generator(record.seed, *record.identity, position, kind)
        pixels = DEGRADATIONS[kind](pixels, rng, **parameters)
    return pixels
