"""The reference of the Python interface, made from signatures and docstrings."""

import ast
import re
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import safelight
from safelight.settings import Settings
from tools.reference_sources import PACKAGE, Definition, bases, find, home, members, mentioned, methods, parsed
from tools.reference_words import code, entries, first_sentence, prose, table, value

LINE = 72
"""Longest line of a signature: more does not fit beside the navigation."""


class Page(NamedTuple):
    """A page of the reference."""

    file: str
    title: str
    names: list[str]
    """Exported names that it describes."""


def write_python(folder: Path) -> list[Page]:
    """All pages, and a page that lists them."""
    folder.mkdir(parents=True, exist_ok=True)
    found = pages()
    (folder / "index.md").write_text(_overview(found), encoding="utf-8")
    for page in found:
        (folder / f"{page.file}.md").write_text(page_text(page), encoding="utf-8")
    return found


def pages() -> list[Page]:
    """First the functions that are verbs, each with its settings and report; then the classes, by their home."""
    exported = {name: _exported(name) for name in safelight.__all__ if name != "__version__"}
    public = {definition: name for name, definition in exported.items()}
    grouped: dict[str, list[str]] = {}
    taken = set[str]()
    for name, definition in exported.items():
        if isinstance(definition.node, ast.FunctionDef):
            related = [public[each] for each in mentioned(definition) if each in public]
            if any(one.endswith("Settings") for one in related):
                reports = [one for one in related if one.endswith("Report")]
                grouped[name] = [name, *(one for one in related if one.endswith("Settings")), *reports]
                taken.update(grouped[name])
    verbs = [Page(f"function-{name}", f"{name}()", names) for name, names in grouped.items()]
    by_home: dict[str, list[str]] = {}
    for name in exported:
        if name not in taken:
            by_home.setdefault(home(name), []).append(name)
    classes = [
        Page(place.removeprefix(f"{PACKAGE}.").replace(".", "-"), ", ".join(names), names)
        for place, names in by_home.items()
    ]
    return verbs + classes


