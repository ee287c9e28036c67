"""Variants made by other processes: of this machine, or of a cluster. Each opens the set and the model once."""

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

from safelight.augmentation import Bank
from safelight.errors import RefusedError, shown
from safelight.jobs.augment.make import Variant, make_variants
from safelight.jobs.augment.plan import VariantTask
from safelight.jobs.augment.prepare import Prepared, prepare
from safelight.jobs.augment.request import Request
from safelight.jobs.augment.results import Results
from safelight.jobs.augment.write import Written, write_variant
from safelight.work import Ray, clear_leftovers, json_sha256
from safelight.work.nodes import Driver, check_model

AT_ONCE_BY_WORKER = 16
"""Variants that a worker makes together: few, since a chunk that is interrupted on its way is made again."""


def in_chunks(tasks: Sequence[VariantTask], most: int) -> list[Sequence[VariantTask]]:
    """As they come, so many together."""
    return [tasks[k : k + most] for k in range(0, len(tasks), most)]


def write_variants(prepared: Prepared, tasks: Sequence[VariantTask], folder: Path) -> Iterator[Written]:
    """Make them together, and write one after another. Raises what `make_variants` and `write_variant` raise."""
    for variant in make_variants(prepared, tasks):
        yield write_variant(prepared, variant, folder)


_worker: list[tuple[Prepared, Path]] = []
"""In a worker: what it makes variants with, and where to."""


def open_worker(request: Request, bank: Bank | None, folder: Path) -> None:
    """Before the first variant."""
    _worker[:] = [(prepare(request, bank), folder)]


def written_by_worker(tasks: Sequence[VariantTask]) -> list[Written]:
    """A chunk."""
    prepared, folder = _worker[0]
    return list(write_variants(prepared, tasks, folder))


def made_on_cluster(results: Results, tasks: Sequence[VariantTask], address: str) -> Generator[list[Written]]:
    """Chunk by chunk. A chunk whose worker died twice is made again one by one, so that one variant alone has failed.

    Raises RefusedError for a node that would make other variants, and DeviceError.
    """
    prepared, lost = results.prepared, list[VariantTask]()

    def on_late(chunk: list[Written]) -> None:
        for one in chunk:
            results.add(one)

    def on_lost(chunk: Sequence[VariantTask], why: str) -> list[Written]:
        if len(chunk) > 1:
            lost.extend(chunk)
            return []
        failure = f"{prepared.pictures.names[chunk[0].key.picture]}: {why}"
        return [write_variant(prepared, Variant(chunk[0], failure=failure), results.folder)]

    driver = Driver.here()
    arguments = prepared.request, prepared.bank, results.folder, driver, _identity(prepared)
    engine = Ray(address, _open_on_node, arguments, on_lost, cpus=prepared.request.threads)
    try:
        yield from engine.map(written_by_worker, in_chunks(tasks, AT_ONCE_BY_WORKER), on_late)
        yield from engine.map(written_by_worker, in_chunks(lost, 1), on_late)
    finally:
        clear_leftovers(results.folder, recursive=True, run=driver.run)  # what lost workers left


def _open_on_node(request: Request, bank: Bank | None, folder: Path, driver: Driver, identity: list[str]) -> None:
    """Raises RefusedError for another version, model or set, and a node that does not see the folders."""
    driver.enter()
    open_worker(request, bank, folder)
    names, model = _identity(_worker[0][0])
    check_model(model, identity[1])
    if names != identity[0]:
        name = shown(request.dataset)
        raise RefusedError(f"{name}: has other pictures or labels on a node; use one folder for all nodes")
    if not folder.is_dir():
        raise RefusedError(f"{folder}: is not there on a node; use a folder that all nodes share")


def _identity(prepared: Prepared) -> list[str]:
    """Of the names and labels of the set, and of the model: equal on all nodes."""
    pictures = prepared.pictures
    labels = [pictures.label(number) for number in range(len(pictures.names))]
    model = "" if prepared.space is None else prepared.space.vae.bundle.sha256
    return [json_sha256([list(pictures.names), labels]), model]
