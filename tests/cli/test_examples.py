"""The examples that --help shows are lines that the commands accept."""

import shlex
from importlib import import_module

import pytest
import typer

from safelight.cli.app import VERBS
from safelight.cli.examples import EXAMPLES


def test_every_verb_has_examples():
    assert set(EXAMPLES) == set(VERBS) - {"doctor", "model"}


@pytest.mark.parametrize("line", [line for lines in EXAMPLES.values() for line in lines])
def test_an_example_is_accepted(line):
    _, verb, *words = shlex.split(line)
    app = typer.Typer(add_completion=False)
    import_module(f"safelight.cli.{verb}").add_to(app)
    context = typer.main.get_command(app).make_context(verb, words)
    assert not context.args
    assert len(line) <= 78
