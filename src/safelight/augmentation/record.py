"""What was drawn for one variant: enough to make it again, bit for bit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from safelight import randomness
from safelight.augmentation.bank import Bank
from safelight.augmentation.catalog import check_number, operation_named
from safelight.augmentation.recipe import AugmentRecipe
from safelight.errors import RecipeError, UsageError

Identity = tuple[int | str, ...]
PARTNERS: dict[str, Literal["of its class", "of another class"]] = {
    "latent_mix": "of its class",
    "latent_blend": "of another class",
}
"""Operations that need another picture of the set, and which."""


@dataclass(frozen=True)
class AppliedStep:
    """One operation with its numbers."""

    op: str
    numbers: dict[str, float]
    position: int
    """In the recipe: noise of a step depends on it."""
    partner: str | None = None
    """Name of the other picture that it takes."""


@dataclass(frozen=True)
class VariantRecord:
    """All operations of one variant, in order. The identity names the streams of their noise."""

    seed: int
    identity: Identity
    steps: tuple[AppliedStep, ...]

    def as_dict(self) -> dict[str, Any]:
        """For a line of JSON."""
        steps = [
            {"op": s.op, "position": s.position, **s.numbers, **({"partner": s.partner} if s.partner else {})}
            for s in self.steps
        ]
        return {"seed": self.seed, "identity": list(self.identity), "steps": steps}

    @staticmethod
    def from_dict(known: dict[str, Any]) -> "VariantRecord":
        """The inverse. Raises UsageError for anything else."""
        try:
            steps = tuple(_applied_step(step) for step in known["steps"])
            return VariantRecord(int(known["seed"]), tuple(known["identity"]), steps)
        except (KeyError, TypeError, ValueError, AttributeError, RecipeError) as error:
            raise UsageError(f"this is no record of a variant ({error}); take one that safelight wrote") from None


def _applied_step(known: dict[str, Any]) -> AppliedStep:
    """Raises KeyError, TypeError, ValueError, AttributeError and RecipeError for what is none."""
    numbers = {name: float(v) for name, v in known.items() if name not in ("op", "position", "partner")}
    step = AppliedStep(str(known["op"]), numbers, int(known["position"]), known.get("partner"))
    for name, value in numbers.items():
        check_number(step.op, name, value)
    if numbers.keys() != operation_named(step.op).parameters.keys():
        raise ValueError(f"{step.op} lacks numbers")
    return step


def draw(
    recipe: AugmentRecipe, seed: int, identity: Sequence[int | str], label: str | None = None, bank: Bank | None = None
) -> VariantRecord:
    """Which steps are taken, and every number uniformly from its range.

    Equal seed and identity draw equal variants. Raises UsageError for a mixture without a set of pictures.
    """
    rng = randomness.generator(seed, *identity, "steps")
    steps = []
    for position, step in enumerate(recipe.steps):
        is_taken = rng.random() < step.probability
        numbers = {name: float(rng.uniform(*ends)) for name, ends in step.ranges.items()}
        choice = float(rng.random())
        if is_taken:
            partners = _partners(step.op, label, bank)
            others = [name for name in partners if name not in identity] or partners
            partner = others[int(choice * len(others))] if others else None
            steps.append(AppliedStep(step.op, numbers, position, partner))
    return VariantRecord(seed, tuple(identity), tuple(steps))


def _partners(op: str, label: str | None, bank: Bank | None) -> list[str]:
    """Pictures that a step may take another one from; none if it takes none. Raises UsageError."""
    if op not in PARTNERS:
        return []
    if bank is None or label is None:
        raise UsageError(f"{op} mixes pictures of a labelled set; give one (bank=...), or take the step out")
    partners = bank.of_class(label) if PARTNERS[op] == "of its class" else bank.of_others(label)
    if not partners:
        raise UsageError(f"{op} needs pictures of another class than '{label}', and there is none; take the step out")
    return partners
