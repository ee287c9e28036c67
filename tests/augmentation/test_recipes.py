"""Recipes: what is wrong is said in one line, with the nearest name or the range."""

import pytest

from safelight.augmentation import OPERATIONS, load_recipe, parse_recipe
from safelight.augmentation.catalog import parse_operation
from safelight.errors import RecipeError
from tests.support import ROOT

STEP = {"op": "rotate"}


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"steps": [{"op": "rotat"}]}, "did you mean 'rotate'"),
        ({"steps": [{"op": "zzz"}]}, "There are: "),
        ({"steps": [{"op": "rotate", "degrees": 400}]}, "use -360 to 360 degrees"),
        ({"steps": [{"op": "rotate", "degrees": [0, float("nan")]}]}, "use -360 to 360"),
        ({"steps": [{"op": "rotate", "degrees": [10, -10]}]}, "lower end first"),
        ({"steps": [{"op": "rotate", "degrees": "ten"}]}, "a number or"),
        ({"steps": [{"op": "rotate", "degrees": [1, 2, 3]}]}, "a number or"),
        ({"steps": [{"op": "rotate", "degrees": True}]}, "a number or"),
        ({"steps": [{"op": "rotate", "angle": 3}]}, "it takes: degrees"),
        ({"steps": [{"op": "flip_vertical", "share": 3}]}, "it takes: nothing"),
        ({"steps": [{"op": "rotate", "probability": 2}]}, "step 1: probability: "),
        ({"steps": [STEP, STEP | {"probability": -1}]}, "step 2: probability: "),
        ({"steps": [{"degrees": 3}]}, "names no operation"),
        ({"steps": ["rotate"]}, "names no operation"),
        ({"steps": []}, "no steps"),
        ({}, "no steps"),
        ({"steps": [STEP], "modle": "x"}, "did you mean 'model'"),
        ({"steps": [STEP], "border": "wrap"}, "border"),
        ({"steps": [STEP], "size_px": 4}, "size_px"),
        ({"steps": [STEP], "guard": {"radius": 2}}, "guard.radius"),
        ({"steps": [STEP], "guard": {"raduis": 0.5}}, "guard.raduis"),
    ],
)
def test_wrong_keys_are_refused(keys, words):
    with pytest.raises(RecipeError) as refused:
        parse_recipe(keys)
    assert words in str(refused.value) and "\n" not in str(refused.value)


def test_files_that_are_no_recipe(tmp_path):
    for content, words in ((b"steps = [", "not valid TOML"), (b"\xff", "not valid TOML"), (b"", "no steps")):
        (tmp_path / "a.toml").write_bytes(content)
        with pytest.raises(RecipeError, match=words) as refused:
            load_recipe(tmp_path / "a.toml")
        assert str(tmp_path / "a.toml") in str(refused.value)
    with pytest.raises(RecipeError, match="cannot be read"):
        load_recipe(tmp_path / "none.toml")


def test_shipped_recipes_load():
    found = [ROOT / "recipes" / "augment.toml", *sorted((ROOT / "benchmarks" / "augment").glob("*.toml"))]
    assert len(found) > 4
    for path in found:
        assert load_recipe(path).steps


def test_unsaid_numbers_come_from_the_catalog():
    step = parse_recipe({"steps": [{"op": "crop", "share": 0.5}]}).steps[0]
    assert step.ranges == {"share": (0.5, 0.5), "x": (0, 1), "y": (0, 1)} and step.probability == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("contrast=1.2", ("contrast", {"factor": 1.2})),
        ("flip_vertical", ("flip_vertical", {})),
        ("sharpen=0.5", ("sharpen", {"amount": 0.5, "sigma_px": 1})),
        ("translate=0.1,-0.2", ("translate", {"x_share": 0.1, "y_share": -0.2})),
        ("crop=0.5", ("crop", {"share": 0.5, "x": 0.5, "y": 0.5})),
    ],
)
def test_operations_on_one_line(text, expected):
    assert parse_operation(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("contrasts=1", "did you mean 'contrast'"),
        ("contrast", "write contrast=1.02"),
        ("contrast=", "is no number"),
        ("contrast=a", "is no number"),
        ("contrast=1,2", "takes 1 numbers"),
        ("contrast=99", "use 0 to 10"),
        ("contrast=nan", "use 0 to 10"),
        ("flip_vertical=1", "takes 0 numbers"),
        ("latent_noise=1", "needs a model"),
    ],
)
def test_what_is_wrong_on_one_line(text, words):
    with pytest.raises(RecipeError) as refused:
        parse_operation(text)
    assert words in str(refused.value)


def test_every_operation_is_told_apart_and_explained():
    for name, operation in OPERATIONS.items():
        assert operation.summary and operation.labels, name
        assert operation.kind in ("geometry", "colour", "pixels", "latent")
