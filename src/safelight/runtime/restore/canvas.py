"""Between a picture's own numbers and the model's: windows of planar RGB in [0, 1].

Colour. RGB values go in as they are, gamma-encoded in the picture's own space, and its profile stays
with the result: no conversion, so no rounding and no gamut clipping.
Grey is shown to the model as three equal channels and comes back as their average.
Alpha. Colour is premultiplied on the way in, so that what hides under transparency cannot bleed into
what shows, and divided again on the way out; where nothing shows, colour is passed on as it is.
Float pictures on another scale than [0, 1] are scaled by their 99.9th percentile; one value in a hundred must lie
far beyond 1, since noise alone lifts some of them there.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from safelight.picture import OVERSHOOT, Picture

Array = NDArray[np.float32]
PERCENTILE_SAMPLE = 1_000_000


@dataclass(frozen=True)
class Canvas:
    """A picture and the number that the model shall see as 1."""

    picture: Picture
    white: float

    @cached_property
    def identity(self) -> str:
        """Names the picture by its pixels, for noise that differs from picture to picture."""
        return hashlib.blake2b(np.ascontiguousarray(self.picture.pixels).data, digest_size=16).hexdigest()

    @staticmethod
    def of(picture: Picture) -> "Canvas":
        """Choose the white point."""
        if picture.bits < 32:
            return Canvas(picture, picture.full_scale)
        whole = picture.pixels.reshape(-1, picture.pixels.shape[2])  # of all channels, whatever the size
        some = whole[:: max(1, picture.pixels.size // PERCENTILE_SAMPLE)]
        typical, white = np.percentile(some, (99, 99.9))
        return Canvas(picture, float(white) if typical > OVERSHOOT else 1.0)

    def take(self, rows: tuple[int, int], columns: tuple[int, int]) -> Array:
        """(3, rows, columns) of the picture extended to the right and below by its mirror image."""
        height, width, _ = self.picture.pixels.shape
        inside = np.s_[rows[0] : min(rows[1], height), columns[0] : min(columns[1], width)]
        window = self.picture.pixels[inside].astype(np.float32) / np.float32(self.white)
        if self.picture.alpha is not None:
            window *= self.picture.alpha[inside].astype(np.float32) / np.float32(self.picture.full_scale)
        beyond = [(0, rows[1] - rows[0] - window.shape[0]), (0, columns[1] - columns[0] - window.shape[1]), (0, 0)]
        window = np.pad(window, beyond, mode="symmetric") if any(b for _, b in beyond) else window
        planar = np.moveaxis(window, 2, 0)
        return np.ascontiguousarray(np.broadcast_to(planar, (3, *planar.shape[1:])))

    def pixels(self, planar: Array, rows: tuple[int, int], columns: tuple[int, int]) -> NDArray[np.generic]:
        """Planar RGB for a region of the picture → its own kind of pixels."""
        values = self.values(planar, rows, columns)
        if self.picture.bits < 32:
            rounded = np.rint(np.clip(values, 0, self.picture.full_scale))
            values = rounded.astype(self.picture.pixels.dtype)
        if self.picture.alpha is None:
            return values
        region = slice(*rows), slice(*columns)
        return np.where(self.picture.alpha[region] == 0, self.picture.pixels[region], values)

    def values(self, planar: Array, rows: tuple[int, int], columns: tuple[int, int]) -> Array:
        """The same, neither rounded nor clipped, and 0 where nothing shows: (rows, columns, C) float32."""
        values = np.moveaxis(planar, 0, 2)
        if self.picture.grey:
            values = values.mean(axis=2, keepdims=True)
        if self.picture.alpha is not None:
            alpha = self.picture.alpha[slice(*rows), slice(*columns)].astype(np.float32) / np.float32(
                self.picture.full_scale
            )
            values = np.divide(values, alpha, out=np.zeros_like(values), where=alpha > 0)
        return np.ascontiguousarray(values * np.float32(self.white))
