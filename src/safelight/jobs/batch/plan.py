"""Which files a batch makes of which: every output is known before anything is computed.

Paths on object storage are asked about as those of a file system are (`work.places`).
"""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Protocol

from safelight.errors import UsageError
from safelight.jobs.batch.naming import Naming, is_named_as_result, told_apart
from safelight.jobs.batch.results import Results
from safelight.work import MANIFEST, json_sha256
from safelight.work.places import exists, is_folder, walk
from safelight.work.storage import forget, is_stored

_SYSTEM_FOLDERS = frozenset(
    {"@eadir", "#recycle", "#snapshot", "__macosx", "$recycle.bin", "lost+found", "system volume information"}
)

_NO_INPUTS = frozenset({MANIFEST, "thumbs.db", "desktop.ini"})
"""Files that stand in many folders and are not worth a word."""


FOLDERS, OWN_RESULTS = "/", "results"
"""What else is passed over, beside files of other kinds: folders without -r, and earlier results beside inputs."""


class BatchSettings(Protocol):
    """What the settings of every verb on many files have."""

    @property
    def inputs(self) -> tuple[Path, ...]: ...
    @property
    def output(self) -> Path | None: ...
    @property
    def recursive(self) -> bool: ...
    @property
    def if_exists(self) -> Literal["skip", "overwrite", "rename"]: ...
    @property
    def on_error(self) -> Literal["continue", "stop"]: ...
    @property
    def workers(self) -> int: ...
    def parameters(self) -> dict[str, object]: ...


@dataclass(frozen=True)
class FileTask:
    """One file, and what is made of it."""

    source: Path
    target: Path
    beside: tuple[Path, ...] = ()
    """More files that are written, named after the target."""
    problem: str | None = None
    """Why it cannot be done, if that is clear already."""
    earlier: tuple[tuple[Path, ...], ...] = ()
    """Other outputs that may hold its result already."""

    @property
    def outputs(self) -> tuple[Path, ...]:
        """Everything that it writes."""
        return (self.target, *self.beside)


@dataclass(frozen=True)
class Plan:
    """All tasks of a batch, and where its manifest lies."""

    settings: BatchSettings
    folder: Path
    verb: str
    tasks: list[FileTask] = field(default_factory=list)
    is_one_file: bool = False
    """One file under a name of its own: it leaves no manifest when it is done."""
    passed_over: Counter[str] = field(default_factory=Counter)
    """What is in the input folders and is not read: files by their suffix, `FOLDERS` and `OWN_RESULTS`."""

    @property
    def manifest(self) -> str:
        """The file in the folder that says what is done."""
        return f".safelight-{json_sha256(self.tasks[0].target.name)[:16]}.jsonl" if self.is_one_file else MANIFEST


def make_plan(settings: BatchSettings, naming: Naming) -> Plan:
    """Mirror every input below the output, or onto the output itself if it names one file.

    Without an output: onto a new file or folder beside the one input. Raises UsageError if the request as a whole makes
    no sense. What is wrong with a single file becomes the `problem` of its task.
    """
    forget()
    inputs, output = settings.inputs, settings.output
    if output is None and len(inputs) == 1 and not is_folder(inputs[0]):
        task = _task(inputs[0], _file_beside(inputs[0], naming), settings, naming)
        return Plan(settings, task.target.parent, naming.verb, _checked([task]), is_one_file=True)
    output = _folder_beside(inputs, naming) if output is None else output
    names_a_file = output.suffix.lower() in naming.writes and not is_folder(output)
    if len(inputs) == 1 and not is_folder(inputs[0]) and names_a_file:
        task = _task(inputs[0], output, settings, naming)
        return Plan(settings, output.parent, naming.verb, _checked([task]), is_one_file=True)
    suffix = output.suffix.lower()
    if (names_a_file or suffix in naming.no_folders) and not is_folder(output):
        what = f"several {naming.what} need a folder" if names_a_file else f"'{output.suffix}' cannot be written"
        raise UsageError(f"{output}: {what}; name a folder with -o, or for one file one of {', '.join(naming.writes)}")
    if not is_folder(output) and exists(output):
        raise UsageError(f"{output}: is a file, and not one that can be written to; name a folder with -o")
    if len(inputs) == 1 and not is_folder(inputs[0]) and _ends_as_a_file(output) and not is_folder(output):
        raise UsageError(
            f"{output}: a result can end in {', '.join(naming.writes)}; for a folder of that name, make it first"
        )
    passed_over: Counter[str] = Counter()
    tasks = _checked(_mirrored(settings, output, naming, passed_over))
    return Plan(settings, output, naming.verb, tasks, passed_over=passed_over)


def _ends_as_a_file(output: Path) -> bool:
    """Whether it ends in a dot and a word of letters, as folders here seldom do but by a slip."""
    return not is_stored(output) and any(character.isalpha() for character in output.suffix)


