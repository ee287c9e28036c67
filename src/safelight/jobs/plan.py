"""What is to be done: inputs on the command line → tasks with all their outputs."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from safelight.errors import UsageError
from safelight.jobs.settings import EnhanceSettings
from safelight.picture import SUFFIXES

READABLE = frozenset({*SUFFIXES, ".heic", ".heif", ".gif"})
"""What is picked up from folders; a file that is named is tried whatever its name."""
EXTENSIONS = {"jpeg": "jpg", "png": "png", "tiff": "tif", "webp": "webp", "avif": "avif"}
_STAND_INS = {".heic": "avif", ".heif": "avif", ".gif": "png"}
"""Readable, but not written: what stands in."""


@dataclass(frozen=True)
class Task:
    """One picture."""

    source: Path
    target: Path
    samples: tuple[Path, ...] = ()
    uncertainty: Path | None = None
    problem: str | None = None
    """Why it cannot be done, if that is clear already."""

    @property
    def outputs(self) -> tuple[Path, ...]:
        """Everything that it writes."""
        return (self.target, *self.samples, *([self.uncertainty] if self.uncertainty else []))


@dataclass
class Plan:
    """All tasks of a batch, and where its manifest lies."""

    folder: Path
    tasks: list[Task] = field(default_factory=list)


def make_plan(inputs: Sequence[Path], output: Path, settings: EnhanceSettings, recursive: bool) -> Plan:
    """Mirror every input below `output`, or onto `output` itself if that names one picture file.

    Raises UsageError where the request as a whole makes no sense; what is wrong with single files
    becomes their task's `problem`.
    """
    _check_pattern(settings.pattern)
    single = len(inputs) == 1 and not inputs[0].is_dir() and output.suffix.lower() in SUFFIXES and not output.is_dir()
    if single:
        return Plan(output.parent, _checked([_task(inputs[0], output, settings)]))
    if output.exists() and not output.is_dir():
        raise UsageError(f"{output}: is a file, but there are several inputs; name a folder with -o")
    tasks = []
    for entry in inputs:
        for source, below in _sources(entry, output, recursive):
            tasks.append(_task(source, output / below / _file_name(source, settings), settings))
    return Plan(output, _checked(tasks))


def _sources(entry: Path, output: Path, recursive: bool) -> Iterator[tuple[Path, Path]]:
    """Each picture, and the folder below the output that mirrors where it lies."""
    if not entry.is_dir():
        yield entry, Path()
        return
    found = 0
    for folder, folders, files in os.walk(entry):
        here = Path(folder)
        folders[:] = sorted(
            f for f in folders if recursive and not f.startswith(".") and (here / f).resolve() != output.resolve()
        )
        for name in sorted(files):
            if Path(name).suffix.lower() in READABLE and not name.startswith("."):
                found += 1
                yield here / name, here.relative_to(entry)
    if not found:
        hint = "" if recursive else ", or add --recursive"
        raise UsageError(f"{entry}: no pictures in this folder; name another{hint}")


def _check_pattern(pattern: str) -> None:
    try:
        name = pattern.format(stem="a", model="b", ext="png")
    except (KeyError, IndexError, ValueError) as error:
        raise UsageError(f"--pattern '{pattern}': {error} is unknown; use {{stem}}, {{model}} and {{ext}}") from None
    if not name.endswith(".png") or Path(name).name != name:
        raise UsageError(f"--pattern '{pattern}': must be a file name that ends in .{{ext}}")


def _file_name(source: Path, settings: EnhanceSettings) -> str:
    suffix = source.suffix.lower()
    if settings.format != "same":
        extension = EXTENSIONS[settings.format]
    elif suffix in SUFFIXES:
        extension = source.suffix[1:]
    else:
        extension = _STAND_INS.get(suffix, "png")
    return settings.pattern.format(stem=source.stem, model=Path(settings.model).stem, ext=extension)


def _task(source: Path, target: Path, settings: EnhanceSettings) -> Task:
    if settings.if_exists == "rename":
        target = _unused(target)
    samples = tuple(target.with_stem(f"{target.stem}_sample{k + 1}") for k in range(settings.samples))
    uncertainty = target.with_name(f"{target.stem}_std.tif") if settings.uncertainty else None
    return Task(source, target, samples, uncertainty)


def _unused(target: Path) -> Path:
    """The first of name, name_1, name_2, ... that is not there."""
    candidate, count = target, 0
    while candidate.exists():
        count += 1
        candidate = target.with_stem(f"{target.stem}_{count}")
    return candidate


def _checked(tasks: list[Task]) -> list[Task]:
    """Mark the tasks that would write over an input or over each other's outputs."""
    inputs = {task.source.resolve() for task in tasks}
    taken: dict[Path, Path] = {}
    result = []
    for task in tasks:
        problem = None
        for output in task.outputs:
            place = output.resolve()
            if place in inputs:
                problem = f"{task.source}: would overwrite the input {output}; choose another -o or --pattern"
            elif place in taken:
                problem = f"{task.source}: would write {output}, as {taken[place]} does; use a --pattern or another -o"
        if problem is None:
            taken |= {output.resolve(): task.source for output in task.outputs}
        result.append(Task(task.source, task.target, task.samples, task.uncertainty, problem))
    return result
