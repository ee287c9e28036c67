"""What the docs say is checked: code is typed and run, commands are parsed, links lead somewhere."""

import ast
import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import typer

import safelight
from safelight.cli.app import VERBS, app
from safelight.picture import Picture, write
from tests.pages import PAGES, anchors, commands, links, snippets
from tests.support import ROOT, run_cli

SNIPPETS = list(snippets())
COMMANDS = list(commands())
STAND_INS = ("photo.jpg", "scan.tif", "a.tif", "stack.tif", "exposure1.tif", "exposure2.tif")
"""Files that pages speak of, where a snippet is run."""


def test_there_is_something_to_check():
    assert len(SNIPPETS) >= 5 and len(COMMANDS) >= 20 and len(list(links())) >= 40
    assert sum(snippet.why_not_run is None for snippet in SNIPPETS) >= 4


def test_snippets_use_what_is_exported():
    """mypy cannot see it: names of the package are looked up when they are used."""
    for snippet in SNIPPETS:
        nodes = [node for node in ast.walk(ast.parse(snippet.code)) if isinstance(node, ast.Attribute)]
        used = {n.attr for n in nodes if isinstance(n.value, ast.Name) and n.value.id == "safelight"}
        assert used <= set(safelight.__all__), f"{snippet.name}: {sorted(used - set(safelight.__all__))}"


@pytest.mark.slow
def test_snippets_pass_mypy_strict(tmp_path):
    for snippet in SNIPPETS:
        (tmp_path / f"{snippet.name}.py").write_text(snippet.code, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", ROOT / "pyproject.toml", tmp_path]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"MYPYPATH": "src"}, capture_output=True, text=True)
    told = [line for line in done.stdout.splitlines() if tmp_path.name in line]
    assert not told, "\n".join(told)
    assert done.returncode in (0, 1) and not done.stderr, done.stderr


@pytest.mark.parametrize("snippet", [s for s in SNIPPETS if s.why_not_run is None], ids=lambda s: s.name)
def test_snippets_run(snippet, tmp_path, monkeypatch, rng):
    monkeypatch.chdir(tmp_path)
    for name in STAND_INS:
        write(Picture(rng.integers(0, 256, (72, 96, 3), dtype=np.uint8)), name)
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    exec(compile(snippet.code, snippet.name, "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: f"{c.where} {c.words[0]}")
def test_commands_are_as_the_program_takes_them(command):
    verb = command.words[0]
    assert verb in VERBS, f"safelight {' '.join(command.words)}"
    module = import_module(f"safelight.cli.{verb}")
    if "add_command" in vars(module):  # then settings are checked as well
        runs = {name: lambda *records: None for name in (verb, f"{verb}_codec") if name in vars(module)}
        with mock.patch.multiple(module, **runs):
            app(command.words, standalone_mode=False)
        return
    group = typer.main.get_command(app)
    context = group.make_context("safelight", list(command.words))
    _, inner, rest = group.resolve_command(context, [*context._protected_args, *context.args])
    while rest and hasattr(inner, "commands"):
        inner, rest = inner.commands[rest[0]], rest[1:]
    inner.make_context(verb, list(rest), parent=context)


def test_options_in_the_docs_exist():
    helps = [run_cli(verb, "--help").stdout for verb in VERBS if verb not in ("model", "doctor")]
    assert all(helps)
    known = set(re.findall(r"--[a-z][a-z-]+", "".join(helps)))
    for page in PAGES:
        named = set(re.findall(r"`(--[a-z][a-z-]+)", page.read_text(encoding="utf-8")))
        unknown = named - known - {"--help", "--version"}
        assert not unknown, f"{page.name}: {unknown}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path):
    for _, target in (link for link in links() if link[0] == page):
        path, _, anchor = target.partition("#")
        place = (page.parent / path).resolve() if path else page
        assert place.exists(), target
        if anchor and place.suffix == ".md":
            assert anchor in anchors(place), target


def test_make_help_prints_itself():
    words = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {"help", "demo", "docs", "lint", "quick", "test"} <= {line.split()[0] for line in words.splitlines()}
