"""The uncertainty as a picture that a person can see, with its scale."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
BRIGHTEST = 1 / 8
"""The standard deviation that is drawn brightest, of white."""
TICKS_255 = (0, 2, 8, 18, 32)
"""Standard deviations in 1/255 below the scale, in equal steps: brightness rises as the square root does."""
BAR_DOTS, MARGIN_DOTS, GAP_DOTS, LEAST_WIDTH_PX = 8, 12, 4, 320
PX_PER_DOT, LEAST_DOT_PX = 400, 2
"""A picture's width in px for each px of a digit's dot."""
_ROWS = {
    "0": "75557", "1": "26227", "2": "71747", "3": "71717", "4": "55711", "5": "74717", "6": "74757", "7": "71111",
    "8": "75757", "9": "75717", "/": "11244",
}  # fmt: skip
"""Each row of a digit of 3 x 5 dots, as a number of three bits."""


def glow(std: Array) -> Array:
    """(H, W, C) standard deviation, white at 1 → a glow from black over red to yellow, (H, W, 3)."""
    return _colours(np.sqrt(np.mean(np.square(std), axis=2, keepdims=True)))


def with_scale(std: Array) -> NDArray[np.uint8]:
    """The glow of (H, W, C), above its scale in 1/255: (H + some px, W or a little more, 3)."""
    picture = glow(std)
    height, width = picture.shape[:2]
    dot, wide = max(LEAST_DOT_PX, width // PX_PER_DOT), max(width, LEAST_WIDTH_PX)
    gap, margin, digits = dot * GAP_DOTS, dot * MARGIN_DOTS, dot * 5
    top = height + gap
    below = top + dot * BAR_DOTS + gap
    page = np.ones((below + digits + gap, wide, 3))
    page[:height, :width] = picture
    share = np.linspace(0, 1, wide - 2 * margin)
    page[top : below - gap, margin : wide - margin] = _colours(BRIGHTEST * np.square(share)[:, None])
    for place, tick in zip(np.linspace(margin, wide - margin, len(TICKS_255)), TICKS_255, strict=True):
        ink = _written(f"{tick}/255" if tick else "0", dot)
        left = int(np.clip(place - ink.shape[1] / 2, 0, wide - ink.shape[1]))
        page[below : below + digits, left : left + ink.shape[1]] -= ink[..., None]
    pixels: NDArray[np.uint8] = np.rint(255 * page.clip(0, 1)).astype(np.uint8)
    return pixels


def scale_colours(steps: int = 16) -> list[str]:
    """The scale's colours in CSS, in equal steps from no uncertainty to the brightest."""
    rows = _colours(BRIGHTEST * np.square(np.linspace(0, 1, steps + 1))[:, None])
    return [f"rgb({','.join(str(round(255 * value)) for value in row)})" for row in rows.tolist()]


def _colours(std: Array) -> Array:
    """(..., 1) → (..., 3)"""
    level = np.sqrt(np.clip(std / BRIGHTEST, 0, 1))
    return np.concatenate([np.clip(2 * level, 0, 1), np.clip(2 * level - 0.7, 0, 1), level**4], axis=-1)


def _written(text: str, dot: int) -> Array:
    """Digits as (5, 4 for each) dots, 1 where there is ink."""
    rows = [[int(bit) for letter in text for bit in f"{int(_ROWS[letter][row]):03b}0"] for row in range(5)]
    return np.array(rows, float).repeat(dot, axis=0).repeat(dot, axis=1)
