"""Settings are closed, checked, and refused in the words of the command line."""

from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field, ValidationError, model_validator

import safelight
from safelight.errors import RecipeError, UsageError
from safelight.settings import Positive, Settings, argument, checked, flag_of, on_command_line, option, read_toml


class Nap(Settings):
    place: Path = argument("Where.", "PLACE")
    hours: Positive = option(8, "How long.")
    depth_m: float = option(0.5, "How deep.", "-d", "--depth", gt=0)
    kind: Literal["light", "deep"] = option("light", "Which.")
    loud: bool = option(False, "With snoring.", "--snore/--no-snore")
    inner: int = 3

    @model_validator(mode="after")
    def _check(self) -> "Nap":
        if self.loud and self.kind == "light":
            raise ValueError("light sleepers do not snore; use --kind deep")
        return self


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"hours": 0}, "--hours '0': must be more than 0; see --help"),
        ({"depth_m": -1}, "--depth '-1': must be more than 0; see --help"),
        ({"kind": "dead"}, "--kind 'dead': must be 'light' or 'deep'; see --help"),
        ({"place": 3}, "PLACE '3': .*; see --help"),
        ({"loud": True}, "^light sleepers do not snore; use --kind deep"),
    ],
)
def test_wrong_values_are_refused_in_the_words_of_the_command_line(values, words):
    with pytest.raises(UsageError, match=words) as caught:
        Nap.of(**{"place": "bed", **values})
    assert "\n" not in str(caught.value)


def test_python_gets_pydantic_s_own_errors():
    with pytest.raises(ValidationError, match="nonsense"):
        Nap(place="bed", nonsense=1)
    with pytest.raises(ValidationError, match="frozen"):
        Nap(place="bed").hours = 3


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"page": "all"}, "EnhanceSettings has no 'page'; did you mean 'pages'?"),
        ({"nonsense": 1}, "EnhanceSettings has no 'nonsense'"),
        ({"samples": -1}, "--samples '-1': must be at least 0; see --help"),
        ({"scale": "9:1"}, "--scale '9:1': LOW must be less than HIGH, and both finite"),
    ],
)
def test_what_verbs_are_asked_is_refused_by_the_package_s_own_error(values, words):
    with pytest.raises(UsageError) as caught:
        safelight.EnhanceSettings(**{"inputs": ("a.png",), **values})
    assert str(caught.value) == words
    with pytest.raises(UsageError, match="IN: is missing"):
        safelight.EnhanceSettings()


def test_fields_say_how_the_command_line_shows_them():
    fields = Nap.model_fields
    assert [flag_of(name, field) for name, field in fields.items()] == [
        *("PLACE", "--hours", "--depth", "--kind", "--snore", "--inner")
    ]
    assert on_command_line(fields["inner"]) is None, "no option of the command line"
    assert on_command_line(fields["place"]).is_argument


class Garden(Settings):
    class Bed(Settings):
        roses: int = Field(ge=0)

    name: str
    beds: tuple[Bed, ...] = ()


def test_a_recipe_names_the_file_the_key_and_the_reason(tmp_path):
    path = tmp_path / "garden.toml"
    path.write_text('name = "mine"\n[[beds]]\nroses = 1\n[[beds]]\nroses = -1\n')
    with pytest.raises(RecipeError, match=r"garden.toml: beds.1.roses: must be at least 0; mend or remove"):
        checked(Garden, read_toml(path), path)
    path.write_text('name = "mine"\ncolour = "red"\n')
    with pytest.raises(RecipeError, match=r"garden.toml: colour: is not known here; mend or remove"):
        checked(Garden, read_toml(path), path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"name = ", "not valid TOML: .*; mend that line"),
        (b"name = '\xff'", "not valid TOML: .*; mend that line"),
        (None, r"cannot be read \(No such file or directory\); name an existing .toml recipe"),
    ],
)
def test_what_is_no_recipe_is_refused_in_a_line(tmp_path, content, words):
    path = tmp_path / "a.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RecipeError, match=words) as caught:
        read_toml(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
