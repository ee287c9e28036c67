"""Batches of pairs by loader processes, with a GPU's share of the degradation on the GPU."""

import itertools
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.util import Finalize

import torch
from torch.utils.data import DataLoader, Dataset, default_collate

from safelight.learn.device import PROCESSOR, on_device, training_device
from safelight.learn.restore.arithmetic import Begun, begin, finish
from safelight.learn.restore.data import Pair, RestorationPairs
from safelight.learn.task import Fetched, Group


@dataclass(frozen=True)
class BatchNumbers:
    """Which pairs this process gets of every batch from `start` on, without end."""

    start: int
    batch: int
    """Of all processes together."""
    group: Group

    def __iter__(self) -> Iterator[list[int]]:
        part = self.group.part(self.batch)
        for number in itertools.count(self.start):
            yield list(range(number * self.batch + part.start, number * self.batch + part.stop))


@dataclass(frozen=True)
class _Batches(Dataset[Fetched]):
    """By the numbers of their pairs: whole pairs, or such as the training device finishes."""

    pairs: RestorationPairs
    are_begun: bool

    def __getitem__(self, numbers: list[int]) -> Fetched:
        began = time.perf_counter()
        if self.are_begun:
            batch = begin([self.pairs.drawn(k) for k in numbers], self.pairs.patch_px)
        else:
            batch = default_collate([self.pairs[k] for k in numbers])
        return Fetched(batch, time.perf_counter() - began)


def fetched_pairs(pairs: RestorationPairs, numbers: BatchNumbers, workers: int) -> Iterator[Fetched]:
    """Batches of pairs on the training device; workers change the speed, never the content."""
    loader = DataLoader(
        _Batches(pairs, are_begun=training_device() != PROCESSOR),
        sampler=numbers,
        batch_size=None,
        num_workers=workers,
        worker_init_fn=_prepare_worker,
        multiprocessing_context="spawn" if workers else None,
        prefetch_factor=8 if workers else None,
    )
    for batch, loader_s in loader:
        pair = finish(batch) if isinstance(batch, Begun) else on_device(batch)
        clean, degraded = (t.contiguous(memory_format=torch.channels_last) for t in (pair.clean, pair.degraded))
        yield Fetched(Pair(clean, degraded, pair.sigma_01), loader_s / max(1, workers))


def _prepare_worker(worker: int) -> None:
    """Ctrl-C in a terminal reaches every process; the training loop alone decides what to do."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # by which the loop ends its loaders
    Finalize(None, os._exit, args=(0,), exitpriority=-100)  # last: Python's own end can abort
