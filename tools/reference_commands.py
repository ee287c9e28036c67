"""The reference of the command line, made from the commands themselves."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from safelight.cli import app as command_line
from safelight.settings import Settings
from tools.reference_words import code, default, entries, in_words, prose, table, value


def write_commands(folder: Path) -> list[str]:
    """One page for each verb, and a page that lists them. Returns the pages' names without suffix."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [(f"[`safelight {verb}`]({verb}.md)", prose(says)) for verb, says in command_line.VERBS.items()]
    options = table(
        ("Option", "Meaning"), [("`--version`", "Print the version."), ("`-h`, `--help`", "Print the help.")]
    )
    overview = (
        "# Command line\n\nThis page and the pages below it are made from the commands. `safelight COMMAND --help` "
        "says the same.\n[Settings](../../settings.md) lists environment variables and exit codes.\n\n"
    )
    (folder / "index.md").write_text(overview + table(("Command", "What it does"), rows) + options, encoding="utf-8")
    for verb in command_line.VERBS:
        (folder / f"{verb}.md").write_text(page(verb), encoding="utf-8")
    return list(command_line.VERBS)


def page(verb: str) -> str:
    """Everything about a verb, as Markdown."""
    group: Any = typer.main.get_command(command_line.app)
    _, command, _ = group.resolve_command(typer.Context(group), [verb])
    parts = list(_command(command, f"safelight {verb}"))
    return "\n\n".join([f"# safelight {verb}", *parts]) + "\n"


def _command(command: Any, path: str, level: int = 1) -> Iterator[str]:
    """Usage, description and options; of a group of commands, those of each of them."""
    yield prose(command.help or "")
    if isinstance(command, TyperGroup):
        for name, inner in command.commands.items():
            yield f"{'#' * (level + 1)} {path} {name}"
            yield from _command(inner, f"{path} {name}", level + 1)
        return
    yield f"```text\n{_usage(command, path)}\n```"
    fields = {name: field for record in _records(command) for name, field in record.model_fields.items()}
    for kind, title in (("argument", "Argument"), ("option", "Option")):
        rows = [_row(command, one, fields.get(one.name)) for one in _parameters(command, kind)]
        yield entries((title, "Value", "Default", "Meaning"), rows).rstrip()


def _parameters(command: Any, kind: str) -> list[Any]:
    """Its arguments or its options, as people see them."""
    return [one for one in command.params if one.param_type_name == kind and not getattr(one, "hidden", False)]


def _usage(command: Any, path: str) -> str:
    """One line: what must be given, and that there is more."""
    given = [_argument(one) for one in _parameters(command, "argument") if one.required]
    optional = [f"[{_argument(one)}]" for one in _parameters(command, "argument") if not one.required]
    needed = [f"{one.opts[-1]} {one.name.upper()}" for one in _parameters(command, "option") if one.required]
    more = ["[OPTIONS]"] if len(_parameters(command, "option")) > len(needed) else []
    return " ".join([path, *given, *optional, *needed, *more])


def _argument(parameter: Any) -> str:
    """As it stands in the usage line."""
    name: str = parameter.metavar or parameter.name.upper()
    return f"{name}..." if parameter.nargs == -1 and not name.endswith("...") else name


def _records(command: Any) -> list[type[Settings]]:
    """The settings whose fields are the options; empty for a command that is written by hand."""
    made = inspect.unwrap(command.callback) if command.callback else None
    records = inspect.getclosurevars(made).nonlocals.get("records", ()) if made else ()
    return list(records)


def _row(command: Any, parameter: Any, field: Any) -> tuple[str, str, str, str]:
    """How a parameter is written, which values it takes, its default, and its help."""
    is_option = parameter.param_type_name == "option"
    names = [*parameter.opts, *parameter.secondary_opts] if is_option else [_argument(parameter)]
    if field is not None:
        takes, given = value(field), default(field)
    else:
        takes = in_words(inspect.signature(inspect.unwrap(command.callback)).parameters[parameter.name].annotation)
        given = "" if parameter.default in (None, False) or callable(parameter.default) else code(parameter.default)
    said = prose(getattr(parameter, "help", None) or "")
    return ", ".join(map(code, names)), takes, "**needed**" if parameter.required else given, said
