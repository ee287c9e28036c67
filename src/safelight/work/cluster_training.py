"""Several processes of a cluster that compute together, by Ray Train: they are begun anew when one is lost."""

import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from safelight.errors import DeviceError, RefusedError
from safelight.work.cluster_workers import connect

HEARD_S = 0.5
MOST_LOSSES = 100
"""How often the processes are begun anew: nodes may come and go."""


Say = Callable[[Any], bool]


class Team(NamedTuple):
    """Which processes compute together."""

    address: str
    """See `cluster.Ray`."""
    processes: int
    takes_gpus: bool
    """Whether each has a GPU of its own."""
    notes: Path
    """A folder for Ray Train, where all nodes find it; it is removed at the end."""


def run_together(team: Team, member: Callable[[int, Say], None], hear: Callable[[Any], bool]) -> None:
    """Call `member(cores, say)` in every process, with the variables of a launcher (RANK, WORLD_SIZE, ...).

    `say` sends a word to `hear` here, and returns whether to stop: when `hear` has returned True, or after Ctrl-C.
    Raises RefusedError if Ray Train is not installed, and DeviceError for a cluster that cannot be used.
    """
    ray = connect(team.address)
    cores = _cores_of_each(ray, team.processes)
    try:
        train: Any = import_module("ray.train")
        torch_train: Any = import_module("ray.train.torch")
    except ImportError:
        raise RefusedError("training on a cluster needs Ray Train; see docs/cluster.md for how to install it") from None
    post = ray.remote(Post).options(num_cpus=0).remote()
    with ThreadPoolExecutor(1) as thread:
        trainer = torch_train.TorchTrainer(
            _begin,
            train_loop_config={"member": member, "post": post, "cores": cores},
            torch_config=torch_train.TorchConfig(backend="nccl" if team.takes_gpus else "gloo"),
            scaling_config=train.ScalingConfig(
                num_workers=team.processes, use_gpu=team.takes_gpus, resources_per_worker={"CPU": cores}
            ),
            run_config=train.RunConfig(
                storage_path=str(team.notes), failure_config=train.FailureConfig(max_failures=MOST_LOSSES)
            ),
        )
        fit = thread.submit(trainer.fit)
        while not fit.done():
            try:
                _hear_all(ray, post, hear)
                time.sleep(HEARD_S)
            except KeyboardInterrupt:
                ray.get(post.stop.remote())
            except BaseException:
                ray.get(post.stop.remote())
                raise
        _hear_all(ray, post, hear)
        ray.kill(post)
        shutil.rmtree(team.notes, ignore_errors=True)
        error = fit.exception()
        if error is not None:
            raise DeviceError(f"the processes of the run were lost too often ({_first_line(error)})") from None


class Post:
    """An actor between the processes and the one that a person started."""

    def __init__(self) -> None:
        self.words: list[Any] = []
        self.is_stopping = False

    def say(self, word: Any) -> bool:
        """Returns whether to stop."""
        self.words.append(word)
        return self.is_stopping

    def take(self) -> list[Any]:
        """All words since the last time."""
        words, self.words = self.words, []
        return words

    def stop(self) -> None:
        """From now on `say` answers that."""
        self.is_stopping = True


def gpus_of(address: str) -> int:
    """Of all nodes. Raises what `cluster_workers.connect` raises."""
    return int(connect(address).cluster_resources().get("GPU", 0))


def _cores_of_each(ray: Any, processes: int) -> int:
    """As many as all can have. Raises DeviceError if that is none: Ray would wait for more."""
    nodes = [int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]]
    for cores in range(max(nodes, default=0), 0, -1):
        if sum(has // cores for has in nodes) >= processes:
            return cores
    raise DeviceError(f"{processes} processes do not fit a cluster of {sum(nodes)} cores; ask for fewer")


def _hear_all(ray: Any, post: Any, hear: Callable[[Any], bool]) -> None:
    for word in ray.get(post.take.remote()):
        if hear(word):
            ray.get(post.stop.remote())


def _begin(config: dict[str, Any]) -> None:
    """In each process."""
    ray, post = import_module("ray"), config["post"]
    config["member"](config["cores"], lambda word: bool(ray.get(post.say.remote(word))))


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
