"""Commands from settings: every option is listed once, in the record that the verb's function takes."""

import inspect
import types
import typing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVarTuple, Unpack

import typer
from pydantic.fields import FieldInfo

from safelight.settings import OnCommandLine, Settings, on_command_line

Records = TypeVarTuple("Records")


def add_command(
    app: typer.Typer,
    name: str,
    records: "tuple[Unpack[tuple[type[Settings], ...]]]",
    run: Callable[..., None],
) -> None:
    """A command of that name, whose options are the fields of the records, in their order.

    It calls `run` with one checked instance of each record. The docstring of `run` is the help.
    """
    parameters = [
        _parameter(field_name, field, shown)
        for record in records
        for field_name, field in record.model_fields.items()
        if (shown := on_command_line(field)) is not None
    ]

    def called(**values: Any) -> None:
        run(*(_filled(record, values) for record in records))

    called.__doc__ = run.__doc__
    called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {p.name: p.annotation for p in parameters}
    app.command(name)(called)


def _filled(record: type[Settings], values: dict[str, Any]) -> Settings:
    """Raises UsageError. Options that were not given are left to the record."""
    given = {name: value for name, value in values.items() if name in record.model_fields}
    return record.of(**{name: value for name, value in given.items() if value is not None})


def _parameter(name: str, field: FieldInfo, shown: OnCommandLine) -> inspect.Parameter:
    kind, many = _basic(field.annotation)
    default: Any = None if field.is_required() else field.get_default(call_default_factory=True)
    if many:
        default, kind = default or None, list[kind]  # type: ignore[valid-type]
    elif default is None and not shown.is_argument:
        kind = kind | None
    help_text = field.description
    if shown.is_argument:
        required = field.is_required()
        info: Any = typer.Argument(help=help_text, metavar=shown.metavar, show_default=False)
        annotation = kind if required else (kind | None)
        info_default = inspect.Parameter.empty if required else default
    else:
        flags = shown.flags or (f"--{name.replace('_', '-')}",)
        if kind is bool and default is False:
            flags = tuple(flags)
        info = typer.Option(*flags, help=help_text, rich_help_panel=shown.group, show_default=default not in (None, False, ""))
        annotation = kind
        info_default = inspect.Parameter.empty if field.is_required() else default
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=info_default, annotation=Annotated[annotation, info]
    )


def _basic(annotation: Any) -> tuple[Any, bool]:
    """The simple type that the command line parses, and whether it may be given many times."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return _basic(inner[0])
    if origin in (typing.Union, types.UnionType):
        return _basic(next(one for one in inner if one is not types.NoneType))
    if origin is Literal:
        return str, False
    if origin in (tuple, list, Sequence):
        return _basic(inner[0])[0], True
    if annotation in (bool, int, float, str, Path):
        return annotation, False
    raise TypeError(f"settings on the command line are simple types, not {annotation}")
