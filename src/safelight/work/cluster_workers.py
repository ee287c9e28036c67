"""The workers of a cluster: Ray is asked for them here, and nowhere else."""

import logging
import os
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from safelight.errors import DeviceError, RefusedError, UsageError

CLIENT = "ray://"
ANSWERS_S, LOOKED_S, BEGINS_S = 10, 2.0, 60
"""How long a head may take to answer, how often the size of the cluster is looked at, and how long a worker that begins
is waited for. One that takes longer waits for a place that somebody else has.
"""


_connected: list[str] = []
"""What this process has connected to by itself."""


def connect(address: str) -> Any:
    """The module ray, connected. Raises RefusedError if it is not installed, DeviceError, UsageError."""
    try:
        ray: Any = import_module("ray")
    except ModuleNotFoundError:
        raise RefusedError("--engine ray needs Ray; see docs/cluster.md for how to install it") from None
    if address != "ray" and not address.startswith(CLIENT):
        raise UsageError(f"engine '{address}': use local, ray, or {CLIENT}HOST:PORT")
    named = os.environ.get("RAY_ADDRESS", "auto") if address == "ray" else address
    if named not in ("auto", "local"):
        _check_answers(named)
    if ray.is_initialized():
        if _connected and _connected[0] != named:
            raise UsageError(f"this process uses the cluster {_connected[0]} already; use {named} in another process")
        return ray
    logging.getLogger("ray").setLevel(logging.CRITICAL)  # lost workers are told in the outcomes
    quiet: dict[str, Any] = {"logging_level": "CRITICAL"} | ({"log_to_driver": False} if address == "ray" else {})
    try:
        ray.init(named, **quiet)
        _connected[:] = [named]
    except (ConnectionError, RuntimeError, ValueError) as error:
        if named != "auto" or not isinstance(error, ConnectionError):
            line = str(error).splitlines()[0]
            raise DeviceError(f"{named}: the cluster cannot be used ({line}); see docs/cluster.md") from None
        ray.init("local", include_dashboard=False, **quiet)  # there is none on this machine yet
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
class Chunk:
    """Tasks that travel together: (number, task)."""

    tasks: list[tuple[int, Any]]
    deaths: int = 0
    """Of workers that had it, on nodes that live; and nodes that were not fit for it."""
    avoids: str | None = None
    """A node that was not fit for it."""
    why: str = ""
    worker: "Worker | None" = None


@dataclass(eq=False)
class Worker:
    """An actor, as the driver sees it."""

    actor: Any
    node: str | None = None
    """Where it runs, once it is ready."""
    chunks: deque["Chunk"] = field(default_factory=deque)
    """On their way to it."""


@dataclass
class Pool:
    """As many workers as the cluster has room for."""

    address: str
    prepare: Callable[..., None]
    arguments: tuple[Any, ...]
    cpus: int
    """Of each worker."""
    workers: list[Worker] = field(default_factory=list)
    beginning: dict[Any, Worker] = field(default_factory=dict)
    """By the reference that says when it is ready."""
    looked: float = -LOOKED_S
    began: float = -BEGINS_S
    """When the last worker was asked for."""

    def __post_init__(self) -> None:
        ray = connect(self.address)
        self._make = ray.remote(Actor).options(num_cpus=self.cpus, max_restarts=0)

    def grow(self) -> None:
        """Begin a worker for each place that is free in the cluster."""
        if time.monotonic() - self.looked < LOOKED_S:
            return
        self.looked = time.monotonic()
        ray = connect(self.address)
        places = max(1, int(ray.cluster_resources().get("CPU", 1)) // self.cpus)
        for _ in range(places - len(self.workers) - len(self.beginning)):
            worker = Worker(self._make.remote(self.prepare, self.arguments))
            self.beginning[worker.actor.begun.remote()] = worker
            self.began = time.monotonic()

    def may_grow(self) -> bool:
        """Whether a worker may soon be ready."""
        return bool(self.beginning) and time.monotonic() - self.began < BEGINS_S

    def drop(self, worker: Worker) -> bool:
        """Forget a worker that died. Returns whether its node was lost with it."""
        if worker in self.workers:
            self.workers.remove(worker)
        self.looked = -LOOKED_S
        alive = {node["NodeID"] for node in connect(self.address).nodes() if node["Alive"]}
        return worker.node not in alive

    def close(self) -> None:
        """End all workers."""
        ray = connect(self.address)
        for worker in [*self.workers, *self.beginning.values()]:
            ray.kill(worker.actor)


class Actor:
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
