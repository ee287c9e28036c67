"""What a VAE is given, checked, and as its graphs take it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safelight.bundle import VaeCard
from safelight.errors import UsageError
from safelight.runtime.images.ways import Array, Rungs


def planar_pictures(card: VaeCard, x: NDArray[Any]) -> Array:
    """(N, H, W, C), uint8 or float in [0, 1] → (N, C, H, W) in [0, 1]. Raises UsageError for anything else."""
    x = np.asarray(x)
    wanted = (card.height, card.width, card.channels)
    if x.ndim != 4 or x.shape[1:] != wanted or not len(x):
        raise UsageError(f"pictures have shape {x.shape}; this model takes (N, {', '.join(map(str, wanted))})")
    scaled = x.astype(np.float32) / np.float32(255) if x.dtype == np.uint8 else x.astype(np.float32)
    if not (scaled.min() >= 0 and scaled.max() <= 1):  # a NaN is neither
        raise UsageError(f"pictures have values from {scaled.min():g} to {scaled.max():g}; scale them to [0, 1]")
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))


def as_rungs(card: VaeCard, arrays: Sequence[NDArray[Any]], what: str, count: int | None = None) -> Rungs:
    """One for each rung, all of as many pictures. Raises UsageError for other shapes."""
    rungs = tuple(np.asarray(array, dtype=np.float32) for array in arrays)
    shapes, wanted = [rung.shape for rung in rungs], list(card.latents)
    if [shape[1:] for shape in shapes] != wanted or {s[0] for s in shapes} != {
        shapes[0][0] if count is None else count
    }:
        raise UsageError(f"{what} have shapes {shapes}; give (N, channels, h, w) for each of {wanted}")
    return rungs


def check_labels(card: VaeCard, count: int, labels: Sequence[int]) -> None:
    """Raises UsageError unless each of so many pictures has a class of the card."""
    known = len(card.classes)
    if len(labels) != count or not all(0 <= label < known for label in labels):
        raise UsageError(f"labels must be one of 0 to {known - 1} for each of {count} pictures")
