"""An augmentation's recipe, such as `recipes/augment.toml`. An unknown key is an error."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from safelight.augmentation.catalog import OPERATIONS, check_number, operation_named
from safelight.errors import RecipeError
from safelight.settings import Positive, Settings, read_toml

Range = tuple[float, float]


class RecipeStep(Settings):
    """One operation, how likely it is, and the range of each of its numbers."""

    op: str
    probability: float = Field(1.0, ge=0, le=1)
    ranges: dict[str, Range] = Field(default_factory=dict)


class Guard(Settings):
    """When a variant is refused: see `augmentation.guard`."""

    keeps_label: bool = True
    """The classifier must still see the label."""
    radius: float | None = Field(0.99, gt=0, le=1)
    """The variant must lie as near to its class's centre as this share of the class's pictures; None for anywhere."""
    attempts: Positive = 5
    """Draws for one variant before it is left out."""


class AugmentRecipe(Settings):
    """The whole of a recipe."""

    model: str | None = None
    """Bundle of a VAE, for latent operations and the guard; a path is relative to the recipe."""
    size_px: Annotated[int, Field(ge=8, le=4096)] | None = None
    """Every picture is brought to a square of this size first; only for sets with a label for each picture."""
    border: Literal["auto", "reflect", "constant"] = "auto"
    """What comes in from outside; auto: black where there are boxes, masks or keypoints, else a reflection."""
    keep_visible: float = Field(0.25, ge=0, le=1)
    """Boxes of which less than this share stays inside are dropped."""
    steps: tuple[RecipeStep, ...] = Field(min_length=1)
    guard: Guard | None = None

    @property
    def latent(self) -> tuple[str, ...]:
        """Names of the operations that need a model."""
        return tuple(step.op for step in self.steps if OPERATIONS[step.op].kind == "latent")


def load_recipe(path: str | Path) -> AugmentRecipe:
    """From a TOML file. Raises RecipeError with the file, the key and the reason."""
    path = Path(path)
    try:
        recipe = parse_recipe(read_toml(path))
    except RecipeError as error:
        raise RecipeError(str(error) if str(error).startswith(str(path)) else f"{path}: {error}") from None
    if recipe.model is not None and (path.parent / recipe.model).exists():
        recipe = recipe.model_copy(update={"model": str(path.parent / recipe.model)})
    return recipe


def parse_recipe(keys: Mapping[str, Any]) -> AugmentRecipe:
    """From the keys of a TOML file. Raises RecipeError."""
    unknown = keys.keys() - AugmentRecipe.model_fields.keys()
    if unknown:
        raise RecipeError(f"'{sorted(unknown)[0]}' is no key of a recipe; {_known_keys(sorted(unknown)[0])}")
    steps = keys.get("steps")
    if not isinstance(steps, list) or not steps:
        raise RecipeError('there are no steps; add [[steps]] with op = "rotate" or another operation')
    try:
        return AugmentRecipe.model_validate({**keys, "steps": [_step_keys(k, step) for k, step in enumerate(steps, 1)]})
    except ValidationError as error:
        first = error.errors()[0]
        raise RecipeError(f"{_place(first['loc'])}: {first['msg']}; mend or remove this key") from None


def _place(loc: tuple[int | str, ...]) -> str:
    """Where in a recipe, in words. Steps count from 1."""
    if loc[0] == "steps" and len(loc) > 1:
        return ": ".join([f"step {int(loc[1]) + 1}", *filter(None, [".".join(map(str, loc[2:]))])])
    return ".".join(map(str, loc))


def _known_keys(word: str) -> str:
    near = difflib.get_close_matches(word, AugmentRecipe.model_fields, n=1)
    return f"did you mean '{near[0]}'?" if near else f"it takes: {', '.join(AugmentRecipe.model_fields)}"


def _step_keys(number: int, keys: Any) -> dict[str, Any]:
    """Op and probability as they are; every other key is a number of the operation, or its range."""
    if not isinstance(keys, dict) or not isinstance(keys.get("op"), str):
        raise RecipeError(f'step {number} names no operation; write op = "rotate" or another')
    name, ranges = keys["op"], {}
    takes = operation_named(name).parameters
    for parameter, given in keys.items():
        if parameter in ("op", "probability"):
            continue
        ends = given if isinstance(given, list) else [given, given]
        if len(ends) != 2 or not all(isinstance(end, int | float) and not isinstance(end, bool) for end in ends):
            raise RecipeError(f"step {number}: {name}.{parameter} is {given!r}; give a number or [low, high]")
        for end in ends:
            check_number(name, parameter, end)
        if ends[0] > ends[1]:
            raise RecipeError(f"step {number}: {name}.{parameter} is {given}; put the lower end first")
        ranges[parameter] = (float(ends[0]), float(ends[1]))
    ranges = {parameter: ranges.get(parameter, known.usual) for parameter, known in takes.items()}
    return {"op": name, "ranges": ranges} | ({"probability": keys["probability"]} if "probability" in keys else {})
