"""Run a plan on this machine: decode, enhance and encode overlap, one file after the other in order.

A reader thread is a file ahead and a writer thread a file behind the model, which has all cores.
"""

import hashlib
import os
import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from safelight.errors import OutputError, SafelightError
from safelight.jobs.manifest import Manifest, task_key
from safelight.jobs.plan import Plan, Task
from safelight.jobs.settings import EnhanceSettings
from safelight.picture import Picture, read, read_pages, write
from safelight.runtime import Enhanced, Model, check_plausible

Status = Literal["done", "skipped", "failed"]
_BITS = {"8": 8, "10": 10, "12": 12, "16": 16, "float": 32}


@dataclass
class Outcome:
    """What became of one task."""

    source: str
    status: Status
    outputs: list[str] = field(default_factory=list)
    seconds: float = 0.0
    megapixels: float = 0.0
    warnings: list[str] = field(default_factory=list)
    error: str | None = None


@dataclass
class _Loaded:
    """A task after reading: its pages, or why it goes no further."""

    task: Task
    key: str = ""
    sha256: str = ""
    pages: list[Picture] = field(default_factory=list)
    outcome: Outcome | None = None


def run(
    plan: Plan,
    model: Model,
    settings: EnhanceSettings,
    *,
    workers: int = 1,
    stop_on_error: bool = False,
    on_progress: Callable[[Task, float], None] = lambda task, share: None,
) -> Iterator[Outcome]:
    """Do every task that is not done yet; yields one outcome a task, in order.

    Failures of single files are outcomes. A KeyboardInterrupt lets the files at hand be finished and
    written down first. `workers` files are decoded ahead and encoded behind.
    """
    _prepare(plan)
    manifest = Manifest(plan.folder)
    with ThreadPoolExecutor(workers) as readers, ThreadPoolExecutor(workers) as writers:
        writing: deque[Future[Outcome]] = deque()
        try:
            for loaded in _ahead(readers, plan.tasks, workers, lambda task: _load(task, model, settings, manifest)):
                if loaded.outcome is None:
                    try:
                        results = [_enhance(model, page, loaded.task, settings, on_progress) for page in loaded.pages]
                    except Exception as error:
                        loaded.outcome = _failure(loaded.task, error)
                    else:
                        job = writers.submit(_save, loaded, results, model, settings, manifest)
                        writing.append(job)
                if loaded.outcome is not None:
                    writing.append(_finished(loaded.outcome))
                while len(writing) > workers or (writing and writing[0].done()):
                    outcome = writing.popleft().result()
                    yield outcome
                    if stop_on_error and outcome.status == "failed":
                        return
        finally:
            readers.shutdown(wait=False, cancel_futures=True)
            writers.shutdown(wait=True)
        while writing:
            yield writing.popleft().result()


