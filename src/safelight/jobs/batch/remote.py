"""A batch on a cluster: what a worker does with each file, and which engine a batch runs on.

The driver plans, hashes the inputs and writes the manifest. A worker loads the model once, and then reads, works and
writes file by file. Tasks carry paths, not pixels: inputs, outputs and the model lie where all nodes find them.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from safelight import __version__
from safelight.errors import RefusedError, shown
from safelight.jobs.batch.outcome import reason_of
from safelight.jobs.batch.plan import FileTask
from safelight.picture.vips import without_operation_cache
from safelight.work import Ray

ENGINE, LOCAL = "SAFELIGHT_ENGINE", "local"
MODELS = "SAFELIGHT_MODELS"


class Driver(NamedTuple):
    """What must be the same in every worker."""

    version: str
    model_sha256: str
    parameters: dict[str, object]
    folder: Path
    """Where relative paths begin."""
    models: str | None
    """The variable SAFELIGHT_MODELS."""


def engine_of(settings: Any, steps: Any, make: Callable[[Any], Any], **fixed: object) -> Ray | None:
    """None for this machine alone. `make(settings)` makes the steps in a worker, with what is `fixed` for all of them.

    A worker has one core, or as many as `settings.threads` says.
    """
    name = settings.engine or os.environ.get(ENGINE) or LOCAL
    if name == LOCAL:
        return None
    cpus = settings.threads or 1
    driver = Driver(
        version=__version__,
        model_sha256=steps.model_sha256,
        parameters=steps.parameters(),
        folder=Path.cwd(),
        models=os.environ.get(MODELS),
    )
    chosen = settings.model_copy(update={"threads": cpus, **fixed})

    def on_lost(task: FileTask, why: str) -> Done:
        reason = (
            f"{shown(task.source)}: its worker died twice ({why}); look at the file, and at the memory of the nodes"
        )
        return Done(steps.outcome(source=shown(task.source), status="failed", error=reason), is_saving=True)

    return Ray(name, open_worker, (make, chosen, driver), on_lost, cpus=cpus)


_steps: list[Any] = []
"""In a worker: what is done to each file."""


def open_worker(make: Callable[[Any], Any], settings: Any, driver: Driver) -> None:
    """Before the first file. Raises RefusedError for a node that would make other results, or cannot see the files."""
    if __version__ != driver.version:
        raise RefusedError(f"a node has Safelight {__version__}, and the driver has {driver.version}; install the same")
    if driver.models is not None:
        os.environ[MODELS] = driver.models
    if not driver.folder.is_dir():
        raise RefusedError(f"{driver.folder}: is not there on a node; use a folder that all nodes share")
    os.chdir(driver.folder)
    steps = make(settings)
    if steps.model_sha256 != driver.model_sha256:
        raise RefusedError("a node has another model of that name; give all nodes the same bundle")
    if steps.parameters() != driver.parameters:
        raise RefusedError("a node would compute with other parameters (another kind of processor?); set --precision")
    _steps[:] = [steps]


class Done(NamedTuple):
    """What became of a file in a worker."""

    outcome: Any
    is_saving: bool
    """Whether files may have been written."""


def do(task: FileTask) -> Done:
    """One file in a worker. A failure is an outcome, too."""
    steps, is_saving = _steps[0], False
    try:
        with without_operation_cache():
            made = steps.check(task, steps.work(task, steps.load(task), lambda share: None))
            is_saving = True
            return Done(steps.save(task, made), is_saving)
    except Exception as error:
        reason = reason_of(task.source, error)
        return Done(steps.outcome(source=shown(task.source), status="failed", error=reason), is_saving)