def page_text(page: Page) -> str:
    """As Markdown."""
    definitions = [_exported(name) for name in page.names]
    is_of_verb = isinstance(definitions[0].node, ast.FunctionDef)
    parts = [f"# {page.title}", *dict.fromkeys(_of_module(one) for one in definitions if not is_of_verb)]
    for name, definition in zip(page.names, definitions, strict=True):
        parts += _section(definition, f"{PACKAGE}.{name}")
    others = _others(definitions)
    classes = [other for other in others if isinstance(other.node, ast.ClassDef)]
    if classes:
        parts.append("## Classes in these signatures")
    for other in classes:
        parts += _section(other, f"{other.module}.{other.name}", level=3)
    aliases = [
        (code(other.name), code(ast.unparse(other.node.value)))
        for other in others
        if isinstance(other.node, ast.Assign)
    ]
    if aliases:
        parts += ["## Names of types", table(("Name", "Stands for"), aliases)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _exported(name: str) -> Definition:
    definition = find(PACKAGE, name)
    if definition is None:
        raise LookupError(f"safelight.{name} is exported, but its source is not found; import it in __init__.py")
    return definition


def _overview(found: list[Page]) -> str:
    lines = [
        "# Python",
        "Everything that a program needs is in the package `safelight`. The pages below are made from the source.",
        "[For programmers](../../for-programmers.md) has examples.",
    ]
    rows = [
        (f"[{code(name)}]({page.file}.md)", first_sentence(_exported(name).docstring))
        for page in found
        for name in page.names
    ]
    lines += [table(("Name", "What it is"), rows), "## `__version__`", "The version of Safelight, as text."]
    return "\n\n".join(lines) + "\n"


def _others(definitions: list[Definition]) -> list[Definition]:
    """What the signatures on a page mention and no page describes: what people get, but do not import."""
    exported = {_exported(name) for name in safelight.__all__}
    signatures = [one for one in definitions if _settings(one) is None]
    found = dict.fromkeys(other for definition in signatures for other in mentioned(definition))
    aliases = [other for other in found if isinstance(other.node, ast.Assign)]
    found |= dict.fromkeys(other for alias in aliases for other in mentioned(alias))
    return [other for other in found if other not in exported and not other.name.startswith("_")]


def _section(definition: Definition, path: str, level: int = 2) -> list[str]:
    """A class with its fields and methods, or a function, under the name that `path` ends in."""
    node, mark, name = definition.node, "#" * level, path.rpartition(".")[2]
    if isinstance(node, ast.FunctionDef):
        return [f"{mark} `{name}()`", _signature(node, path), prose(definition.docstring)]
    record = _settings(definition)
    renamed = "" if name == definition.name else f", which signatures call {code(definition.name)}"
    parts = [f"{mark} class `{name}`", code(path) + renamed if level == 2 else "", prose(definition.docstring)]
    if record is not None:
        return [*parts, _settings_table(record)]
    parts.append(_members_table(definition))
    for method in methods(definition):
        bound = f"{name}.{method.name}"
        parts += [f"{mark}# `{bound}()`", _signature(method, bound), prose(ast.get_docstring(method) or "")]
    return parts


def _of_module(definition: Definition) -> str:
    """What the module's docstring says of the class: paragraphs without the names of private functions."""
    tree = parsed(definition.module)
    _, _, more = ((tree and ast.get_docstring(tree)) or "").partition("\n\n")
    paragraphs = [one for one in re.split(r"\n\s*\n", more) if one and not re.search(r"(?<!\w)_[a-z]", one)]
    return prose("\n" + "\n\n".join(paragraphs)) if isinstance(definition.node, ast.ClassDef) and paragraphs else ""


def _members_table(definition: Definition) -> str:
    rows = [
        (code(one.name), code(one.kind), code(one.default), prose(one.docstring))
        for one in members(definition)
        if not one.kind.startswith("ClassVar")
    ]
    return entries(("Attribute", "Type", "Default", "Meaning"), rows)


def _settings(definition: Definition) -> type[Settings] | None:
    """The class itself, if it is a record of settings: its fields know their help."""
    if not any(one.name == "Settings" for one in _ancestors(definition)):
        return None
    record: type[Settings] = getattr(import_module(definition.module), definition.name)
    return record


def _ancestors(definition: Definition) -> list[Definition]:
    return [each for base in bases(definition) for each in (base, *_ancestors(base))]


def _settings_table(record: type[Settings]) -> str:
    rows = []
    for name, field in record.model_fields.items():
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        given = code(repr(str(default) if isinstance(default, Path) else default))
        given = "**needed**" if field.is_required() else given
        rows.append((code(name), value(field), given, prose(field.description or "")))
    return entries(("Field", "Value", "Default", "Meaning"), rows)


def _signature(node: ast.FunctionDef, path: str) -> str:
    """As Python code, one argument a line if it is long; without self and cls."""
    arguments = node.args
    plain = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(plain) - len(arguments.defaults)) + list(arguments.defaults)
    words = [_argument(*pair) for pair in zip(plain, defaults, strict=True) if pair[0].arg not in ("self", "cls")]
    if arguments.vararg:
        words.append(f"*{_argument(arguments.vararg, None)}")
    elif arguments.kwonlyargs:
        words.append("*")
    words += [_argument(*pair) for pair in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    words += [f"**{_argument(arguments.kwarg, None)}"] if arguments.kwarg else []
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    line = f"{path}({', '.join(words)}){returns}"
    if len(line) > LINE:
        line = f"{path}(\n" + "".join(f"    {word},\n" for word in words) + f"){returns}"
    return f"```python\n{line}\n```"


def _argument(argument: ast.arg, given: ast.expr | None) -> str:
    kind = f": {ast.unparse(argument.annotation)}" if argument.annotation else ""
    if given is None:
        return f"{argument.arg}{kind}"
    return f"{argument.arg}{kind} = {ast.unparse(given)}" if kind else f"{argument.arg}={ast.unparse(given)}"
