"""Draw latents from the aggregate posterior."""

import math
from collections.abc import Sequence

import numpy as np

from safelight import randomness
from safelight.bundle import AggregatePosterior
from safelight.runtime.images.ways import Rungs


def draw_from_aggregate(
    density: AggregatePosterior, noise: Rungs, labels: Sequence[int] | None, temperature: float, seed: int
) -> Rungs:
    """`noise` of each rung, (N, channels, h, w), with draws in place of the coarsest rungs, which the density covers.

    Raises UsageError for a class without pictures.
    """
    of_class = [None] * len(noise[0]) if labels is None else labels
    streams = [randomness.generator(seed, "aggregate", k) for k in range(len(noise[0]))]
    drawn = np.stack([density.draw(rng, label, temperature) for rng, label in zip(streams, of_class, strict=True)])
    rungs, left = list(noise), drawn.shape[1]
    for k in reversed(range(len(rungs))):
        size = math.prod(rungs[k].shape[1:])
        if size > left:
            break
        rungs[k] = drawn[:, left - size : left].reshape(rungs[k].shape)
        left -= size
    return tuple(rungs)
