"""docs/recipes.md says what the code takes: degradations with their bounds, and the keys of training recipes."""

import inspect
import json
import re
from collections.abc import Iterator

import pytest
from pydantic_core import PydanticUndefined

from safelight.degrade import BOUNDS, DEGRADATIONS
from tests.support import ROOT

PAGE = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """The cells of all tables below a heading, without the tables' own headings."""
    section = re.split(r"^#{2,3} ", PAGE.split(f"# {heading}\n")[1], flags=re.MULTILINE)[0]
    lines = section.splitlines()
    tables = [line for line, below in zip(lines, [*lines[1:], ""], strict=True) if not below.startswith("|---")]
    return [[c.strip() for c in line[1:-1].split("|")] for line in tables if line.startswith("| ")]


def parameters() -> Iterator[list[str]]:
    for kind, bounds in BOUNDS.items():
        taken = inspect.signature(DEGRADATIONS[kind]).parameters
        for name, (least, most, unit) in bounds.items():
            default = taken[name].default
            left_out = "needed" if default is inspect.Parameter.empty else f"{default:g}"
            yield [f"`{kind}`", f"`{name}`", f"{least:g} to {most:g}", unit, left_out]


def test_all_degradations_and_their_bounds_are_listed():
    found = rows("All degradations")
    assert [row[:5] for row in found if len(row) == 6] == list(parameters())
    assert [row[0] for row in found if len(row) == 4] == [f"`{kind}`" for kind in sorted(DEGRADATIONS)]


def test_sources_are_those_of_the_docstrings():
    for kind, _, _, source in (row for row in rows("All degradations") if len(row) == 4):
        docstring = " ".join((DEGRADATIONS[kind.strip("`")].__doc__ or "").split())
        assert docstring.endswith(f"Source: {source}."), kind


def test_all_keys_of_training_recipes_are_listed_with_their_defaults():
    pytest.importorskip("torch")
    from safelight.learn.codec import recipe as codec
    from safelight.learn.images import recipe as images
    from safelight.learn.recipe import CardSettings, Schedule
    from safelight.learn.restore import recipe as restore

    for heading, settings in {
        "Top of a restorer's recipe": restore.RestoreRecipe,
        "Pictures of a restorer": restore.DataSettings,
        "How pictures get worse": restore.ChainSettings,
        "Sizes of a restorer": restore.ModelSettings,
        "Stages of a restorer": restore.StageSettings,
        "The section card": CardSettings,
        "The schedule of a stage": Schedule,
        "Top of a VAE's recipe": images.ImagesRecipe,
        "Pictures of a VAE": images.DataSettings,
        "Sizes of a VAE": images.ModelSettings,
        "Stages of a VAE": images.StageSettings,
        "Top of a codec's recipe": codec.CodecRecipe,
        "Pictures of a codec": codec.DataSettings,
        "Sizes of a codec": codec.ModelSettings,
        "Stages of a codec": codec.StageSettings,
    }.items():
        fields = dict(settings.model_fields)
        if issubclass(settings, Schedule) and settings is not Schedule:  # listed once for all stages
            fields = {name: field for name, field in fields.items() if name not in Schedule.model_fields}
        left_out = {f"`{name}`": _left_out(field.default, field.default_factory) for name, field in fields.items()}
        assert {row[0]: row[1] for row in rows(heading)} == left_out, heading


def _left_out(default: object, factory: object) -> str:
    if default is PydanticUndefined:
        return "-" if factory else "needed"
    return "-" if default is None else f"`{json.dumps(default)}`"
