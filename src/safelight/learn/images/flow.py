"""Follow a flow that is being trained, for previews; `runtime.images.flow` does it for samples."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def follow(x: Sequence[Tensor], steps: int, velocity: Callable[[list[Tensor], Tensor], list[Tensor]]) -> list[Tensor]:
    """From noise to the end by the midpoint rule; `velocity` takes the places and the time (B,)."""
    places, size = list(x), 1 / steps
    for k in range(steps):
        time = torch.full((len(places[0]),), k * size)
        half = [a + 0.5 * size * v for a, v in zip(places, velocity(places, time), strict=True)]
        places = [a + size * v for a, v in zip(places, velocity(half, time + 0.5 * size), strict=True)]
    return places
