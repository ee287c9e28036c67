"""The engine of many machines: Ray. The same protocol, and the same results, as on one machine.

Each worker is a process (an actor) that has loaded what all tasks need. There are as many workers as the cluster has
room for: new ones begin when nodes join, and those of lost nodes are replaced.

    driver   tasks in order ──► chunks ──► workers ──► results, put in order again
                  ▲                │
                  └── again ◄──────┘  of a worker that died: of a lost node as often as needed, else once, task by task

Small tasks travel in chunks that take about a second, so that sending costs little. A bounded number is in flight.
"""

import logging
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from itertools import chain, islice
from typing import Any

from safelight.errors import DeviceError, RefusedError, UsageError
from safelight.work.engine import Result, Task, ignore

CLIENT = "ray://"
ANSWERS_S = 10
CHUNK_S, MOST_IN_CHUNK = 1.0, 64
"""A chunk is made so large that it takes about so long."""
CHUNKS_AHEAD = 2
"""For each worker: one that it works on, and one that waits for it."""
LOOKED_S, WAITED_S = 2.0, 0.5
"""How often the size of the cluster is looked at, and how long results are waited for at a time."""
MOST_DEATHS = 2
"""A task whose worker dies so often is given up, unless nodes were lost."""


@dataclass
class Ray:
    """Workers on a cluster.

    `prepare` runs once in each worker, with `arguments`; what it raises there is raised here. `on_lost` makes the
    result of a task that was given up. `cpus` are reserved for each worker.
    """

    address: str
    """`ray`: the cluster of RAY_ADDRESS or of this machine, else a new one here; or ray://HOST:PORT."""
    prepare: Callable[..., None]
    arguments: tuple[Any, ...]
    on_lost: Callable[[Any, str], Any]
    cpus: int = 1

    def map(
        self, function: Callable[[Task], Result], tasks: Iterable[Task], on_late: Callable[[Result], None] = ignore
    ) -> Generator[Result]:
        """See `Engine.map`. Raises DeviceError for a cluster that cannot be reached."""
        rest = iter(tasks)
        first = list(islice(rest, 1))
        if not first:  # no cluster is needed for nothing
            return
        run = _Run(self, function, chain(first, rest))
        try:
            yield from run.results()
        finally:
            if isinstance(tasks, Generator):
                tasks.close()  # first, so that whoever makes the tasks knows that no more are wanted
            for result in run.late():
                on_late(result)
            run.pool.close()


def connect(address: str) -> Any:
    """The module ray, connected. Raises RefusedError if it is not installed, DeviceError, UsageError."""
    try:
        ray: Any = import_module("ray")
    except ModuleNotFoundError:
        raise RefusedError("--engine ray needs Ray; see docs/cluster.md for how to install it") from None
    if address.startswith(CLIENT):
        _check_answers(address)
    elif address != "ray":
        raise UsageError(f"engine '{address}': use local, ray, or {CLIENT}HOST:PORT")
    if ray.is_initialized():
        return ray
    logging.getLogger("ray").setLevel(logging.CRITICAL)  # lost workers are told in the outcomes
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "CRITICAL"}
    if address != "ray":
        ray.init(address, logging_level="CRITICAL")
        return ray
    try:
        ray.init(os.environ.get("RAY_ADDRESS", "auto"), **quiet)
    except ConnectionError:
        ray.init(include_dashboard=False, **quiet)
    return ray


def _check_answers(address: str) -> None:
    """Ray itself would try for half a minute. Raises DeviceError, and UsageError for what is no address."""
    host, _, port = address.removeprefix(CLIENT).rpartition(":")
    if not host or not port.isdigit():
        raise UsageError(f"engine '{address}': give host and port, such as {CLIENT}head:10001")
    try:
        socket.create_connection((host, int(port)), ANSWERS_S).close()
    except (OSError, OverflowError) as error:
        raise DeviceError(f"{address}: no cluster answers ({error}); is its head running?") from None


@dataclass(eq=False)
class _Chunk:
    """Tasks that travel together: (number, task)."""

    tasks: list[tuple[int, Any]]
    deaths: int = 0
    """Of workers that were at it, on nodes that live."""
    worker: "_Worker | None" = None


@dataclass(eq=False)
class _Worker:
    """An actor, as the driver sees it."""

    actor: Any
    node: str | None = None
    """Where it runs, once it is ready."""
    chunks: deque["_Chunk"] = field(default_factory=deque)
    """On their way to it; it works on the first."""


