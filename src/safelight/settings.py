"""What all settings have in common: closed to unknown keys, read from TOML, refused in one line, listed once.

A field that `option` or `argument` makes is also an option of the command line: `cli.options` builds commands from it.
"""

import codecs
import tomllib
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo

from safelight.errors import RecipeError, UsageError, is_stored, shown

if TYPE_CHECKING:  # so that type checkers take a str or a Path, and give back a Path

    class AnyPath:
        """A field that takes a str or a Path, and is a Path."""

        def __get__(self, instance: Any, owner: Any) -> Path: ...
        def __set__(self, instance: Any, value: str | Path) -> None: ...

    class OptionalPath:
        """The same, or None."""

        def __get__(self, instance: Any, owner: Any) -> Path | None: ...
        def __set__(self, instance: Any, value: str | Path | None) -> None: ...

    class Paths:
        """A field that takes any number of them, and is a tuple of Paths."""

        def __get__(self, instance: Any, owner: Any) -> tuple[Path, ...]: ...
        def __set__(self, instance: Any, value: Sequence[str | Path]) -> None: ...
else:
    AnyPath, OptionalPath, Paths = Path, Path | None, tuple[Path, ...]

Positive = Annotated[int, Field(gt=0)]
NotNegative = Annotated[int, Field(ge=0)]
_Recipe = TypeVar("_Recipe", bound=BaseModel)
_Settings = TypeVar("_Settings", bound="Settings")


class Settings(BaseModel):
    """Base of all settings: frozen, and closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    may_be_stored: ClassVar[frozenset[str]] = frozenset()
    """Fields whose paths may lie on object storage (`work.storage`)."""

    @model_validator(mode="after")
    def _on_a_file_system(self) -> Self:
        for name, value in self:
            for path in value if isinstance(value, tuple) else (value,):
                if isinstance(path, Path) and is_stored(path) and name not in self.may_be_stored:
                    raise ValueError(f"{shown(path)}: must lie on a file system here")
        return self

    @classmethod
    def of(cls: type[_Settings], **values: Any) -> _Settings:
        """Checked settings. Raises UsageError that names the option in the words of the command line."""
        try:
            return cls(**values)
        except ValidationError as error:
            raise _usage_error(cls, error) from None


class VerbSettings(Settings):
    """Base of what a verb is asked to do. Raises UsageError, as all that people do with the package."""

    if not TYPE_CHECKING:  # type checkers know the fields

        def __init__(self, **values: Any) -> None:
            try:
                super().__init__(**values)
            except ValidationError as error:
                raise _usage_error(type(self), error) from None


def _usage_error(settings: type[BaseModel], error: ValidationError) -> UsageError:
    first = error.errors()[0]
    reason = in_plain_words(first["msg"])
    if not first["loc"]:
        return UsageError(reason)
    name = str(first["loc"][0])
    if name not in settings.model_fields:
        near = get_close_matches(name, settings.model_fields, n=1)
        return UsageError(f"{settings.__name__} has no '{name}'" + (f"; did you mean '{near[0]}'?" if near else ""))
    flag = flag_of(name, settings.model_fields[name])
    given = "" if first["type"] == "missing" else f" '{first['input']}'"
    return UsageError(f"{flag}{given}: {reason}; see --help")


class OnCommandLine(NamedTuple):
    """How a field of settings looks on the command line."""

    flags: tuple[str, ...] = ()
    """Such as "-o" and "--output"; if empty, two dashes and the field's name. The last one names it in messages."""
    is_argument: bool = False
    metavar: str | None = None
    group: str | None = None
    """The heading that `--help` lists it under."""


def option(default: Any, help: str, *flags: str, group: str | None = None, **limits: Any) -> Any:  # noqa: A002
    """A field that is an option of the command line; `limits` are those of `pydantic.Field`."""
    shown = OnCommandLine(flags, group=group)
    return Field(default, description=help, json_schema_extra={"command_line": shown._asdict()}, **limits)


def argument(help: str, metavar: str, default: Any = ..., **limits: Any) -> Any:  # noqa: A002
    """A field that is an argument of the command line: it stands without a flag."""
    shown = OnCommandLine(is_argument=True, metavar=metavar)
    return Field(default, description=help, json_schema_extra={"command_line": shown._asdict()}, **limits)


def on_command_line(field: FieldInfo) -> OnCommandLine | None:
    """None for a field that is none of the command line's."""
    extra = field.json_schema_extra
    shown: Any = extra.get("command_line") if isinstance(extra, dict) else None
    return None if shown is None else OnCommandLine(**shown)


def flag_of(name: str, field: FieldInfo) -> str:
    """How messages call a field."""
    shown = on_command_line(field) or OnCommandLine()
    if shown.is_argument:
        return str(shown.metavar)
    return shown.flags[-1].partition("/")[0] if shown.flags else f"--{name.replace('_', '-')}"


_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""The first bytes of texts, the longer ones first, and their encodings."""
MOST_RECIPE_BYTES = 10_000_000


def read_text(path: Path, errors: str = "strict", newline: str | None = None) -> str:
    """A text as people's programs save it: UTF-8, with or without a byte-order mark, or UTF-16 or UTF-32 with one.

    `newline` is that of `open`. Raises OSError and UnicodeDecodeError.
    """
    with path.open("rb") as file:
        head = file.read(4)
    encoding = next((name for mark, name in _MARKS if head.startswith(mark)), "utf-8-sig")
    with path.open(encoding=encoding, errors=errors, newline=newline) as text:
        return text.read()


def read_toml(path: Path) -> dict[str, Any]:
    """The keys of a recipe. Raises RecipeError."""
    try:
        if path.exists() and (not path.is_file() or path.stat().st_size > MOST_RECIPE_BYTES):
            raise RecipeError(f"{path}: is no small file; name an existing .toml recipe")
        return tomllib.loads(read_text(path))
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read ({error.strerror}); name an existing .toml recipe") from None
    except (ValueError, RecursionError) as error:  # also of numbers of thousands of digits
        raise RecipeError(f"{path}: not valid TOML: {error}; mend that line") from None


_PLAIN = {
    "Value error, ": "",
    ", unable to parse string as an integer": "",
    ", unable to parse string as a number": "",
    "a valid integer": "a whole number",
    "Input should be": "must be",
    "a valid ": "a ",
    "Input should have": "must have",
    "Extra inputs are not permitted": "is not known here",
    "Field required": "is missing",
    "greater than or equal to": "at least",
    "less than or equal to": "at most",
    "greater than": "more than",
}
"""Words of pydantic, and those for people."""


def in_plain_words(message: str) -> str:
    """A message of pydantic for people."""
    for theirs, ours in _PLAIN.items():
        message = message.replace(theirs, ours)
    return message


def checked(kind: type[_Recipe], keys: dict[str, Any], path: Path) -> _Recipe:
    """Raises RecipeError with file, key and reason."""
    try:
        return kind.model_validate(keys)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        reason = in_plain_words(first["msg"])
        if not where:
            raise RecipeError(f"{path}: {reason}; mend it") from None
        raise RecipeError(f"{path}: {where}: {reason}; mend or remove this key") from None


def container_by_ending(given: object) -> object:
    """A container by its usual ending: jpg and tif, too."""
    return {"jpg": "jpeg", "tif": "tiff"}.get(given, given) if isinstance(given, str) else given
