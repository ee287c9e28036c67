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

HEARD_S, LONG_S = 0.5, 12 * 3600
"""How often the processes are heard, and how long they may wait for each other: the first one decodes a large set."""
MOST_LOSSES = 10
"""How often the processes are begun anew: nodes may come and go, and an error that stays must end."""


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
    cores = _cores_of_each(ray, team)
    try:
        train: Any = import_module("ray.train")
        torch_train: Any = import_module("ray.train.torch")
    except ImportError:
        raise RefusedError("training on a cluster needs Ray Train; see docs/cluster.md for how to install it") from None
    post = ray.remote(Post).options(num_cpus=0, max_restarts=-1, max_task_retries=-1).remote()
    with ThreadPoolExecutor(1) as thread:
        trainer = torch_train.TorchTrainer(
            _begin,
            train_loop_config={"member": member, "post": post, "cores": cores},
            torch_config=torch_train.TorchConfig(backend="nccl" if team.takes_gpus else "gloo", timeout_s=LONG_S),
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
        self.is_stopping = self.is_failed = False

    def say(self, word: Any) -> bool:
        """Returns whether to stop."""
        self.words.append(word)
        self.is_failed = self.is_failed or isinstance(word, Exception)
        return self.is_stopping

    def has_error(self) -> bool:
        """Whether a process has said one."""
        return self.is_failed

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


def _cores_of_each(ray: Any, team: Team) -> int:
    """As many as all can have. Raises DeviceError if that is none: Ray would wait for more."""
    has = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    nodes = [(int(one.get("CPU", 0)), int(one.get("GPU", 0)) if team.takes_gpus else team.processes) for one in has]
    for cores in range(max((count for count, _ in nodes), default=0), 0, -1):
        if sum(min(count // cores, gpus) for count, gpus in nodes) >= team.processes:
            return cores
    total = sum(count for count, _ in nodes)
    gpus = f" and {sum(gpus for _, gpus in nodes)} GPUs" if team.takes_gpus else ""
    raise DeviceError(f"{team.processes} processes do not fit a cluster of {total} cores{gpus}; ask for fewer")


def _hear_all(ray: Any, post: Any, hear: Callable[[Any], bool]) -> None:
    for word in ray.get(post.take.remote()):
        if hear(word):
            ray.get(post.stop.remote())


def _begin(config: dict[str, Any]) -> None:
    """In each process. One that has said an error ends all: Ray begins them anew, and they see that nothing is left.

    Raises RuntimeError for that.
    """
    ray, post = import_module("ray"), config["post"]
    if ray.get(post.has_error.remote()):
        return
    config["member"](config["cores"], lambda word: bool(ray.get(post.say.remote(word))))
    if ray.get(post.has_error.remote()):
        raise RuntimeError("a process has said an error")


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
