"""One task from file to files: load, enhance, save. Each step ends in an outcome or hands on."""

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from safelight.errors import SafelightError, shown
from safelight.jobs.enhance.manifest import Manifest, task_key
from safelight.jobs.enhance.plan import Task
from safelight.jobs.enhance.settings import EnhanceSettings
from safelight.picture import SUFFIXES, Picture, read, read_pages, write
from safelight.runtime.restore import Restored, Restorer, check_plausible

Status = Literal["done", "skipped", "failed"]
OUTSIDE = "outside what this model was trained on (anomaly {anomaly:.2f}, limit 1): look before you rely on it"
_BITS = {"8": 8, "10": 10, "12": 12, "16": 16, "float": 32}


@dataclass
class Outcome:
    """What became of one task."""

    source: str
    status: Status
    outputs: list[str] = field(default_factory=list)
    seconds: float = 0.0
    megapixels: float = 0.0
    anomaly: float | None = None
    """How far the picture is from what the model was trained on, 1 at the limit; of several pages the farthest."""
    expert: str | None = None
    """Which of the model's experts restored it, or its first page."""
    precision: str | None = None
    """What the mean was computed in."""
    warnings: list[str] = field(default_factory=list)
    error: str | None = None


@dataclass
class Loaded:
    """A task after reading: its pages, or why it goes no further."""

    task: Task
    key: str = ""
    sha256: str = ""
    pages: list[Picture] = field(default_factory=list)
    outcome: Outcome | None = None


def load(task: Task, model: Restorer, settings: EnhanceSettings, manifest: Manifest) -> Loaded:
    """Read the input, unless its results are there already or something is in the way."""
    if task.problem:
        return Loaded(task, outcome=Outcome(shown(task.source), "failed", error=task.problem))
    try:
        sha256 = _hash(task.source)
        key = task_key(sha256, model.networks.bundle.sha256, _parameters(model, settings))
        for outputs in (task.outputs, *((path,) for path in task.earlier)):
            if manifest.done(key, outputs):
                return Loaded(task, outcome=Outcome(shown(task.source), "skipped", [shown(p) for p in outputs]))
        in_the_way = [p for p in task.outputs if os.path.lexists(p) and not manifest.begun(key, p)]
        if in_the_way and settings.if_exists == "skip":
            name = shown(in_the_way[0])
            note = f"{name} is there already, of another input or other settings; use --if-exists overwrite"
            return Loaded(task, outcome=Outcome(shown(task.source), "skipped", [name], warnings=[note]))
        reader = read_pages if settings.pages == "all" else _read_one
        return Loaded(task, key, sha256, reader(task.source, settings.max_megapixels))
    except Exception as error:
        return Loaded(task, outcome=failure(task, error))


def _parameters(model: Restorer, settings: EnhanceSettings) -> dict[str, object]:
    """What the result depends on; `auto` is what it means on this machine."""
    scale = settings.uncertainty or settings.samples > 0 or _one_draw(settings)
    return settings.parameters() | {"precision": model.networks.precision_of_mean(scale)}


def _read_one(source: Path, max_megapixels: float) -> list[Picture]:
    return [read(source, max_megapixels)]


def _hash(path: Path) -> str:
    """SHA-256 of a file; what cannot be opened is reported by the reader, which knows better why."""
    try:
        if not os.path.isfile(path):
            return ""
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


@dataclass
class Result:
    """One page before and after."""

    before: Picture
    after: Restored
    seconds: float


def enhance(
    model: Restorer, page: Picture, task: Task, settings: EnhanceSettings, on_progress: Callable[[Task, float], None]
) -> Result:
    """Restore one page; raises OutputError for an implausible result."""
    began = time.perf_counter()
    after = model.enhance(
        page,
        samples=1 if _one_draw(settings) else settings.samples,
        seed=settings.seed,
        strength=settings.strength,
        temperature=1.0 if settings.temperature is None else settings.temperature,
        sigma_01=None if settings.sigma is None else settings.sigma / 255,
        uncertainty=settings.uncertainty,
        on_progress=lambda now: on_progress(task, now.done / now.total),
    )
    for picture in (after.mean, *after.samples):
        check_plausible(page, picture, shown(task.source))
    if settings.operations:
        from safelight.augment.edit import edit  # OpenCV is an extra

        mean, *samples = (edit(picture, settings.operations, settings.seed) for picture in (after.mean, *after.samples))
        after = replace(after, mean=mean, samples=tuple(samples))
    return Result(page, after, time.perf_counter() - began)


