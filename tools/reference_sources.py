"""Definitions in the package's source, found without importing them: the reference must not need torch."""

import ast
from functools import cache
from pathlib import Path
from typing import NamedTuple

SOURCE = Path(__file__).resolve().parents[1] / "src"
PACKAGE = "safelight"
Node = ast.ClassDef | ast.FunctionDef | ast.Assign | ast.AnnAssign


class Definition(NamedTuple):
    """Where a name is defined."""

    name: str
    module: str
    node: Node

    @property
    def docstring(self) -> str:
        """Of a class or function; empty for other names."""
        if isinstance(self.node, ast.ClassDef | ast.FunctionDef):
            return ast.get_docstring(self.node) or ""
        return ""


class Member(NamedTuple):
    """A field or property of a class."""

    name: str
    kind: str
    """Its type, as the source has it."""
    default: str
    docstring: str


@cache
def parsed(module: str) -> ast.Module | None:
    """None for what is no module of the package."""
    path = SOURCE.joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(file.read_text(encoding="utf-8")) if file.exists() else None


@cache
def find(module: str, name: str) -> Definition | None:
    """The definition that `name` in that module leads to, through imports. None for a name of another package."""
    tree = parsed(module)
    for node in _statements(tree.body) if tree else []:
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == PACKAGE:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return find(str(node.module), alias.name)
        elif name in _names(node):
            return Definition(name, module, node)  # type: ignore[arg-type]
    return None


def home(name: str) -> str:
    """The module that `safelight/__init__.py` takes an exported name from."""
    tree = parsed(PACKAGE)
    for node in _statements(tree.body) if tree else []:
        if isinstance(node, ast.ImportFrom) and any((alias.asname or alias.name) == name for alias in node.names):
            return str(node.module)
    return PACKAGE


def members(definition: Definition) -> list[Member]:
    """Public fields and properties of a class, with those of its bases in this package."""
    found = {member.name: member for base in bases(definition) for member in members(base)}
    body = definition.node.body if isinstance(definition.node, ast.ClassDef) else []
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign | ast.Assign) and _names(node):
            kind = ast.unparse(node.annotation) if isinstance(node, ast.AnnAssign) else ""
            default = ast.unparse(node.value) if node.value and not isinstance(node.value, ast.Call) else ""
            member = Member(_names(node)[0], kind, default, _text(after))
        elif isinstance(node, ast.FunctionDef) and _is_property(node):
            kind = ast.unparse(node.returns) if node.returns else ""
            member = Member(node.name, kind, "", ast.get_docstring(node) or "")
        else:
            continue
        found[member.name] = member
    return [member for member in found.values() if not member.name.startswith("_") and member.name != "model_config"]


def methods(definition: Definition) -> list[ast.FunctionDef]:
    """Public methods of a class, and those that Python calls, with those of its bases in this package."""
    found = {method.name: method for base in bases(definition) for method in methods(base)}
    body = definition.node.body if isinstance(definition.node, ast.ClassDef) else []
    for node in body:
        if isinstance(node, ast.FunctionDef) and not _is_property(node):
            is_shown = not node.name.startswith("_") or node.name in ("__call__", "__getitem__", "__len__", "__iter__")
            found |= {node.name: node} if is_shown else {}
    return list(found.values())


def bases(definition: Definition) -> list[Definition]:
    """Base classes of this package."""
    if not isinstance(definition.node, ast.ClassDef):
        return []
    names = [base.value if isinstance(base, ast.Subscript) else base for base in definition.node.bases]
    found = [find(definition.module, base.id) for base in names if isinstance(base, ast.Name)]
    return [base for base in found if base]


def mentioned(definition: Definition) -> list[Definition]:
    """What the types in the signatures of a class or function lead to, in this package."""
    node, annotations = definition.node, list[ast.expr | None]()
    functions = [node] if isinstance(node, ast.FunctionDef) else methods(definition)
    for function in functions:
        arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        annotations += [function.returns, *(argument.annotation for argument in arguments)]
    if isinstance(node, ast.ClassDef):
        annotations += [ast.parse(member.kind, mode="eval").body for member in members(definition) if member.kind]
    if isinstance(node, ast.Assign):
        annotations.append(node.value)
    names = [
        found.id if isinstance(found, ast.Name) else str(found.value)
        for annotation in annotations
        if annotation
        for found in ast.walk(annotation)
        if isinstance(found, ast.Name) or (isinstance(found, ast.Constant) and isinstance(found.value, str))
    ]
    found_names = {name: find(definition.module, name) for name in names}
    return [each for each in found_names.values() if each]


def _statements(body: list[ast.stmt]) -> list[ast.stmt]:
    """Those of a module, and those below its `if TYPE_CHECKING`."""
    return [inner for node in body for inner in (node.body if isinstance(node, ast.If) else [node])]


def _names(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _text(node: ast.stmt | None) -> str:
    """The docstring of a field stands below it."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return node.value.value
    return ""


def _is_property(node: ast.FunctionDef) -> bool:
    return any(isinstance(one, ast.Name) and one.id in ("property", "cached_property") for one in node.decorator_list)
