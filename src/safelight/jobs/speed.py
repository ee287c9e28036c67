"""How fast this machine restores pictures."""

import statistics
import time

import numpy as np

from safelight.picture import Picture
from safelight.runtime.machine import Precision
from safelight.runtime.restore import Restorer

SIDE_PX = 384
RUNS = 2


def seconds_per_megapixel(precision: Precision, threads: int | None = None) -> float:
    """Of the mean by the bundle `photo`: the median of some runs after a first one. `threads` is None for all cores.

    Raises RefusedError for a bundle that cannot be used, UsageError for a wrong number of threads.
    """
    restorer = Restorer.load("photo", threads=threads, precision=precision)
    noise = np.random.default_rng(0).normal(128, 25, (SIDE_PX, SIDE_PX, 3))
    picture = Picture(noise.clip(0, 255).astype(np.uint8))
    seconds = []
    for _ in range(1 + RUNS):
        began = time.perf_counter()
        restorer.enhance(picture, uncertainty=False)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:]) / picture.megapixels
