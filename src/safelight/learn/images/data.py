"""Rows of a table → tensors: every batch a pure function of (seed, stage, number)."""

import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from safelight import randomness
from safelight.dataset import PixelTable
from safelight.dataset.form import unit
from safelight.errors import UsageError
from safelight.learn.device import on_device
from safelight.learn.images.recipe import DataSettings
from safelight.learn.task import Group

_Batch = TypeVar("_Batch")
AHEAD = 4
"""Batches that are made ready before they are asked for."""
MOST_AT_ONCE, VALUES_AT_ONCE = 256, 3_000_000
"""Pictures, and values of pictures, that go through a model together."""


class Images(NamedTuple):
    """A batch."""

    x: Tensor
    """(B, C, H, W) in [0, 1]"""
    labels: Tensor | None
    """(B,) int64, if the model asks for them."""


class Order(NamedTuple):
    """Which batches a stream has: equal orders give equal batches."""

    seed: int
    stage: int
    batch: int
    """Pictures of all processes together."""


ALONE = Group()


@dataclass(frozen=True)
class Subset:
    """One part of a set: rows of its table, and labels if the model asks for them."""

    table: PixelTable
    positions: NDArray[np.int64]
    labels: NDArray[np.int64] | None
    """Of every row of the table."""

    def __len__(self) -> int:
        return len(self.positions)

    def pixels(self, numbers: Sequence[int] | NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """(B, H, W, C) and the rows that they come from; the next sound picture stands in for a broken one.

        Raises UsageError if all are broken.
        """
        numbers = np.array(numbers)
        for _ in range(len(self)):
            rows = self.positions[numbers]
            sound = self.table.sound(rows.tolist())
            if sound.all():
                return self.table.rows(rows.tolist()), rows
            numbers[~sound] = (numbers[~sound] + 1) % len(self)
        raise UsageError("no picture of this part can be read; look at the set: safelight data")

    def images(self, numbers: Sequence[int] | NDArray[np.int64]) -> Images:
        """Those pictures, as they are."""
        pixels, rows = self.pixels(numbers)
        return self._tensors(unit(pixels), rows)

    def in_order(self, most: int) -> Iterator[Images]:
        """The first so many pictures, as many at once as memory allows."""
        count = min(most, len(self))
        for start in range(0, count, self.at_once):
            yield self.images(np.arange(start, min(start + self.at_once, count)))

    @property
    def at_once(self) -> int:
        """Pictures that go through a model together when nothing is trained, so that memory depends on none of their
        sizes.
        """
        return max(8, min(MOST_AT_ONCE, VALUES_AT_ONCE // self.table.form.values))

    def stream(self, order: Order, settings: DataSettings, start: int = 0, group: Group = ALONE) -> Iterator[Images]:
        """What a process gets of every batch from number `start` on, epoch after epoch, each in an order of its own."""
        seed, stage, batch = order
        epoch, shuffled = -1, np.zeros(0, dtype=np.int64)
        number = start
        while True:
            taken = []
            for place in range(number * batch, (number + 1) * batch):
                if place // len(self) != epoch:
                    epoch = place // len(self)
                    shuffled = randomness.generator(seed, "order", stage, epoch).permutation(len(self))
                taken.append(shuffled[place % len(self)])
            part = group.part(batch)
            pixels, rows = self.pixels(np.array(taken[part]))
            rng = randomness.generator(seed, "moved", stage, number)
            yield self._tensors(moved(unit(pixels), settings, rng, Share(batch, part)), rows)
            number += 1

    def _tensors(self, x: NDArray[np.float32], rows: NDArray[np.int64]) -> Images:
        labels = None if self.labels is None else torch.from_numpy(self.labels[rows])
        return on_device(Images(torch.from_numpy(x), labels))


class Share(NamedTuple):
    """A part of a whole batch."""

    batch: int
    """Size of the whole."""
    part: slice


def moved(
    x: NDArray[np.float32], settings: DataSettings, rng: np.random.Generator, share: Share
) -> NDArray[np.float32]:
    """(B, C, H, W), a part of a batch, mirrored and shifted as settings say."""
    reach, (batch, part) = settings.shift_px, share
    mirrored, shifts = rng.random(batch)[part] < 0.5, rng.integers(0, 2 * reach + 1, (batch, 2))[part]
    if settings.flip:
        x[mirrored] = x[mirrored, :, :, ::-1]
    if reach:
        height, width = x.shape[2:]
        framed = np.pad(x, ((0, 0), (0, 0), (reach, reach), (reach, reach)))
        for picture, source, (down, right) in zip(x, framed, shifts, strict=True):
            picture[:] = source[:, down : down + height, right : right + width]
    return x


def ahead(batches: Iterator[_Batch]) -> Iterator[_Batch]:
    """The same, made ready by a thread; what it raises is raised here."""
    ready: queue.Queue[_Batch | BaseException] = queue.Queue(AHEAD)
    leaving = threading.Event()

    def put(item: _Batch | BaseException) -> None:
        while not leaving.is_set():
            try:
                ready.put(item, timeout=0.1)
                return
            except queue.Full:
                continue

    def fill() -> None:
        try:
            for batch in batches:
                put(batch)
                if leaving.is_set():
                    return
        except BaseException as error:  # whatever it is, the loop must hear of it
            put(error)

    thread = threading.Thread(target=fill, daemon=True)
    thread.start()
    try:
        while True:
            item = ready.get()
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        leaving.set()
        thread.join()
