"""What is to be done: the inputs of a batch → tasks with all their outputs.

Paths are asked about through os.path, which answers "no" where pathlib raises: names that are too long,
loops of links.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from safelight.errors import PictureError, RefusedError, UsageError
from safelight.jobs.enhance.results import Results
from safelight.jobs.enhance.settings import EnhanceSettings
from safelight.picture import READABLE, SUFFIXES, format_of

EXTENSIONS = {"jpeg": "jpg", "png": "png", "tiff": "tif", "webp": "webp", "avif": "avif"}
NO_FOLDERS = frozenset({*READABLE, ".bmp", ".jp2", ".jxl", ".psd"})
"""An output that ends so is meant as a picture, not as a folder."""
_STAND_INS = {".heic": "avif", ".heif": "avif", ".gif": "png"}
"""Readable, but not written: what stands in."""


@dataclass(frozen=True)
class PictureTask:
    """One picture."""

    source: Path
    target: Path
    samples: tuple[Path, ...] = ()
    uncertainty: Path | None = None
    problem: str | None = None
    """Why it cannot be done, if that is clear already."""
    earlier: tuple[Path, ...] = ()
    """With if_exists = rename: files that may hold its result already."""

    @property
    def outputs(self) -> tuple[Path, ...]:
        """Everything that it writes."""
        return (self.target, *self.samples, *([self.uncertainty] if self.uncertainty else []))


@dataclass(frozen=True)
class Plan:
    """All tasks of a batch, and where its manifest lies."""

    settings: EnhanceSettings
    folder: Path
    tasks: list[PictureTask] = field(default_factory=list)


def make_plan(settings: EnhanceSettings) -> Plan:
    """Mirror every input below the output, or onto the output itself if it names one picture file.

    Raises UsageError if the request as a whole makes no sense, and RefusedError for operations without OpenCV.
    What is wrong with a single file becomes the `problem` of its task.
    """
    _check_operations(settings.operations)
    _check_pattern(settings.pattern)
    inputs, output = settings.inputs, settings.output
    names_a_file = output.suffix.lower() in SUFFIXES and not os.path.isdir(output)
    if len(inputs) == 1 and not os.path.isdir(inputs[0]) and names_a_file:
        return Plan(settings, output.parent, _checked([_task(inputs[0], output, settings, set())]))
    if output.suffix.lower() in NO_FOLDERS and not os.path.isdir(output):
        what = "several pictures need a folder" if names_a_file else f"'{output.suffix}' cannot be written"
        raise UsageError(f"{output}: {what}; name a folder with -o, or for one picture one of {', '.join(SUFFIXES)}")
    if os.path.exists(output) and not os.path.isdir(output):
        raise UsageError(f"{output}: is a file, and not one that can be written to; name a folder with -o")
    return Plan(settings, output, _checked(_mirrored(settings)))


def _mirrored(settings: EnhanceSettings) -> list[PictureTask]:
    """A task for every picture. Earlier results in the output folder are no inputs, unless they are named."""
    tasks: list[PictureTask] = []
    planned: set[Path] = set()
    made_here = Results(settings.output).files()
    for entry in settings.inputs:
        for source, below in _sources(entry, settings.output, settings.recursive):
            if source is None:
                problem = f"{entry}: no pictures in this folder; name another, or add -r"
                tasks.append(PictureTask(entry, settings.output, problem=problem))
            elif entry == source or os.path.realpath(source) not in made_here:
                target = settings.output / below / _file_name(source, settings)
                tasks.append(_task(source, target, settings, planned))
                planned.update(tasks[-1].outputs)
    return tasks


def _sources(entry: Path, output: Path, recursive: bool) -> Iterator[tuple[Path | None, Path]]:
    """Each picture, and the folder below the output that mirrors where it lies; None for an empty folder."""
    if not os.path.isdir(entry):
        yield entry, Path()
        return
    is_empty = True
    for folder, folders, files in os.walk(entry):
        here = Path(folder)
        if not recursive:
            folders.clear()
        folders[:] = sorted(
            f for f in folders if not f.startswith(".") and os.path.realpath(here / f) != os.path.realpath(output)
        )
        for name in sorted(files):
            if Path(name).suffix.lower() in READABLE and not name.startswith(".") and not _is_special(here / name):
                is_empty = False
                yield here / name, here.relative_to(entry)
    if is_empty:
        yield None, Path()


def _is_special(path: Path) -> bool:
    """Pipes, sockets and devices; what is no picture for other reasons gets its own message later."""
    return os.path.exists(path) and not os.path.isfile(path)


def _check_operations(texts: tuple[str, ...]) -> None:
    if not texts:
        return
    try:
        from safelight.augmentation.catalog import parse_operation  # OpenCV is an extra
    except ModuleNotFoundError:
        raise RefusedError("--op needs OpenCV; see 'Augment a data set' in the README") from None
    for text in texts:
        parse_operation(text)


def _check_pattern(pattern: str) -> None:
    try:
        name = pattern.format(stem="a", model="b", ext="png")
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        raise UsageError(f"--pattern '{pattern}': {error}; use only {{stem}}, {{model}} and {{ext}}") from None
    if not name.endswith(".png") or Path(name).name != name:
        raise UsageError(f"--pattern '{pattern}': must be a file name that ends in .{{ext}}")


def _file_name(source: Path, settings: EnhanceSettings) -> str:
    suffix = source.suffix.lower()
    if settings.format != "same":
        extension = EXTENSIONS[settings.format]
    elif suffix in SUFFIXES:
        extension = source.suffix[1:]
    else:
        extension = _STAND_INS.get(suffix) or _extension_by_content(source)
    return settings.pattern.format(stem=source.stem, model=Path(settings.model).stem, ext=extension)


def _extension_by_content(source: Path) -> str:
    try:
        return EXTENSIONS.get(format_of(source), "png")
    except PictureError:
        return "png"  # it will fail when it is read, and say why


def _task(source: Path, target: Path, settings: EnhanceSettings, planned: set[Path]) -> PictureTask:
    task = _named(source, target, settings)
    return _unused(task, settings, planned) if settings.if_exists == "rename" else task


def _named(source: Path, target: Path, settings: EnhanceSettings) -> PictureTask:
    """The task whose other outputs are named after its target."""
    samples = tuple(target.with_stem(f"{target.stem}_sample{k + 1}") for k in range(settings.samples))
    return PictureTask(
        source, target, samples, target.with_name(f"{target.stem}_std.tif") if settings.uncertainty else None
    )


def _unused(task: PictureTask, settings: EnhanceSettings, planned: set[Path]) -> PictureTask:
    """With the first of name, name_1, name_2, ... of which no output is there. Those before it may hold the result."""
    candidate, count, earlier = task, 0, []
    while any(path in planned or os.path.lexists(path) for path in candidate.outputs):
        if candidate.target not in planned and os.path.lexists(candidate.target):
            earlier.append(candidate.target)
        count += 1
        candidate = _named(task.source, task.target.with_stem(f"{task.target.stem}_{count}"), settings)
    return replace(candidate, earlier=tuple(earlier))


def _checked(tasks: list[PictureTask]) -> list[PictureTask]:
    """Mark the tasks that would write over an input or over each other's outputs."""
    inputs = {os.path.realpath(task.source) for task in tasks}
    taken: dict[str, Path] = {}
    result = []
    for task in tasks:
        problem = task.problem
        for output in task.outputs if problem is None else ():
            real_path = os.path.realpath(output)
            if real_path in inputs:
                problem = f"{task.source}: would overwrite the input {output}; choose another -o or --pattern"
            elif real_path in taken:
                problem = (
                    f"{task.source}: would write {output}, as {taken[real_path]} does; use a --pattern or another -o"
                )
        if problem is None:
            taken |= {os.path.realpath(output): task.source for output in task.outputs}
        result.append(replace(task, problem=problem))
    return result
