"""Draw the detail that a decoded mean lacks. The model is explained in `ladder.detail`."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from safelight import randomness
from safelight.bundle import VaeCard, names
from safelight.bundle import images as files
from safelight.runtime.graphs import Graphs
from safelight.runtime.images.flow import AT_ONCE, follow
from safelight.runtime.images.ways import Array

VALUES_AT_ONCE = 1_000_000
"""Values of pictures that go through the graph together, at most."""


@dataclass(frozen=True)
class Detail:
    """The flow of one VAE."""

    graphs: Graphs
    card: VaeCard

    def added(self, means: Array, seed: int, is_way: bool) -> Array:
        """Pictures (N, C, H, W) in [0, 1] from means of that shape; all pictures of a way have the same noise.

        Raises BundleError.
        """
        assert self.card.detail is not None
        at_once = max(1, min(AT_ONCE, VALUES_AT_ONCE // means[0].size))
        scale = np.array(self.card.detail.scale, np.float32)[:, None, None]
        pictures = np.empty_like(means)
        for start in range(0, len(means), at_once):
            mean = means[start : start + at_once]
            streams = [randomness.generator(seed, "detail", 0 if is_way else start + k) for k in range(len(mean))]
            noise = np.stack([rng.standard_normal(mean.shape[1:], dtype=np.float32) for rng in streams])
            [detail] = follow([noise], self.card.detail.steps, partial(self._velocity, mean))
            pictures[start : start + at_once] = (mean + scale * detail).clip(0, 1)
        return pictures

    def _velocity(self, mean: Array, x: list[Array], time: np.float32) -> list[Array]:
        feeds = {names.DETAIL: x[0], names.MEAN: mean, names.TIME: np.full(len(mean), time, np.float32)}
        return self.graphs.run(files.DETAIL_GRAPH, [names.velocity(0)], feeds)
