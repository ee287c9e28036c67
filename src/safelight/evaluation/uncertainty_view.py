"""The uncertainty as a picture that a person can see, with its scale.

Photographs share one scale, so that their maps can be compared: up to an eighth of white, where brightness rises as the
square root does. A measurement has a scale of its own, in its own numbers, and in equal steps.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
BRIGHTEST = 1 / 8
"""The standard deviation that is drawn brightest in a photograph, of white."""
TICKS_255 = (0, 2, 8, 18, 32)
"""Standard deviations in 1/255 below the scale, in equal steps: brightness rises as the square root does."""
OF_MEASUREMENTS = 0.999
"""Of a measurement's values, how many are not brighter than the brightest."""
ROUND = (1, 2, 4, 8)
"""Numbers that a scale of four equal steps may end at, times a power of ten."""
BAR_DOTS, MARGIN_DOTS, GAP_DOTS, LEAST_WIDTH_PX = 8, 16, 4, 320
PX_PER_DOT, LEAST_DOT_PX = 400, 2
"""A picture's width in px for each px of a digit's dot."""
_ROWS = {
    "0": "75557", "1": "26227", "2": "71747", "3": "71717", "4": "55711", "5": "74717", "6": "74757", "7": "71111",
    "8": "75757", "9": "75717", "/": "11244", ".": "00002", "e": "02764", "-": "00700", "+": "02720",
}  # fmt: skip
"""Each row of a sign of 3 x 5 dots, as a number of three bits."""


class Legend(NamedTuple):
    """Which standard deviation has which colour."""

    brightest: float
    power: float
    """Brightness is the share of the brightest to this power."""
    ticks: tuple[str, ...]
    """In equal steps below the scale."""


PHOTOGRAPHS = Legend(BRIGHTEST, power=0.5, ticks=("0", *(f"{tick}/255" for tick in TICKS_255[1:])))


def legend_of_measurements(std: Array) -> Legend:
    """That of a map in a measurement's own numbers."""
    highest = float(np.quantile(std, OF_MEASUREMENTS))
    if not 0 < highest < math.inf:
        highest = 1.0
    power_of_ten = math.floor(math.log10(highest))
    ends = [step * 10.0**k for k in (power_of_ten, power_of_ten + 1) for step in ROUND]
    brightest = next(end for end in ends if end >= highest)
    return Legend(brightest, power=1.0, ticks=tuple(f"{k * brightest / 4:g}" for k in range(5)))


def glow(std: Array, legend: Legend = PHOTOGRAPHS) -> Array:
    """(H, W, C) standard deviation → a glow from black over red to yellow and white, (H, W, 3)."""
    return _colours(np.sqrt(np.mean(np.square(std / legend.brightest), axis=2, keepdims=True)), legend.power)


def with_scale(std: Array, legend: Legend = PHOTOGRAPHS) -> NDArray[np.uint8]:
    """The glow of (H, W, C), above its scale: (H + some px, W or a little more, 3)."""
    picture = glow(std, legend)
    height, width = picture.shape[:2]
    dot, wide = max(LEAST_DOT_PX, width // PX_PER_DOT), max(width, LEAST_WIDTH_PX)
    gap, margin, digits = dot * GAP_DOTS, dot * MARGIN_DOTS, dot * 5
    top = height + gap
    below = top + dot * BAR_DOTS + gap
    page = np.ones((below + digits + gap, wide, 3))
    page[:height, :width] = picture
    page[top : below - gap, margin : wide - margin] = _colours(np.linspace(0, 1, wide - 2 * margin)[:, None], 1.0)
    for place, tick in zip(np.linspace(margin, wide - margin, len(legend.ticks)), legend.ticks, strict=True):
        ink = _written(tick, dot)
        left = int(np.clip(place - ink.shape[1] / 2, 0, wide - ink.shape[1]))
        page[below : below + digits, left : left + ink.shape[1]] -= ink[..., None]
    pixels: NDArray[np.uint8] = np.rint(255 * page.clip(0, 1)).astype(np.uint8)
    return pixels


def scale_colours(steps: int = 16) -> list[str]:
    """The scale's colours in CSS, in equal steps from no uncertainty to the brightest."""
    rows = _colours(np.linspace(0, 1, steps + 1)[:, None], 1.0)
    return [f"rgb({','.join(str(round(255 * value)) for value in row)})" for row in rows.tolist()]


def _colours(share: Array, power: float) -> Array:
    """(..., 1) of the brightest → (..., 3)"""
    level = np.clip(share, 0, 1) ** power
    return np.concatenate([np.clip(2 * level, 0, 1), np.clip(2 * level - 0.7, 0, 1), level**4], axis=-1)


def _written(text: str, dot: int) -> Array:
    """Signs as (5, 4 for each) dots, 1 where there is ink."""
    rows = [[int(bit) for letter in text for bit in f"{int(_ROWS[letter][row]):03b}0"] for row in range(5)]
    return np.array(rows, float).repeat(dot, axis=0).repeat(dot, axis=1)
