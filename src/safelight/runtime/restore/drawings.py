"""Whether a picture is drawn: text, line art, comics, slides, screenshots.

Restored windows show it even where the picture is noisy. A drawing has flat places of few colours, and its edges have
two tones. A photograph has texture and shades. A logistic regression weighs ten such numbers of each window, and how
much was removed; `benchmarks/graphics.py --fit` fits it to drawings made by rules, and to photographs.
"""

import json
from functools import lru_cache
from importlib import resources
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Vector = NDArray[np.float64]
WEIGHTS = "drawings.json"
BLOCK, SMALL_BLOCK = 8, 4
"""Sides in pixels of the squares that are looked at."""
EDGE, FLAT, ROUGH = 10.0, 3.0, 10.0
"""Standard deviations, of 255: more in a square with an edge, less in a flat small square, more in a rough one."""
STILL, WEAK, STRONG = 1.5, 3.0, 16.0
"""Differences of neighbours, of 255."""
SHADES = 10.0
"""Colours that differ by less count as one."""
USUAL_TWO_TONE = 0.74
"""Of photographs; for a window without edges."""
FEWEST_EDGES = 4


class Weights(NamedTuple):
    """The logistic regression."""

    weights: tuple[float, ...]
    """Of the numbers of `features`."""
    bias: float


@lru_cache
def fitted() -> Weights:
    """The one that comes with the package."""
    found = json.loads(resources.files(__package__).joinpath(WEIGHTS).read_text())
    return Weights(tuple(found["weights"]), float(found["bias"]))


def drawn_score(degraded: Array, mean: Array) -> float:
    """Windows (B, 3, H, W) in [0, 1] and their restoration → log-odds; more than 0 for a drawing."""
    weights, bias = fitted()
    return float(features(degraded, mean) @ np.array(weights) + bias)


def features(degraded: Array, mean: Array) -> Vector:
    """Windows (B, 3, H, W) in [0, 1] and their restoration → (21,): averages over the windows, maxima, and the log of
    what was removed.
    """
    numbers = np.stack([_of_window(window) for window in 255 * mean.astype(np.float64)])
    removed = 255 * (degraded - mean).std(dtype=np.float64)
    return np.concatenate([numbers.mean(axis=0), numbers.max(axis=0), [np.log(removed + 0.5)]])


def _of_window(window: Vector) -> Vector:
    """(3, H, W) of 255 → (10,)."""
    grey = window.mean(axis=0)
    squares = _squares(grey[None], BLOCK)[:, 0]
    with_edge = squares.std(axis=1) > EDGE
    two_tone = _two_tone(squares[with_edge]).mean() if with_edge.sum() >= FEWEST_EDGES else USUAL_TWO_TONE
    small = _squares(window, SMALL_BLOCK)
    rough = small.std(axis=2).max(axis=1)
    shades = np.rint(small.mean(axis=2)[rough < FLAT + 1] / SHADES)
    counts = np.sort(np.unique(shades, axis=0, return_counts=True)[1])[::-1]
    shares = counts / max(1, counts.sum())
    steps = np.concatenate([np.abs(np.diff(grey, axis=axis)).ravel() for axis in (1, 0)])
    strong, weak = (steps > STRONG).mean(), ((steps > WEAK) & (steps <= STRONG)).mean()
    return np.array(
        [
            two_tone,
            with_edge.mean(),
            (rough < FLAT).mean(),
            ((rough > FLAT) & (rough < ROUGH)).mean(),
            (rough >= ROUGH).mean(),
            -(shares * np.log(shares)).sum() if len(shares) else 4.0,  # the entropy of flat colours
            counts[:6].sum() / len(small),
            strong / (strong + weak + 1e-3),
            np.log((steps**4).mean() / (np.square((steps**2).mean()) + 1e-9) + 1e-6),
            (steps < STILL).mean(),
        ]
    )


def _squares(planes: Vector, side: int) -> Vector:
    """(C, H, W) → (N, C, side²), without a rest at the borders."""
    channels, height, width = planes.shape
    rows, columns = height // side, width // side
    cut = planes[:, : rows * side, : columns * side].reshape((channels, rows, side, columns, side))
    return cut.transpose((1, 3, 0, 2, 4)).reshape((rows * columns, channels, side * side))


def _two_tone(squares: Vector) -> Vector:
    """(N, P) → (N,): the share of a square's variance that is between values above its average and those below
    (Otsu, "A threshold selection method from gray-level histograms", 1979). 1 for two tones, 2/π for a Gaussian.
    """
    centred = squares - squares.mean(axis=1, keepdims=True)
    is_above = centred > 0
    above, count = (centred * is_above).sum(axis=1), is_above.sum(axis=1)
    between = np.square(above) * (1 / count + 1 / (squares.shape[1] - count))
    shares: Vector = between / np.square(centred).sum(axis=1)
    return shares
