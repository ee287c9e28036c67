"""Follow a flow from noise to what it was trained to end at.

x ← x + h v(x + h/2 v(x, t), t + h/2)            the midpoint rule, with steps of size h from t = 0 to 1
"""

from collections.abc import Callable

import numpy as np

from safelight.runtime.images.ways import Array

AT_ONCE = 64
"""Samples that go through a graph together, at most."""


def follow(x: list[Array], steps: int, velocity: Callable[[list[Array], np.float32], list[Array]]) -> list[Array]:
    """All arrays from t = 0 to 1; `velocity` has the same shapes."""
    size = np.float32(1 / steps)
    for k in range(steps):
        half = [a + size / 2 * v for a, v in zip(x, velocity(x, k * size), strict=True)]
        x = [a + size * v for a, v in zip(x, velocity(half, (k + np.float32(0.5)) * size), strict=True)]
    return x
