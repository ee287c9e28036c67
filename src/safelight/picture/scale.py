"""The picture's own scale: which of its numbers are black and white, and which are no light at all.

Photographs use their whole range, so a picture of 8 bits always has the full scale. Measurements often do not: 12 bits
in 16, a camera's counts above an offset, heights, decibels. Of pictures of 16 bits and of floats the rule is:

    low, high      the 0.1st and the 99.9th percentile of all values that are finite, not marked as missing, and not
                   one value, such as -9999, that is repeated far from all others
    16 bits        the own scale low..high if high is below a quarter of the range, or if high - low is below an eighth
                   of it; else the full scale. Hot pixels are left out: those as far above the 99th percentile as that
                   is above low, if they are few and almost none has such a neighbour
    float          the full scale 0..1 if the picture looks like a photograph, else the own scale. In a photograph,
                   means of 8x8 pixels are mostly above -0.05, some are 0.25 or more (noise alone goes beyond), and at
                   most one value in a hundred is above 1.5
    far values     beyond low - 2 (high - low) and high + 2 (high - low): neither restored nor looked at

What is not finite, what the file marks as missing, and far values are *holes*: they stay as they are.
"""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from safelight.errors import PictureError
from safelight.picture.picture import OVERSHOOT, Picture

SAMPLE = 1_000_000
PERCENTILES = (0.1, 99.0, 99.9)
DARK = 0.25
"""A 99.9th percentile below this share of the range is not that of a photograph."""
NARROW = 0.125
"""A range of values below this share of the whole one is not that of a photograph."""
HOT_SHARE, MOST_HOT = 0.9, 0.01
"""Of the bright pixels those that stand alone, from which on they are hot pixels; and of all pixels, at most."""
FLAT_SHARE, SMALLEST_WIDTH = 1e-3, 1e-12
"""The width of a scale around one flat float, in shares of it; and at least."""
BELOW_BLACK = -0.05
BLOCK_PX = 8
FAR = 2.0
"""In widths of the scale, beyond its ends."""
ScaleChoice = tuple[float, float] | Literal["auto", "full"]


class Scale(NamedTuple):
    """Numbers of a picture that a model sees as 0 and as 1."""

    low: float
    high: float

    @property
    def width(self) -> float:
        """From black to white."""
        return self.high - self.low


@dataclass(frozen=True)
class Measured:
    """A picture's scale, and its holes."""

    scale: Scale
    holes: NDArray[np.bool_] | None
    """(H, W, C): values that stay as they are; None if there are none."""


def measure_scale(picture: Picture, choice: ScaleChoice = "auto") -> Measured:
    """By the rule above, or as asked. Raises PictureError for a picture without a single value."""
    full = Scale(0.0, picture.full_scale)
    missing = _missing(picture)
    if choice != "auto" or picture.bits < 16:
        return Measured(full if isinstance(choice, str) else Scale(*choice), missing)
    values = picture.pixels if missing is None else picture.pixels[~missing]
    if not values.size:
        raise PictureError("holds no values, only missing ones; there is nothing to restore")
    seen = _some(values if missing is not None or picture.bits == 32 else _without_hot(picture.pixels))
    low, typical, high = (float(v) for v in np.percentile(_without_marks(seen), PERCENTILES))
    is_wide = high >= DARK * picture.full_scale and high - low >= NARROW * picture.full_scale
    if picture.bits < 32 and is_wide:
        return Measured(full, missing)
    if picture.bits == 32 and typical <= OVERSHOOT and _is_photographic(picture.pixels, missing):
        return Measured(full, missing)
    if high <= low:  # one flat value
        high = low + (1.0 if picture.bits < 32 else max(FLAT_SHARE * abs(low), SMALLEST_WIDTH))
    scale = Scale(low, high)
    with np.errstate(invalid="ignore", over="ignore"):
        far = (picture.pixels < low - FAR * scale.width) | (picture.pixels > high + FAR * scale.width)
    holes = far if missing is None else far | missing
    return Measured(scale, holes if holes.any() else None)


