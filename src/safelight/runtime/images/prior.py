"""Draw latents from a learned prior: follow its flow from noise to where latents of pictures lie.

    v = v(x, t, c) + w (v(x, t, c) - v(x, t, any))   guidance of weight w (Ho & Salimans, 2021), where a class is asked

The model is explained in `ladder.prior`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safelight.bundle import VaeCard, names
from safelight.bundle import images as files
from safelight.bundle.images import PriorUnits
from safelight.runtime.graphs import Graphs
from safelight.runtime.images.flow import AT_ONCE, follow
from safelight.runtime.images.ways import Array, Rungs


@dataclass(frozen=True)
class FlowPrior:
    """The learned prior of one VAE."""

    graphs: Graphs
    card: VaeCard
    units: PriorUnits

    def draw(self, noise: Rungs, labels: Sequence[int] | None) -> Rungs:
        """Latents (N, channels, h, w) of each rung, from N(0, 1) of those shapes. `labels` None: of any class."""
        assert self.card.prior is not None
        any_class = len(self.card.classes) if len(self.card.classes) > 1 else 0
        classes = np.full(len(noise[0]), any_class) if labels is None else np.asarray(labels, np.int64)
        ends = []
        for start in range(0, len(classes), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            velocity = partial(self._velocity, classes[part], any_class)
            ends.append(follow([rung[part] for rung in noise], self.card.prior.steps, velocity))
        return self._in_units([np.concatenate(rung) for rung in zip(*ends, strict=True)])

    def _velocity(self, classes: NDArray[np.int64], any_class: int, x: list[Array], time: np.float32) -> list[Array]:
        assert self.card.prior is not None
        weight = np.float32(self.card.prior.guidance)
        if not weight or (classes == any_class).all():
            return self._asked(x, time, classes)
        both = self._asked(
            [np.concatenate([a, a]) for a in x], time, np.append(classes, np.full_like(classes, any_class))
        )
        pairs = [np.split(v, 2) for v in both]
        return [of_class + weight * (of_class - of_any) for of_class, of_any in pairs]

    def _asked(self, x: list[Array], time: np.float32, classes: NDArray[np.int64]) -> list[Array]:
        """What the graph says."""
        rungs = names.scales(len(x))
        feeds: dict[str, NDArray[Any]] = {names.latent(k): rung for k, rung in zip(rungs, x, strict=True)}
        feeds |= {names.TIME: np.full(len(classes), time, np.float32), names.LABEL: classes}
        return self.graphs.run(files.PRIOR_GRAPH, [names.velocity(k) for k in rungs], feeds)

    def _in_units(self, x: list[Array]) -> Rungs:
        """What the flow ends at, as latents of the VAE."""
        ends = np.cumsum([rung.shape[1] for rung in x])[:-1]
        means, stds = (np.split(values, ends) for values in (self.units.mean, self.units.std))
        return tuple(
            mean[:, None, None] + std[:, None, None] * rung for rung, mean, std in zip(x, means, stds, strict=True)
        )
