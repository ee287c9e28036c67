"""Ways from the latents of one picture to those of another.

N(0, 1) in many dimensions lies near a sphere, which lines leave (White, "Sampling generative networks", 2016).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Rungs = tuple[Array, ...]
"""An array (N, channels, h, w) for each rung, fine to coarse."""


def between(a: Sequence[Array], b: Sequence[Array], share: float, spherical: bool = True) -> Rungs:
    """Latents of one picture each, (1, ...) → of one that is `share` of the way from a to b.

    Along a great circle, or a line.
    """
    pairs = zip(a, b, strict=True)
    return tuple(_between(u[0], v[0], np.float32(share), spherical)[None] for u, v in pairs)


def _between(u: Array, v: Array, share: np.float32, spherical: bool) -> Array:
    lengths = float(np.linalg.norm(u) * np.linalg.norm(v))
    angle = float(np.arccos(np.clip((u * v).sum() / lengths, -1, 1))) if lengths else 0.0
    if not spherical or np.sin(angle) < 1e-4:
        straight: Array = (1 - share) * u + share * v
        return straight
    curved: Array = (np.sin((1 - share) * angle) * u + np.sin(share * angle) * v) / np.float32(np.sin(angle))
    return curved.astype(np.float32)
