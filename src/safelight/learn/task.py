"""What the loop asks of whatever is trained: the one seam between the loop and its uses."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from safelight.errors import UsageError
from safelight.learn.recipe import Schedule


class Moment(NamedTuple):
    """Where in a run a step is."""

    stage: int
    step: int
    """Of the stage, from 0."""
    share: float
    """Of the stage that will be done after this step; by time, that was done before it."""


class Group(NamedTuple):
    """The processes that train together, each on its part of every batch."""

    rank: int = 0
    size: int = 1

    def part(self, batch: int) -> slice:
        """Of a batch that `size` divides."""
        return slice(self.rank * batch // self.size, (self.rank + 1) * batch // self.size)


class Fetched(NamedTuple):
    """A batch, and what it cost."""

    batch: Any
    loader_s: float
    """How long the loader took for it; of several loader processes, divided by their number."""


def timed(batches: Iterator[Any]) -> Iterator[Fetched]:
    """Each of the batches, without end, with the time that it took to make."""
    while True:
        began = time.perf_counter()
        batch = next(batches)
        yield Fetched(batch, time.perf_counter() - began)


def check_shared(batch: int, group: Group) -> None:
    """Raises UsageError for a batch that the processes cannot share."""
    if batch % group.size:
        raise UsageError(f"a batch of {batch} cannot be shared by {group.size} processes; make it a multiple")


def part_of(values: Tensor, group: Group, repeats: int = 1) -> Tensor:
    """Of a whole batch's values, which stand repeat by repeat, this process's."""
    if group.size == 1:
        return values
    by_repeat = values.view(repeats, len(values) // repeats, *values.shape[1:])
    return by_repeat[:, group.part(by_repeat.shape[1])].flatten(0, 1)


def averaged(numbers: Tensor, group: Group) -> Tensor:
    """Over all processes; without gradients."""
    numbers = numbers.detach().clone()
    if group.size > 1:
        torch.distributed.all_reduce(numbers)
    return numbers / group.size


class TrainingTask(Protocol):
    """A model and all that its training depends on but the loop does not."""

    seed: int
    validate_every: int
    log_every: int
    patience: int
    """Validations without a better one after which a stage ends; 0 for never."""

    @property
    def model(self) -> nn.Module:
        """What is trained, averaged and saved."""
        ...

    @property
    def stages(self) -> Sequence[Schedule]: ...

    def trained(self, stage: int) -> list[nn.Parameter]:
        """The parameters that a stage trains; all others are frozen."""
        ...

    def begin(self, stage: int) -> None:
        """Before a stage's first step."""
        ...

    def objective(self, stage: int, group: Group) -> nn.Module:
        """(batch, moment) → loss, and the numbers to log: a module, since processes share its gradients."""
        ...

    def batches(self, stage: int, start: int, group: Group) -> Iterator[Fetched]:
        """What this process gets of every batch from number `start` on, without end."""
        ...

    def judged_by(self, stage: int) -> str | None:
        """Which validation number says what is better, the lower the better; None if nothing does."""
        ...

    def validate(self, stage: int) -> dict[str, float]:
        """Numbers on held-out pictures; the model has its averaged weights."""
        ...

    def complaint(self, stage: int, scores: dict[str, float]) -> str | None:
        """What is so wrong that training must not go on, and how to mend it."""
        ...

    def preview(self, path: Path, stage: int) -> None:
        """A picture of how it is going."""
        ...


Logged = tuple[Tensor, dict[str, Tensor]]
