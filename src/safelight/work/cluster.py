"""The engine of many machines: Ray. The same protocol, and the same results, as on one machine.

Each worker is a process (an actor) that has loaded what all tasks need. There are as many workers as the cluster has
room for: new ones begin when nodes join, and those of lost nodes are replaced.

    driver   tasks in order ──► chunks ──► workers ──► results, put in order again
                  ▲                │
                  └── again ◄──────┘  of a worker that died: of a lost node as often as needed, else once, task by task

Small tasks travel in chunks that take about a second, so that sending costs little. A bounded number is in flight.
"""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from safelight.errors import DeviceError, UnfitNodeError
from safelight.work.cluster_workers import Chunk, Pool, Worker, connect
from safelight.work.engine import Result, Task, ignore, no_more_of

CHUNK_S, MOST_IN_CHUNK = 1.0, 64
"""A chunk is made so large that it takes about so long."""
CHUNKS_AHEAD = 2
"""For each worker: one that it works on, and one that waits for it."""
WAITED_S = 0.5
"""How long results are waited for at a time."""
MOST_FAILED = 6
"""So many workers in a row may fail to begin, while there is none."""
MOST_DEATHS = 2
"""A task whose worker dies so often is given up, unless nodes were lost."""


@dataclass
class Ray:
    """Workers on a cluster.

    `prepare` runs once in each worker, with `arguments`; what it raises there is raised here. `on_lost` makes the
    result of a task that was given up, from the task and the reason. `cpus` are reserved for each worker.
    """

    address: str
    """`ray`: the cluster of RAY_ADDRESS or of this machine, else a new one here; or ray://HOST:PORT."""
    prepare: Callable[..., None]
    arguments: tuple[Any, ...]
    on_lost: Callable[[Any, str], Any]
    cpus: int = 1
    run: str = ""
    """See `nodes.Driver`."""

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
            no_more_of(tasks)
            for result in run.late():
                on_late(result)
            run.pool.close()


class _Run:
    """One call of `map`."""

    def __init__(self, engine: Ray, function: Callable[[Any], Any], tasks: Iterator[Any]) -> None:
        self.ray, self.engine = connect(engine.address), engine
        self.pool, self.function = Pool(engine.address, engine.prepare, engine.arguments, cpus=engine.cpus), function
        self.tasks = enumerate(tasks)
        self.again: deque[Chunk] = deque()
        self.in_flight: dict[Any, Chunk] = {}
        self.done: dict[int, tuple[bool, Any]] = {}
        self.next, self.sent, self.all_sent = 0, 0, False
        self.failed_to_begin = 0
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
            while (chunk := self._chunk_for(worker)) is not None:
                chunk.worker = worker
                worker.chunks.append(chunk)
                reference = worker.actor.do.remote(self.function, [task for _, task in chunk.tasks])
                self.in_flight[reference] = chunk

    def _chunk_for(self, worker: Worker) -> Chunk | None:
        """First what must be done again. What a worker may have died of has a worker to itself."""
        if len(worker.chunks) >= CHUNKS_AHEAD or any(chunk.deaths for chunk in worker.chunks):
            return None
        fit = next((chunk for chunk in self.again if chunk.avoids != worker.node), None)
        if fit is None:
            return self._new_chunk()
        if fit.deaths and worker.chunks:
            return None
        self.again.remove(fit)
        return fit

    def _new_chunk(self) -> Chunk | None:
        """None if there are no more tasks, or too much waits for one result."""
        ahead = CHUNKS_AHEAD * (1 + len(self.pool.workers)) * MOST_IN_CHUNK
        if self.all_sent or self.sent - self.next > ahead:
            return None
        tasks = list(islice(self.tasks, self.chunk_size))
        self.sent += len(tasks)
        self.all_sent = len(tasks) < self.chunk_size
        return Chunk(tasks) if tasks else None

    def _wait(self) -> None:
        """For the next result, or for a worker that is ready."""
        self._give_up_what_fits_nowhere()
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

    def _give_up_what_fits_nowhere(self) -> None:
        """When the only nodes that are left were not fit for it, and no other begins."""
        nodes = {worker.node for worker in self.pool.workers}
        if not nodes or self.pool.may_grow():
            return
        for chunk in [chunk for chunk in self.again if nodes == {chunk.avoids}]:
            self.again.remove(chunk)
            for number, task in chunk.tasks:
                self.done[number] = True, self.engine.on_lost(task, chunk.why)

    def _welcome(self, reference: Any, worker: Worker) -> None:
        """A worker that is ready; one that died as it began is begun again. Raises what `prepare` raised, and
        DeviceError when none can begin.
        """
        try:
            worker.node, refusal = self.ray.get(reference)
        except self.ray.exceptions.RayError as error:
            self.pool.drop(worker)
            self.failed_to_begin += 1
            if self.failed_to_begin >= MOST_FAILED and not self.pool.workers:
                last = str(error).strip().splitlines()[-1]
                raise DeviceError(f"no worker of the cluster can begin ({last}); is Safelight on its nodes?") from None
            return
        self.failed_to_begin = 0
        self.pool.workers.append(worker)
        if refusal is not None:
            raise refusal

    def _take(self, reference: Any, chunk: Chunk) -> None:
        worker = chunk.worker
        assert worker is not None
        try:
            results, seconds = self.ray.get(reference)
        except self.ray.exceptions.RayError as error:
            self._died(chunk, worker, str(error).splitlines()[0])
            return
        worker.chunks.remove(chunk)
        for one, (is_well, result) in zip(chunk.tasks, results, strict=True):
            if isinstance(result, UnfitNodeError):
                self._elsewhere(one, chunk, worker, result)
            else:
                self.done[one[0]] = is_well, result
        fits = round(CHUNK_S * len(chunk.tasks) / max(seconds, 1e-3))
        self.chunk_size = max(1, min(MOST_IN_CHUNK, fits, 2 * self.chunk_size))

    def _elsewhere(self, one: tuple[int, Any], chunk: Chunk, worker: Worker, why: Exception) -> None:
        """On another node, if it was not tried on two."""
        number, task = one
        deaths = chunk.deaths + 1
        if deaths >= MOST_DEATHS:
            self.done[number] = True, self.engine.on_lost(task, str(why))
        else:
            self.again.append(Chunk([one], deaths, avoids=worker.node, why=str(why)))

    def _died(self, chunk: Chunk, worker: Worker, why: str) -> None:
        """All that was on its way to a worker is done again, task by task: any of it may be what it died of."""
        deaths = chunk.deaths + (not self.pool.drop(worker))
        if deaths >= MOST_DEATHS:  # the last time it was alone
            ((number, task),) = chunk.tasks
            self.done[number] = True, self.engine.on_lost(task, f"its worker died twice ({why}); look at memory, too")
        else:
            self.again.extend(Chunk([one], deaths) for one in chunk.tasks)