def save(
    loaded: Loaded, results: list[Result], model: Restorer, settings: EnhanceSettings, manifest: Manifest
) -> Outcome:
    """Write all outputs and then the line in the manifest."""
    task, began = loaded.task, time.perf_counter()
    try:
        task.target.parent.mkdir(parents=True, exist_ok=True)
        manifest.begin(loaded.key, task.outputs)
        anomaly = max((r.after.ood_score for r in results if r.after.ood_score is not None), default=None)
        warnings = [*_read_warnings(loaded, settings), *_write_all(task, results, model, settings)]
        if any(r.after.out_of_distribution for r in results):
            warnings.append(OUTSIDE.format(ood_score=anomaly))
        seconds = round(sum(r.seconds for r in results) + time.perf_counter() - began, 3)
        megapixels = round(sum(r.before.megapixels for r in results), 3)
        expert, precision = results[0].after.expert, results[0].after.precision
        manifest.finish(
            loaded.key,
            task.outputs,
            source=shown(task.source),
            source_sha256=loaded.sha256,
            model=model.card.name,
            model_sha256=model.networks.bundle.sha256,
            parameters=_parameters(model, settings),
            seconds=seconds,
            ood_score=anomaly,
            expert=expert,
            precision=precision,
            warnings=warnings,
        )
    except Exception as error:
        return failure(task, error)
    outputs = [shown(output) for output in task.outputs]
    return Outcome(shown(task.source), "done", outputs, seconds, megapixels, anomaly, expert, precision, warnings)


def _read_warnings(loaded: Loaded, settings: EnhanceSettings) -> list[str]:
    """What a person should know about the input."""
    warnings = list(dict.fromkeys(w for page in loaded.pages for w in page.warnings))
    suffix = loaded.task.source.suffix.lower()
    meant, is_a = SUFFIXES.get(suffix), loaded.pages[0].format
    if settings.format == "same" and meant not in (None, is_a):
        warnings.append(f"is a {is_a} named {suffix}; written as {meant}")
    return warnings


def _write_all(task: Task, results: list[Result], model: Restorer, settings: EnhanceSettings) -> list[str]:
    """Every output of a task, or none that was not there before. Returns warnings."""
    one_draw = _one_draw(settings)
    warnings: list[str] = []
    fresh = [path for path in task.outputs if not os.path.lexists(path)]
    container = None if settings.format == "same" else settings.format
    batches = [(task.target, [r.after.samples[0] if one_draw else r.after.mean for r in results], one_draw)]
    batches += [(path, [r.after.samples[k] for r in results], True) for k, path in enumerate(task.samples)]
    try:
        for path, pictures, drawn in batches:
            told = write(
                [p if settings.depth == "same" else p.with_depth(_BITS[settings.depth]) for p in pictures],
                path,
                container=container,
                metadata=settings.metadata,
                quality=settings.quality,
                provenance=_provenance(model, settings, drawn),
            )
            warnings += [w for w in told if w not in warnings]
        if task.uncertainty is not None:
            write([Picture(_rms(r.after.std)) for r in results if r.after.std is not None], task.uncertainty)
    except Exception:
        for path in fresh:
            path.unlink(missing_ok=True)
        raise
    return warnings


def _one_draw(settings: EnhanceSettings) -> bool:
    """Whether the result is a draw instead of the mean."""
    return not settings.samples and bool(settings.temperature)


def _provenance(model: Restorer, settings: EnhanceSettings, drawn: bool) -> dict[str, str] | None:
    """What the XMP says; nothing if nothing was done."""
    if not settings.provenance or (settings.strength == 0 and not settings.operations):
        return None
    temperature = 1.0 if settings.temperature is None else settings.temperature
    return {
        "Model": f"{model.card.name} {model.networks.bundle.sha256[:12]}",
        "Strength": f"{settings.strength:g}",
        "Temperature": f"{temperature if drawn else 0:g}",
        "Seed": str(settings.seed),
        **({"Operations": " ".join(settings.operations)} if settings.operations else {}),
    }


def _rms(std: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H, W, C) → (H, W, 1): root mean square over the channels."""
    mean_square: NDArray[np.float32] = np.mean(np.square(std), axis=2, keepdims=True)
    return np.sqrt(mean_square)


def failure(task: Task, error: Exception) -> Outcome:
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
    return Outcome(shown(task.source), "failed", error=" ".join(text.split()))