def _file_beside(source: Path, naming: Naming) -> Path:
    """What a file becomes, beside it, under another name: a picture's original may have the same stem."""
    beside = source.with_name(naming.file_name(source))
    is_like_its_original = naming.makes_pictures and beside.stem == source.stem
    return beside.with_stem(f"{beside.stem}_{naming.done}") if is_like_its_original else beside


def _folder_beside(inputs: Sequence[Path], naming: Naming) -> Path:
    """What a folder becomes, beside it. Raises UsageError for several inputs."""
    whole = Path(os.path.normpath(Path.cwd() / inputs[0]))
    is_bucket = is_stored(inputs[0]) and len(inputs[0].parts) < 3
    if len(inputs) > 1 or not whole.name or is_bucket:
        raise UsageError("these inputs need a folder for what is made of them; name one with -o, such as -o results")
    named = inputs[0] if inputs[0].name not in ("", "..") else whole  # "." and ".." have names elsewhere
    return named.with_name(f"{whole.name}_{naming.done}")


def _mirrored(settings: BatchSettings, output: Path, naming: Naming, passed_over: Counter[str]) -> list[FileTask]:
    """A task for every file; what is passed over is counted.

    Earlier results in the output folder, of a kind that the verb writes, are no inputs unless they are named.
    """
    named: list[tuple[Path, Path]] = []
    empty: list[FileTask] = []
    taken: set[str] = set()
    made_here = Results(output, naming.verb).files()

    def is_result(source: Path) -> bool:
        return source.suffix.lower() in naming.writes

    for entry in settings.inputs:
        found = _sources(entry, naming, passed_over, is_recursive=settings.recursive, output=output)
        for source, below in found:
            if source is None:
                problem = f"{entry}: no {naming.what} in this folder; name another, or add -r"
                empty.append(FileTask(entry, output, problem=problem))
                continue
            name = os.path.normpath(Path.cwd() / source)
            if name in taken:
                continue  # given twice
            if entry == source or not (is_result(source) and os.path.realpath(source) in made_here):
                taken.add(name)
                named.append((source, output / below / naming.file_name(source)))
    planned: set[Path] = set()
    tasks: list[FileTask] = []
    for source, target, other in told_apart(named, naming):
        tasks.append(_task(source, target, settings, naming, planned=planned, other=other))
        planned.update(tasks[-1].outputs)
    return [*empty, *tasks]


def _sources(
    entry: Path, naming: Naming, passed_over: Counter[str], *, is_recursive: bool, output: Path
) -> Iterator[tuple[Path | None, Path]]:
    """Each file, and the folder below the output that mirrors where it lies; None for an empty folder."""
    if not is_folder(entry):
        yield entry, Path()
        return
    is_empty, real_output = True, os.path.realpath(output)
    for here, folders, files in walk(entry):
        folders[:] = sorted(
            f for f in folders if not _is_of_the_system(f) and os.path.realpath(here / f) != real_output
        )
        if folders and not is_recursive:
            passed_over[FOLDERS] += len(folders)
            folders.clear()
        stems = {Path(name).stem for name in files if Path(name).suffix.lower() in naming.reads}
        for name in sorted(files):
            if name.startswith(".") or name.lower() in _NO_INPUTS or _is_special(here / name):
                continue
            suffix = Path(name).suffix.lower()
            if is_named_as_result(Path(name), stems):
                passed_over[OWN_RESULTS] += 1
            elif suffix in naming.reads:
                is_empty = False
                yield here / name, here.relative_to(entry)
            else:
                passed_over[suffix] += 1
    if is_empty:
        yield None, Path()


def _is_of_the_system(folder: str) -> bool:
    """Hidden folders, and those in which file servers and systems keep copies and thumbnails."""
    return folder.startswith(".") or folder.lower() in _SYSTEM_FOLDERS


def _is_special(path: Path) -> bool:
    """Pipes, sockets and devices; what is no such file for other reasons gets its own message later."""
    return os.path.exists(path) and not os.path.isfile(path)


def _task(
    source: Path,
    target: Path,
    settings: BatchSettings,
    naming: Naming,
    *,
    planned: set[Path] | None = None,
    other: Path | None = None,
) -> FileTask:
    """With if_exists = rename the first of name, name_1, name_2, ... of which no output is there.

    `other` is a target that an earlier run may have used.
    """
    task, count, planned = FileTask(source, target, naming.beside(target)), 0, planned or set()
    earlier = [] if other is None else [(other, *naming.beside(other))]
    while settings.if_exists == "rename" and any(path in planned or exists(path) for path in task.outputs):
        if task.target not in planned and exists(task.target):
            earlier.append(task.outputs)
        count += 1
        renamed = target.with_stem(f"{target.stem}_{count}")
        task = FileTask(source, renamed, naming.beside(renamed))
    return replace(task, earlier=tuple(earlier))


def _checked(tasks: list[FileTask]) -> list[FileTask]:
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
                problem = f"{task.source}: would write {output}, as {taken[real_path]} does; use --if-exists rename"
        if problem is None:
            taken |= {os.path.realpath(output): task.source for output in task.outputs}
        result.append(replace(task, problem=problem))
    return result
