"""A task whose files lie on object storage, done on this machine's disk."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from safelight.errors import SafelightError, shown
from safelight.jobs.batch.outcome import OutcomeT
from safelight.jobs.batch.plan import FileTask
from safelight.work.storage import download, is_stored, look, remove, upload


@contextmanager
def on_disk(task: FileTask) -> Iterator[FileTask]:
    """The task with its input on disk. What it writes is uploaded at the end of the block, the target last.

    Raises PictureError and OutputError of storage, and what the block raises, with the names of the stored files.
    """
    if not any(map(is_stored, (task.source, *task.outputs))):
        yield task
        return
    with tempfile.TemporaryDirectory(prefix="safelight-") as home:
        here = _moved(task, Path(home))
        try:
            if here.source != task.source:
                download(task.source, here.source)
            yield here
        except SafelightError as error:
            raise type(error)(_renamed(str(error), task, here)) from None
        _upload_all(here, task)


def _upload_all(here: FileTask, task: FileTask) -> None:
    """All of them, or none that was not there before. Raises OutputError."""
    fresh: list[Path] = []
    try:
        for written, output in reversed([*zip(here.outputs, task.outputs, strict=True)]):
            if written != output:
                fresh += [output] if look(output) is None else []
                upload(written, output)
    except BaseException:
        for output in fresh:
            remove(output)
        raise


def named_as(task: FileTask, outcome: OutcomeT) -> OutcomeT:
    """The record of what became of a task on disk, with the names of its stored files."""
    outcome.source, outcome.outputs = shown(task.source), [shown(path) for path in task.outputs]
    return outcome


def _moved(task: FileTask, home: Path) -> FileTask:
    """What is stored, in two folders of its own."""

    def at(path: Path, folder: str) -> Path:
        if not is_stored(path):
            return path
        (home / folder).mkdir(exist_ok=True)
        return home / folder / path.name

    target, *beside = (at(path, "out") for path in task.outputs)
    return replace(task, source=at(task.source, "in"), target=target, beside=tuple(beside))


def _renamed(words: str, task: FileTask, here: FileTask) -> str:
    for local, path in zip((here.source, *here.outputs), (task.source, *task.outputs), strict=True):
        words = words.replace(str(local), shown(path))
    return words
