"""Follow a flow from noise to what it was trained to end at.

x ← x + h v(x + h/2 v(x, t), t + h/2)            the midpoint rule, with steps of size h from t = 0 to 1
"""

from collections.abc import Callable

import numpy as np

from safelight.errors import BundleError
from safelight.runtime.images.ways import Array

AT_ONCE = 64
"""Samples that go through a graph together, at most."""


def follow(x: list[Array], steps: int, velocity: Callable[[list[Array], np.float32], list[Array]]) -> list[Array]:
    """All arrays from t = 0 to 1. Raises BundleError if `velocity` has other shapes."""
    size = np.float32(1 / steps)
    for k in range(steps):
        half = _moved(x, velocity(x, k * size), size / 2)
        x = _moved(x, velocity(half, (k + np.float32(0.5)) * size), size)
    return x


def _moved(x: list[Array], velocity: list[Array], time: np.float32) -> list[Array]:
    if [v.shape for v in velocity] != [a.shape for a in x]:
        raise BundleError("a flow of the bundle has other shapes than its card; export the bundle again")
    return [a + time * v for a, v in zip(x, velocity, strict=True)]