@dataclass
class _Pool:
    """As many workers as the cluster has room for."""

    engine: Ray
    workers: list[_Worker] = field(default_factory=list)
    beginning: dict[Any, _Worker] = field(default_factory=dict)
    """By the reference that says when it is ready."""
    looked: float = -LOOKED_S

    def __post_init__(self) -> None:
        ray = connect(self.engine.address)
        self._make = ray.remote(_Actor).options(num_cpus=self.engine.cpus, max_restarts=0)

    def grow(self) -> None:
        """Begin a worker for each place that is free in the cluster."""
        if time.monotonic() - self.looked < LOOKED_S:
            return
        self.looked = time.monotonic()
        ray = connect(self.engine.address)
        places = max(1, int(ray.cluster_resources().get("CPU", 1)) // self.engine.cpus)
        for _ in range(places - len(self.workers) - len(self.beginning)):
            worker = _Worker(self._make.remote(self.engine.prepare, self.engine.arguments))
            self.beginning[worker.actor.begun.remote()] = worker

    def drop(self, worker: _Worker) -> bool:
        """Forget a worker that died. Returns whether its node was lost with it."""
        if worker in self.workers:
            self.workers.remove(worker)
        self.looked = -LOOKED_S
        alive = {node["NodeID"] for node in connect(self.engine.address).nodes() if node["Alive"]}
        return worker.node not in alive

    def close(self) -> None:
        """End all workers."""
        ray = connect(self.engine.address)
        for worker in [*self.workers, *self.beginning.values()]:
            ray.kill(worker.actor)


class _Actor:
    """In a worker's process."""

    def __init__(self, prepare: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        self._refusal: Exception | None = None
        try:
            prepare(*arguments)
        except Exception as error:  # Ray would tell its words alone
            self._refusal = error

    def begun(self) -> tuple[str, Exception | None]:
        """The id of the node that it runs on, and what `prepare` raised."""
        return str(import_module("ray").get_runtime_context().get_node_id()), self._refusal

    def do(self, function: Callable[[Any], Any], tasks: list[Any]) -> tuple[list[tuple[bool, Any]], float]:
        """For each task whether it went well, and its result or what it raised; and the seconds for all."""
        began = time.perf_counter()
        results: list[tuple[bool, Any]] = []
        for task in tasks:
            try:
                results.append((True, function(task)))
            except Exception as error:
                results.append((False, error))
        return results, time.perf_counter() - began


class _Run:
    """One call of `map`."""

    def __init__(self, engine: Ray, function: Callable[[Any], Any], tasks: Iterator[Any]) -> None:
        self.ray, self.engine = connect(engine.address), engine
        self.pool, self.function = _Pool(engine), function
        self.tasks = enumerate(tasks)
        self.again: deque[_Chunk] = deque()
        self.in_flight: dict[Any, _Chunk] = {}
        self.done: dict[int, tuple[bool, Any]] = {}
        self.next, self.sent, self.all_sent = 0, 0, False
        self.chunk_size = 1

    def results(self) -> Iterator[Any]:
        """In order. Raises what the function raises, and what `prepare` raises in a worker."""
        while True:
            self.pool.grow()
            self._send()
            while self.next in self.done:
                is_well, result = self.done.pop(self.next)
                self.next += 1
                if not is_well:
                    raise result
                yield result
            if self.all_sent and self.next == self.sent:
                return
            self._wait()

    def late(self) -> Iterator[Any]:
        """Results of what is in flight, when no more are wanted."""
        self.all_sent = True
        self.again.clear()
        while self.in_flight:
            self._wait()
            self.again.clear()
        for _, (is_well, result) in sorted(self.done.items()):
            if is_well:
                yield result

    def _send(self) -> None:
        """To every worker that has too little to do."""
        for worker in sorted(self.pool.workers, key=lambda one: len(one.chunks)):
            while len(worker.chunks) < CHUNKS_AHEAD:
                chunk = self._chunk()
                if chunk is None:
                    return
                chunk.worker = worker
                worker.chunks.append(chunk)
                reference = worker.actor.do.remote(self.function, [task for _, task in chunk.tasks])
                self.in_flight[reference] = chunk

    def _chunk(self) -> _Chunk | None:
        """The next one: first what must be done again. None if there is none, or too much waits for one result."""
        if self.again:
            return self.again.popleft()
        ahead = CHUNKS_AHEAD * (1 + len(self.pool.workers)) * MOST_IN_CHUNK
        if self.all_sent or self.sent - self.next > ahead:
            return None
        tasks = list(islice(self.tasks, self.chunk_size))
        self.sent += len(tasks)
        self.all_sent = len(tasks) < self.chunk_size
        return _Chunk(tasks) if tasks else None

    def _wait(self) -> None:
        """For the next result, or for a worker that is ready."""
        waiting = [*self.in_flight, *self.pool.beginning]
        if not waiting:
            time.sleep(WAITED_S)
            return
        ready, _ = self.ray.wait(waiting, timeout=WAITED_S)
        for reference in ready:
            if reference in self.in_flight:
                self._take(reference, self.in_flight.pop(reference))
            else:
                self._welcome(reference, self.pool.beginning.pop(reference))

    def _welcome(self, reference: Any, worker: _Worker) -> None:
        """A worker that is ready; one that died as it began is begun again. Raises what `prepare` raised."""
        try:
            worker.node, refusal = self.ray.get(reference)
        except self.ray.exceptions.RayError:
            self.pool.drop(worker)
            return
        self.pool.workers.append(worker)
        if refusal is not None:
            raise refusal

    def _take(self, reference: Any, chunk: _Chunk) -> None:
        worker = chunk.worker
        assert worker is not None
        try:
            results, seconds = self.ray.get(reference)
        except self.ray.exceptions.RayError as error:
            self._died(chunk, worker, str(error).splitlines()[0])
            return
        worker.chunks.remove(chunk)
        self.done |= {number: result for (number, _), result in zip(chunk.tasks, results, strict=True)}
        fits = round(CHUNK_S * len(chunk.tasks) / max(seconds, 1e-3))
        self.chunk_size = max(1, min(MOST_IN_CHUNK, fits, 2 * self.chunk_size))

    def _died(self, chunk: _Chunk, worker: _Worker, why: str) -> None:
        """All that was on its way to a worker is done again, task by task; the first chunk may be what it died of."""
        lost_node = self.pool.drop(worker)
        deaths = chunk.deaths + (worker.chunks[0] is chunk and not lost_node)
        if len(chunk.tasks) == 1 and deaths >= MOST_DEATHS:
            number, task = chunk.tasks[0]
            self.done[number] = True, self.engine.on_lost(task, why)
        else:
            self.again.extend(_Chunk([one], deaths) for one in chunk.tasks)
