"""What was drawn for one variant: enough to make it again, bit for bit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from safelight import randomness
from safelight.augment.bank import Bank
from safelight.augment.catalog import check, find
from safelight.augment.recipe import AugmentRecipe
from safelight.errors import RecipeError, UsageError

Identity = tuple[int | str, ...]
PARTNERED = {"latent_mix": True, "latent_blend": False}
"""Operations that need another picture of the set: of the same class, or of another one."""


@dataclass(frozen=True)
class Applied:
    """One operation with its numbers."""

    op: str
    numbers: dict[str, float]
    position: int
    """In the recipe: noise of a step depends on it."""
    partner: str | None = None
    """Name of the other picture that it takes."""


@dataclass(frozen=True)
class Record:
    """All operations of one variant, in order. The identity names the streams of their noise."""

    seed: int
    identity: Identity
    steps: tuple[Applied, ...]

    def as_dict(self) -> dict[str, Any]:
        """For a line of JSON."""
        steps = [
            {"op": s.op, "position": s.position, **s.numbers, **({"partner": s.partner} if s.partner else {})}
            for s in self.steps
        ]
        return {"seed": self.seed, "identity": list(self.identity), "steps": steps}

    @staticmethod
    def from_dict(known: dict[str, Any]) -> "Record":
        """The inverse. Raises UsageError for anything else."""
        try:
            steps = []
            for step in known["steps"]:
                numbers = {n: float(v) for n, v in step.items() if n not in ("op", "position", "partner")}
                steps.append(Applied(str(step["op"]), numbers, int(step["position"]), step.get("partner")))
            for step in steps:
                for name, value in step.numbers.items():
                    check(step.op, name, value)
                if step.numbers.keys() != find(step.op).parameters.keys():
                    raise ValueError(f"{step.op} lacks numbers")
            return Record(int(known["seed"]), tuple(known["identity"]), tuple(steps))
        except (KeyError, TypeError, ValueError, AttributeError, RecipeError) as error:
            raise UsageError(f"this is no record of a variant ({error}); take one that safelight wrote") from None


def draw(
    recipe: AugmentRecipe, seed: int, identity: Sequence[int | str], label: str | None = None, bank: Bank | None = None
) -> Record:
    """Which steps are taken, and every number uniformly from its range.

    Equal words draw equal variants. Raises UsageError for a mixture without a set of pictures.
    """
    rng = randomness.generator(seed, *identity, "steps")
    steps = []
    for position, step in enumerate(recipe.steps):
        taken = rng.random() < step.probability
        numbers = {name: float(rng.uniform(*ends)) for name, ends in step.ranges.items()}
        choice = float(rng.random())
        if taken:
            steps.append(Applied(step.op, numbers, position, _partner(step.op, choice, identity, label, bank)))
    return Record(seed, tuple(identity), tuple(steps))


def _partner(op: str, choice: float, identity: Sequence[int | str], label: str | None, bank: Bank | None) -> str | None:
    if op not in PARTNERED:
        return None
    if bank is None or label is None:
        raise UsageError(f"{op} mixes pictures of a labelled set; give one (bank=...), or take the step out")
    names = bank.of_class(label) if PARTNERED[op] else bank.of_others(label)
    others = [name for name in names if name not in identity] or names
    if not others:
        raise UsageError(f"{op} needs pictures of another class than '{label}', and there is none; take the step out")
    return others[int(choice * len(others))]
