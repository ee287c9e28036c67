"""Commands from settings: every option is listed once, in the record that the verb's function takes."""

import inspect
import types
import typing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from pydantic import BeforeValidator
from pydantic.fields import FieldInfo

from safelight.cli.examples import EXAMPLES
from safelight.settings import OnCommandLine, Settings, on_command_line

_SIMPLE = (bool, int, float, str, Path)


def add_command(app: typer.Typer, name: str, records: tuple[type[Settings], ...], run: Callable[..., None]) -> None:
    """Add a command of that name, whose options are the fields of the records, in their order.

    The command calls `run` with one checked instance of each record. Its help is the docstring of `run`, and examples.
    """
    parameters = [
        _parameter(field_name, field, shown)
        for record in records
        for field_name, field in record.model_fields.items()
        if (shown := on_command_line(field)) is not None
    ]

    def command(**values: Any) -> None:
        run(*(_filled(record, values) for record in records))

    examples = "\n".join(EXAMPLES.get(name, ()))
    command.__doc__ = f"{inspect.getdoc(run)}\n\n\b\n{examples}" if examples else run.__doc__
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    vars(command)["__signature__"] = inspect.Signature(parameters)
    app.command(name)(command)


def _filled(record: type[Settings], values: dict[str, Any]) -> Settings:
    """Raises UsageError. What was not given is left to the record's defaults."""
    return record.of(**{name: values[name] for name in record.model_fields if values.get(name) is not None})


def _parameter(name: str, field: FieldInfo, shown: OnCommandLine) -> inspect.Parameter:
    """A field as a parameter that typer understands."""
    kind, is_many = (str, False) if _parses_text(field.metadata) else _simple(field.annotation)
    default: Any = inspect.Parameter.empty if field.is_required() else field.get_default(call_default_factory=True)
    annotation: Any = types.GenericAlias(list, (kind,)) if is_many else kind
    if isinstance(default, tuple | list):
        default = list(default) or None
    if _parses_text(field.metadata) and not field.is_required():
        default = None  # the record has its own default, which is no text
    if default is None:
        annotation = annotation | None
    if shown.is_argument:
        info: Any = typer.Argument(help=field.description, metavar=shown.metavar, show_default=False)
    else:
        flags = shown.flags or (f"--{name.replace('_', '-')}",)
        says_default = not isinstance(default, bool) and default not in (None, "", inspect.Parameter.empty)
        info = typer.Option(*flags, help=field.description, rich_help_panel=shown.group, show_default=says_default)
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[annotation, info]
    )


def _parses_text(metadata: Sequence[Any]) -> bool:
    """Whether the field has a rule of its own for words, such as "10m"."""
    return any(isinstance(rule, BeforeValidator) for rule in metadata)


def _simple(annotation: Any) -> tuple[Any, bool]:
    """The simple type that the command line parses, and whether the option may be given many times."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return (str, False) if _parses_text(inner[1:]) else _simple(inner[0])
    if origin in (typing.Union, types.UnionType):
        return _simple(next(one for one in inner if one is not types.NoneType))
    if origin is Literal:
        return str, False
    if origin is tuple and inner[-1] is ...:
        return _simple(inner[0])[0], True
    if origin is tuple and all(one in _SIMPLE for one in inner):
        return annotation, False  # so many values after one flag
    if annotation in _SIMPLE:
        return annotation, False
    raise TypeError(f"settings on the command line are of simple types, not {annotation}")
