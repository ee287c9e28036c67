"""Between a picture's own numbers and the model's: windows of planar RGB in [0, 1].

Colour. RGB values go in as they are, gamma-encoded in the picture's own space, and its profile stays
with the result: no conversion, so no rounding and no gamut clipping.
Grey is shown to the model as three equal channels and comes back as their average. The same holds for a picture in
colour whose three channels are equal, so that its samples have no coloured specks.
Alpha. Colour is premultiplied on the way in, so that what hides under transparency cannot bleed into
what shows, and divided again on the way out; where nothing shows, colour is passed on as it is.
Scale. Black and white are those of the picture's own scale (`picture.scale`). Holes are filled by what surrounds them
before the model looks, and come back as they were.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from safelight.picture import Picture
from safelight.picture.scale import Scale, ScaleChoice, filled, measure_scale

Array = NDArray[np.float32]
_BAND_PX = 256
"""Rows that are looked at together."""


@dataclass(frozen=True)
class Canvas:
    """A picture, the numbers that the model shall see as 0 and 1, and values that it shall not see."""

    picture: Picture
    scale: Scale
    holes: NDArray[np.bool_] | None
    """(H, W, C), or None if there are none."""

    @cached_property
    def identity(self) -> str:
        """Names the picture by its pixels, for noise that differs from picture to picture."""
        return hashlib.blake2b(np.ascontiguousarray(self.picture.pixels).data, digest_size=16).hexdigest()

    @staticmethod
    def of(picture: Picture, choice: ScaleChoice = "auto") -> "Canvas":
        """Measure the picture's scale, or take the one that is asked for. Raises PictureError if nothing is there."""
        measured = measure_scale(picture, choice)
        return Canvas(picture, measured.scale, measured.holes)

    @cached_property
    def is_colourless(self) -> bool:
        """Whether it is grey, or in colour with three equal channels."""
        pixels = self.picture.pixels
        bands = (pixels[start : start + _BAND_PX] for start in range(0, len(pixels), _BAND_PX))
        return all(
            np.array_equal(band[..., k], band[..., 0], equal_nan=True)
            for band in bands
            for k in range(1, band.shape[2])
        )

    @cached_property
    def whole(self) -> NDArray[np.generic]:
        """The pixels without holes."""
        return self.picture.pixels if self.holes is None else filled(self.picture.pixels, self.holes)

    def take(self, rows: tuple[int, int], columns: tuple[int, int]) -> Array:
        """(3, rows, columns) of the picture extended to the right and below by its mirror image."""
        height, width, _ = self.picture.pixels.shape
        inside = np.s_[rows[0] : min(rows[1], height), columns[0] : min(columns[1], width)]
        window = (self.whole[inside].astype(np.float32) - np.float32(self.scale.low)) / np.float32(self.scale.width)
        if self.picture.alpha is not None:
            window *= self.picture.alpha[inside].astype(np.float32) / np.float32(self.picture.full_scale)
        beyond = [(0, rows[1] - rows[0] - window.shape[0]), (0, columns[1] - columns[0] - window.shape[1]), (0, 0)]
        window = np.pad(window, beyond, mode="symmetric") if any(b for _, b in beyond) else window
        planar = np.moveaxis(window, 2, 0)
        return np.ascontiguousarray(np.broadcast_to(planar, (3, *planar.shape[1:])))

    def pixels(self, planar: Array, rows: tuple[int, int], columns: tuple[int, int]) -> NDArray[np.generic]:
        """Planar RGB for a region of the picture → its own kind of pixels."""
        values = self.spread(planar, rows, columns) + np.float32(self.scale.low)
        if self.picture.bits < 32:
            rounded = np.rint(np.clip(values, 0, self.picture.full_scale))
            values = rounded.astype(self.picture.pixels.dtype)
        region = slice(*rows), slice(*columns)
        unseen = None if self.picture.alpha is None else self.picture.alpha[region] == 0
        if self.holes is not None:
            unseen = self.holes[region] if unseen is None else unseen | self.holes[region]
        return values if unseen is None else np.where(unseen, self.picture.pixels[region], values)

    def spread(self, planar: Array, rows: tuple[int, int], columns: tuple[int, int]) -> Array:
        """Differences in the model's units → in the picture's, (rows, columns, C) float32; 0 where nothing shows."""
        values = np.moveaxis(planar, 0, 2)
        if self.is_colourless:
            values = np.broadcast_to(
                values.mean(axis=2, keepdims=True), (*values.shape[:2], self.picture.pixels.shape[2])
            )
        if self.picture.alpha is not None:
            alpha = self.picture.alpha[slice(*rows), slice(*columns)].astype(np.float32) / np.float32(
                self.picture.full_scale
            )
            values = np.divide(values, alpha, out=np.zeros_like(values), where=alpha > 0)
        return np.ascontiguousarray(values * np.float32(self.scale.width))
