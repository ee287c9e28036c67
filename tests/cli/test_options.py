"""A command's options are the fields of its settings: types, defaults, many values, flags, help."""

from pathlib import Path
from typing import Annotated, Literal

import pytest
import typer
from pydantic import BeforeValidator, Field
from typer.testing import CliRunner

from safelight.cli.options import add_command
from safelight.errors import UsageError
from safelight.settings import Settings, argument, option


def _minutes(given: object) -> object:
    return 60 * int(given.removesuffix("m")) if isinstance(given, str) else given


class Walk(Settings):
    ways: tuple[Path, ...] = argument("Where to.", "WAYS", min_length=1)
    pace: Literal["slow", "fast"] = option("slow", "How.", "-p", "--pace")
    seconds: Annotated[float, BeforeValidator(_minutes), Field(gt=0)] | None = option(
        None, "How long, as 5m.", "--time"
    )
    stops: tuple[str, ...] = option((), "Where to rest.", "--stop")
    dog: bool = option(True, "With the dog.", "--dog/--no-dog", group="Company")
    size: tuple[int, int] | None = option(None, "Of the map.")
    bread: int | None = option(None, "Loaves to take.", ge=0)
    hidden: str = "not on the command line"


class Output(Settings):
    as_json: bool = option(False, "As JSON.", "--json")


@pytest.fixture
def walk():
    """Runs `walk ...`; returns the two records that it was called with."""
    called = []

    def run(settings: Walk, output: Output) -> None:
        """Take a walk."""
        called.append((settings, output))

    app = typer.Typer(pretty_exceptions_enable=False)
    add_command(app, "walk", (Walk, Output), run)

    def invoke(*arguments: str):
        result = CliRunner().invoke(app, arguments)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return called.pop() if called else result

    return invoke


def test_what_is_not_given_is_left_to_the_record(walk):
    settings, output = walk("a")
    assert settings == Walk(ways=["a"]) and output == Output()


def test_everything_given_arrives_checked(walk):
    options = "--pace fast --time 5m --stop inn --stop hut --no-dog --size 3 4 --bread 0 --json"
    settings, output = walk("a", "b", *options.split())
    assert settings.ways == (Path("a"), Path("b")) and settings.pace == "fast" and settings.seconds == 300
    assert settings.stops == ("inn", "hut") and settings.size == (3, 4) and settings.bread == 0
    assert not settings.dog and output.as_json
    assert walk("a", "-p", "fast")[0].pace == "fast"


@pytest.mark.parametrize(
    ("options", "words"),
    [("--pace crawl", "--pace 'crawl': must be 'slow' or 'fast'"), ("--bread -1", "--bread '-1': ")],
)
def test_limits_are_those_of_the_record(walk, options, words):
    with pytest.raises(UsageError, match=words):
        walk("a", *options.split())


@pytest.mark.parametrize("options", [["--bread", "white"], ["--hidden", "x"], ["--size", "3"], []])
def test_what_cannot_be_parsed_is_wrong_use(walk, options):
    assert walk(*options).exit_code == 2


def test_help_has_the_docstring_the_options_and_their_defaults(walk, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    text = walk("--help").output
    for words in ("Take a walk.", "WAYS", "--pace", "-p", "slow", "--time", "--no-dog", "Company", "Loaves to take."):
        assert words in text, words
    assert "hidden" not in text


def test_settings_on_the_command_line_are_of_simple_types():
    class Wrong(Settings):
        parts: dict[str, int] = option({}, "Too much.")

    with pytest.raises(TypeError, match="simple types"):
        add_command(typer.Typer(), "wrong", (Wrong,), lambda settings: None)
