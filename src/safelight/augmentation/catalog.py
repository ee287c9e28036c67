"""All operations by name, the classic ones and those in latent space; and how a wrong name or number is refused."""

import difflib
import math

from safelight.augmentation.latent import LATENT
from safelight.classic import CLASSIC, Operation
from safelight.errors import RecipeError

OPERATIONS: dict[str, Operation] = CLASSIC | LATENT


def operation_named(name: str) -> Operation:
    """Raises RecipeError with the nearest name."""
    if name not in OPERATIONS:
        near = difflib.get_close_matches(name, OPERATIONS, n=1, cutoff=0.4)
        meant = f"did you mean '{near[0]}'? " if near else ""
        raise RecipeError(f"operation '{name}' is not known; {meant}There are: {', '.join(OPERATIONS)}")
    return OPERATIONS[name]


def check_number(operation: str, parameter: str, value: float) -> None:
    """Raises RecipeError for a parameter that the operation does not take, or a value out of its range."""
    takes = operation_named(operation).parameters
    if parameter not in takes:
        raise RecipeError(f"{operation} takes no '{parameter}'; it takes: {', '.join(takes) or 'nothing'}")
    known = takes[parameter]
    try:
        value = float(value)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value) or not known.least <= value <= known.most:
        unit = f" {known.unit}" if known.unit else ""
        raise RecipeError(f"{operation}.{parameter} is {value:g}; use {known.least:g} to {known.most:g}{unit}")


def parse_operation(text: str) -> tuple[str, dict[str, float]]:
    """`contrast=1.2`, `translate=0.1,0`, `flip_horizontal` → name and all numbers. Raises RecipeError."""
    name, is_given, after = text.partition("=")
    name, takes = name.strip(), operation_named(name.strip()).parameters
    if OPERATIONS[name].kind == "latent":
        raise RecipeError(f"'{text}': {name} needs a model; it is for recipes of 'safelight augment'")
    try:
        values = [float(word) for word in (after.split(",") if is_given else [])]
    except ValueError:
        raise RecipeError(f"'{text}': '{after}' is no number; write {_usage(name)}") from None
    if len(values) > len(takes) or (takes and not values):
        raise RecipeError(f"'{text}': {name} takes {len(takes)} numbers; write {_usage(name)}")
    numbers = dict(zip(takes, values, strict=False))
    for parameter, known in takes.items():
        if parameter not in numbers and known.fixed is None:
            raise RecipeError(f"'{text}': {name} needs '{parameter}', too; write {_usage(name)}")
        numbers.setdefault(parameter, known.fixed or 0.0)
        check_number(name, parameter, numbers[parameter])
    return name, numbers


def _usage(name: str) -> str:
    takes = OPERATIONS[name].parameters
    return name + ("=" + ",".join(f"{sum(p.usual) / 2:.3g}" for p in takes.values()) if takes else "")