def filled(pixels: NDArray[np.generic], holes: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(H, W, C) with the holes filled by what surrounds them, from the nearest scale at which something does.

    Push and pull: Gortler et al., "The lumigraph", SIGGRAPH 1996, §3.4.
    """
    weights = (~holes).astype(np.float32)
    values = np.where(holes, 0, pixels).astype(np.float32)
    return _pulled(values, weights)


def _pulled(values: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values where the weight is 1; elsewhere those of a picture of half the size."""
    if weights.all() or max(values.shape[:2]) == 1:
        return values
    height, width, channels = values.shape
    even = [(0, height % 2), (0, width % 2), (0, 0)]
    blocks = (-1, 2, -(-width // 2), 2, channels)
    sums, counts = (np.pad(x, even).reshape(blocks).sum((1, 3)) for x in (values * weights, weights))
    coarse = _pulled(sums / np.maximum(counts, 1), (counts > 0).astype(np.float32))
    upper = coarse.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]
    return np.where(weights > 0, values, upper)


def _missing(picture: Picture) -> NDArray[np.bool_] | None:
    """What is not finite, and what the file marks as missing."""
    found = np.zeros(picture.pixels.shape, bool)
    if picture.pixels.dtype == np.float32:
        found |= ~np.isfinite(picture.pixels)
    if picture.missing is not None and _is_number_of(picture.missing, picture.pixels.dtype):
        found |= picture.pixels == picture.pixels.dtype.type(picture.missing)
    return found if found.any() else None


def _is_number_of(value: float, dtype: np.dtype[Any]) -> bool:
    """Whether pixels of the type can have the value."""
    if dtype.kind == "f":
        return bool(abs(value) <= np.finfo(dtype).max)
    return value.is_integer() and np.iinfo(dtype).min <= value <= np.iinfo(dtype).max


def _without_marks(values: NDArray[np.generic]) -> NDArray[np.float64]:
    """Without a lowest and a highest value that are repeated, and farther from the rest than the rest is wide."""
    rest: NDArray[np.float64] = np.sort(values.astype(np.float64))
    for lowest in (True, False):
        mark = rest[0] if lowest else rest[-1]
        others = rest[rest != mark]
        if len(others) and len(rest) - len(others) > 1:
            gap = others[0] - mark if lowest else mark - others[-1]
            low, high = np.percentile(others, PERCENTILES[::2])
            rest = others if gap > FAR * (high - low) > 0 else rest
    return rest


def _without_hot(pixels: NDArray[np.generic]) -> NDArray[np.generic]:
    """(H, W, C) of integers, or the values without hot pixels."""
    low, typical = np.percentile(_some(pixels).astype(np.float64), PERCENTILES[:2])
    bright = pixels > 2 * typical - low
    if not 0 < bright.mean() <= MOST_HOT:
        return pixels
    around = np.pad(bright, ((1, 1), (1, 1), (0, 0)))
    beside = around[:-2, 1:-1] | around[2:, 1:-1] | around[1:-1, :-2] | around[1:-1, 2:]
    return pixels if (bright & beside).sum() > (1 - HOT_SHARE) * bright.sum() else pixels[~bright]


def _is_photographic(pixels: NDArray[np.generic], missing: NDArray[np.bool_] | None) -> bool:
    """Whether means of blocks are where those of photographs are."""
    seen = np.ones(pixels.shape, np.float32) if missing is None else (~missing).astype(np.float32)
    rows, columns = (-(-side // BLOCK_PX) for side in pixels.shape[:2])
    beyond = [(0, rows * BLOCK_PX - pixels.shape[0]), (0, columns * BLOCK_PX - pixels.shape[1]), (0, 0)]
    values = pixels if missing is None else np.where(missing, 0, pixels)
    sums, counts = (
        np.pad(x, beyond).reshape((rows, BLOCK_PX, columns, BLOCK_PX, -1)).sum((1, 3), dtype=np.float64)
        for x in (values, seen)
    )
    means = sums[counts > 0] / counts[counts > 0]
    return bool(np.percentile(means, 1) >= BELOW_BLACK and means.max() >= DARK)


def _some(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """An even part of many values, of all channels."""
    flat, step = values.reshape(-1), max(1, values.size // SAMPLE)
    return flat[:: step + (step % 3 == 0)]
