"""Pieces of Markdown."""

import inspect
import re
import types
import typing
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import annotated_types
from pydantic import BeforeValidator
from pydantic.fields import FieldInfo

_KINDS = {bool: "switch", int: "whole number", float: "number", str: "text", Path: "path"}
_DOCTEST = re.compile(r"^(>>>|\.\.\.) ?|\s*# doctest: \+SKIP$", re.MULTILINE)
_FLAG = re.compile(r"(?<![\w-])(--[a-z][a-z-]*[a-z])")
_CODE_SPAN = re.compile(r"(`+[^`]+`+)")


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Empty for no rows."""
    lines = ["| " + " | ".join(cell.replace("|", r"\|").replace("\n", " ") for cell in row) + " |" for row in rows]
    ruler = "|" + "---|" * len(heads)
    return "\n".join(["| " + " | ".join(heads) + " |", ruler, *lines, "", ""]) if lines else ""


def entries(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of names, values, defaults and meanings. On a phone, each row becomes a paragraph (site.css)."""
    text = table(heads, rows)
    return f'<div class="entries">\n\n{text}</div>\n' if text else ""


def code(text: object) -> str:
    """As it is typed; empty for nothing."""
    return f"`{text}`" if str(text) else ""


def prose(docstring: str) -> str:
    """A docstring as Markdown: examples become code, and no sign is taken for HTML or for emphasis."""
    return "\n\n".join(_block(block) for block in re.split(r"\n\s*\n", inspect.cleandoc(docstring)))


def first_sentence(docstring: str) -> str:
    """For lists."""
    text = " ".join(prose(docstring).partition("\n\n")[0].split())
    return re.split(r"(?<=[.:]) (?=[A-Z])", text)[0].removesuffix(":")


def _block(block: str) -> str:
    if block.startswith(">>>"):
        return f"```python\n{_DOCTEST.sub('', block)}\n```"
    if block.startswith("    "):
        return f"```text\n{inspect.cleandoc(chr(10) + block)}\n```"
    pieces = _CODE_SPAN.split(block)
    return "".join(piece if k % 2 else _escaped(piece) for k, piece in enumerate(pieces))


def _escaped(text: str) -> str:
    return _FLAG.sub(r"`\1`", re.sub(r"([<*])", r"\\\1", text))


def value(field: FieldInfo) -> str:
    """Which values a field takes, in words."""
    kind, rules = _simple(field.annotation, list(field.metadata))
    if any(isinstance(rule, BeforeValidator) for rule in rules):
        return "text"
    return f"{kind}{_limits(rules)}"


def in_words(annotation: Any) -> str:
    """The same of a type."""
    return _simple(annotation, [])[0]


def default(field: FieldInfo) -> str:
    """Empty for none."""
    given = None if field.is_required() else field.get_default(call_default_factory=True)
    if isinstance(given, bool):
        return "on" if given else "off"
    return "" if given is None or given == () else code(given)


def _simple(annotation: Any, rules: list[Any]) -> tuple[str, list[Any]]:
    """In words, without None, and the rules of all its layers."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return _simple(inner[0], [*rules, *inner[1:]])
    if origin in (typing.Union, types.UnionType):
        return _simple(next(one for one in inner if one is not types.NoneType), rules)
    if origin is Literal:
        return " ".join(code(one) for one in inner), rules
    if origin is list or (origin is tuple and inner[-1] is ...):
        kind, rules = _simple(inner[0], rules)
        return f"{kind}, several", rules
    if origin is tuple:
        return ", ".join(_simple(one, [])[0] for one in inner), rules
    return _KINDS.get(annotation, code(getattr(annotation, "__name__", annotation))), rules


def _limits(rules: list[Any]) -> str:
    """The numbers between which a value must lie."""
    signs = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    kinds = (annotated_types.Ge, annotated_types.Gt, annotated_types.Le, annotated_types.Lt, FieldInfo)
    flat = [rule for one in rules for rule in (one.metadata if isinstance(one, FieldInfo) else [one])]
    found = {
        sign: getattr(rule, sign) for rule in flat if isinstance(rule, kinds) for sign in signs if hasattr(rule, sign)
    }
    if {"ge", "le"} <= found.keys():
        return f", {found['ge']} to {found['le']}"
    return "".join(f", {words} {found[sign]}" for sign, words in signs.items() if sign in found)