def _prepare(plan: Plan) -> None:
    """Make the folder and clear away what killed runs left. Raises OutputError."""
    try:
        plan.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{plan.folder}: cannot be made ({error.strerror}); choose another -o") from None
    for folder in {output.parent for task in plan.tasks for output in task.outputs}:
        for part in folder.glob(".*.part") if folder.is_dir() else ():
            owner = re.search(r"\.(\d+)-[0-9a-f]+\.part$", part.name)
            if owner and not _alive(int(owner[1])):
                part.unlink(missing_ok=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _ahead(
    pool: ThreadPoolExecutor, tasks: list[Task], ahead: int, load: Callable[[Task], _Loaded]
) -> Iterator[_Loaded]:
    """Load in threads, at most `ahead` tasks before they are needed."""
    pending: deque[Future[_Loaded]] = deque()
    for task in tasks:
        pending.append(pool.submit(load, task))
        if len(pending) > ahead:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


def _load(task: Task, model: Model, settings: EnhanceSettings, manifest: Manifest) -> _Loaded:
    if task.problem:
        return _Loaded(task, outcome=Outcome(str(task.source), "failed", error=task.problem))
    try:
        sha256 = _hash(task.source)
        key = task_key(sha256, model.session.bundle.sha256, settings.parameters())
        earlier = manifest.outputs_of(key)
        if earlier is not None and (
            settings.if_exists == "rename" or task.target.resolve() in {p.resolve() for p in earlier}
        ):
            return _Loaded(task, outcome=Outcome(str(task.source), "skipped", [str(p) for p in earlier]))
        there = [output for output in task.outputs if output.exists()]
        if there and settings.if_exists == "skip":
            note = f"{there[0]} is there already, of another input or other settings; use --if-exists overwrite"
            return _Loaded(task, outcome=Outcome(str(task.source), "skipped", [str(there[0])], warnings=[note]))
        reader = read_pages if settings.pages == "all" else _read_one
        return _Loaded(task, key, sha256, reader(task.source, settings.max_megapixels))
    except Exception as error:
        return _Loaded(task, outcome=_failure(task, error))


def _read_one(source: Path, max_megapixels: float) -> list[Picture]:
    return [read(source, max_megapixels)]


def _hash(path: Path) -> str:
    """SHA-256 of a file; what cannot be opened is reported by the reader, which knows better why."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


@dataclass
class _Result:
    before: Picture
    after: Enhanced
    seconds: float


def _enhance(
    model: Model, page: Picture, task: Task, settings: EnhanceSettings, on_progress: Callable[[Task, float], None]
) -> _Result:
    began = time.perf_counter()
    one_draw = not settings.samples and bool(settings.temperature)
    after = model.enhance(
        page,
        samples=1 if one_draw else settings.samples,
        seed=settings.seed,
        strength=settings.strength,
        temperature=1.0 if settings.temperature is None else settings.temperature,
        sigma_01=None if settings.sigma is None else settings.sigma / 255,
        uncertainty=settings.uncertainty,
        on_progress=lambda share: on_progress(task, share),
    )
    for picture in (after.mean, *after.samples):
        check_plausible(page, picture, str(task.source))
    return _Result(page, after, time.perf_counter() - began)


def _save(
    loaded: _Loaded, results: list[_Result], model: Model, settings: EnhanceSettings, manifest: Manifest
) -> Outcome:
    task, began = loaded.task, time.perf_counter()
    try:
        task.target.parent.mkdir(parents=True, exist_ok=True)
        warnings = [w for result in results for w in result.before.warnings] + _write_all(
            task, results, model, settings
        )
        seconds = round(sum(r.seconds for r in results) + time.perf_counter() - began, 3)
        megapixels = round(sum(r.before.megapixels for r in results), 3)
        manifest.add(
            loaded.key,
            task.outputs,
            source=str(task.source),
            source_sha256=loaded.sha256,
            model=model.card.name,
            model_sha256=model.session.bundle.sha256,
            parameters=settings.parameters(),
            seconds=seconds,
            warnings=warnings,
        )
    except Exception as error:
        return _failure(task, error)
    return Outcome(str(task.source), "done", [str(o) for o in task.outputs], seconds, megapixels, warnings)


def _write_all(task: Task, results: list[_Result], model: Model, settings: EnhanceSettings) -> list[str]:
    one_draw = not settings.samples and bool(settings.temperature)
    chosen = [result.after.samples[0] if one_draw else result.after.mean for result in results]
    batches = [(task.target, chosen)]
    batches += [(path, [r.after.samples[k] for r in results]) for k, path in enumerate(task.samples)]
    facts = {
        "Model": f"{model.card.name} {model.session.bundle.sha256[:12]}",
        "Strength": f"{settings.strength:g}",
        "Temperature": f"{(settings.temperature or 0) if one_draw else 0:g}",
        "Seed": str(settings.seed),
    }
    warnings: list[str] = []
    for path, pictures in batches:
        deep = [p if settings.depth == "same" else p.with_depth(_BITS[settings.depth]) for p in pictures]
        if path != task.target:
            facts |= {"Temperature": f"{1.0 if settings.temperature is None else settings.temperature:g}"}
        told = write(
            deep,
            path,
            container=None if settings.format == "same" else settings.format,
            metadata=settings.metadata,
            quality=settings.quality,
            provenance=facts if settings.provenance and settings.strength > 0 else None,
        )
        warnings += [w for w in told if w not in warnings]
    if task.uncertainty is not None:
        maps = [
            np.sqrt(np.mean(np.square(r.after.std), axis=2, keepdims=True)) for r in results if r.after.std is not None
        ]
        write([Picture(m.astype(np.float32)) for m in maps], task.uncertainty)
    return warnings


def _failure(task: Task, error: Exception) -> Outcome:
    """A file's error as one line; what nobody foresaw is named as such."""
    if os.environ.get("SAFELIGHT_DEBUG"):
        raise error
    if isinstance(error, SafelightError):
        text = str(error)
    elif isinstance(error, MemoryError):
        text = f"{task.source}: not enough memory; close other programs or split the picture"
    elif isinstance(error, OSError):
        text = f"{task.source}: {error.filename or ''} {error.strerror or error}; check the folder and the disk"
    else:
        text = f"{task.source}: internal error ({type(error).__name__}: {error}); please report it"
    return Outcome(str(task.source), "failed", error=" ".join(text.split()))


def _finished(outcome: Outcome) -> Future[Outcome]:
    future: Future[Outcome] = Future()
    future.set_result(outcome)
    return future
