"""The house rules that no linter knows."""

import ast
from pathlib import Path

import pytest

import safelight
from safelight import errors
from support import ROOT

SOURCES = sorted((ROOT / "src").rglob("*.py"))
SCRIPTS = sorted(p for folder in ("tests", "benchmarks", "examples") for p in (ROOT / folder).rglob("*.py"))


def test_there_is_something_to_check():
    assert len(SOURCES) > 40
    assert len(SCRIPTS) > 15


@pytest.mark.parametrize("path", SOURCES + SCRIPTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_sizes(path: Path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            limit = 100 if path.parent.name == "cli" else 50  # a verb's options are a table, not code
            assert length <= limit, f"{node.name} has {length} lines"


def test_the_error_tree_is_drawn():
    drawn = errors.__doc__ or ""
    kinds = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, Exception)]
    assert len(kinds) > 5
    for kind in kinds:
        assert kind.__name__ in drawn
        assert kind.exit_code in (1, 2, 3)


def test_everything_exported_is_there():
    assert safelight.__all__ == sorted(safelight.__all__)
    for name in safelight.__all__:
        assert getattr(safelight, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = safelight.nonsense


def test_nothing_of_this_machine_is_committed():
    for path in [*SOURCES, *SCRIPTS, *ROOT.glob("docs/*.md"), *ROOT.glob("recipes/*"), ROOT / "README.md"]:
        assert "/work/" + "main" not in path.read_text(encoding="utf-8"), path
    for path in (ROOT / "src" / "safelight" / "bundle" / "shipped").rglob("*.onnx"):
        assert b"site-packages" not in path.read_bytes(), path
