"""A batch on a cluster: what a worker does with each file, and which engine a batch runs on.

The driver plans, hashes the inputs and writes the manifest. A worker loads the model once, and then reads, works and
writes file by file. Tasks carry paths, not pixels: inputs, outputs and the model lie where all nodes find them.
"""

import errno
from collections.abc import Callable
from typing import Any, NamedTuple

from safelight.errors import RefusedError, UnfitNodeError, shown
from safelight.jobs.batch.outcome import reason_of
from safelight.jobs.batch.plan import FileTask
from safelight.jobs.batch.staging import named_as, on_disk
from safelight.picture.vips import without_operation_cache
from safelight.work import Ray
from safelight.work.nodes import Driver, check_model, cluster_address


class Expected(NamedTuple):
    """What the steps of every worker must be like."""

    model_sha256: str
    parameters: dict[str, object]


def engine_of(settings: Any, steps: Any, make: Callable[[Any], Any], **fixed: object) -> Ray | None:
    """None for this machine alone. `make(settings)` makes the steps in a worker, with what is `fixed` for all of them.

    A worker has one core, or as many as `settings.threads` says.
    """
    address = cluster_address(settings.engine)
    if address is None:
        return None
    cpus = settings.threads or 1
    chosen = settings.model_copy(update={"threads": cpus, **fixed})
    expected = Expected(steps.model_sha256, steps.parameters())

    def on_lost(task: FileTask, why: str) -> Done:
        reason = why if why.startswith(shown(task.source)) else f"{shown(task.source)}: {why}"
        return Done(steps.outcome(source=shown(task.source), status="failed", error=reason), is_saving=True)

    driver = Driver.here()
    return Ray(address, open_worker, (make, chosen, driver, expected), on_lost, cpus=cpus, run=driver.run)


_steps: list[Any] = []
"""In a worker: what is done to each file."""


def open_worker(make: Callable[[Any], Any], settings: Any, driver: Driver, expected: Expected) -> None:
    """Before the first file. Raises RefusedError for a node that would make other results, or cannot see the files."""
    driver.enter()
    steps = make(settings)
    check_model(steps.model_sha256, expected.model_sha256)
    if steps.parameters() != expected.parameters:
        raise RefusedError("a node would compute with other parameters (another kind of processor?); set --precision")
    _steps[:] = [steps]


class Done(NamedTuple):
    """What became of a file in a worker."""

    outcome: Any
    is_saving: bool
    """Whether files may have been written."""


def do(task: FileTask) -> Done:
    """One file in a worker. A failure is an outcome, too. Raises UnfitNodeError where the disk of the node is full."""
    steps, is_saving = _steps[0], False
    try:
        with without_operation_cache(), on_disk(task) as here:
            made = steps.check(here, steps.work(here, steps.load(here), lambda share: None))
            is_saving = True
            outcome = named_as(task, steps.save(here, made))
        return Done(outcome, is_saving)
    except Exception as error:
        reason = reason_of(task.source, error)
        if _is_for_want_of_room(error):
            raise UnfitNodeError(reason) from None
        return Done(steps.outcome(source=shown(task.source), status="failed", error=reason), is_saving)


def _is_for_want_of_room(error: BaseException | None) -> bool:
    """Whether it, or what it was raised for, is a full disk."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__ or error.__context__
    return False
