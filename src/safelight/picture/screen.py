"""Pictures on a screen: tiles of any level of detail as PNG, in 8 bits of sRGB. Exports never pass through here."""

import math
import threading

import numpy as np
import pyvips
from numpy.typing import NDArray

from safelight.errors import PictureError
from safelight.picture.opening import Source, format_of_image, name_of, open_image
from safelight.picture.picture import Picture
from safelight.picture.scale import Scale
from safelight.picture.vips import from_vips, reason, to_vips

TILE_PX, THUMBNAIL_PX = 512, 160
COMPRESSION = 0
"""Of PNG: a screen waits for it, no disk holds it, and it does not leave the machine."""


class Pyramid:
    """A picture in halves of its size: level 0 is the picture, level k has 1/2^k of its height and width.

    `scale` says which of the picture's numbers are black and white on the screen. Levels are made when they are first
    asked for, and calls from several threads are safe.
    """

    def __init__(self, picture: Picture, scale: Scale) -> None:
        self.picture, self.scale = picture, scale
        self._lock = threading.Lock()
        self._levels: dict[int, tuple[NDArray[np.generic], NDArray[np.generic] | None]] = {
            0: (picture.pixels, picture.alpha)
        }

    @property
    def levels(self) -> int:
        """How many there are; the last one fits into a tile."""
        return 1 + max(0, math.ceil(math.log2(max(self.picture.size) / TILE_PX)))

    def tile(self, level: int, column: int, row: int) -> bytes | None:
        """A tile of at most TILE_PX x TILE_PX as PNG; None where the level, the column or the row does not exist."""
        if not (0 <= level < self.levels and column >= 0 and row >= 0):
            return None
        pixels, alpha = self._level(level)
        region = np.s_[row * TILE_PX : (row + 1) * TILE_PX, column * TILE_PX : (column + 1) * TILE_PX]
        if 0 in pixels[region].shape:
            return None
        part = self.picture.with_(pixels=pixels[region], alpha=None if alpha is None else alpha[region])
        return png_for_screen(part, self.scale)

    def thumbnail(self) -> bytes:
        """As `png_thumbnail`, of a picture that is in memory."""
        pixels, alpha = self._level(self.levels - 1)
        image = _for_screen(self.picture.with_(pixels=pixels, alpha=alpha), self.scale)
        return _png(image.thumbnail_image(THUMBNAIL_PX, height=THUMBNAIL_PX, size="down"))

    def _level(self, level: int) -> tuple[NDArray[np.generic], NDArray[np.generic] | None]:
        with self._lock:
            if level not in self._levels:
                pixels, alpha = self._levels[0]
                self._levels[level] = _smaller(pixels, level), None if alpha is None else _smaller(alpha, level)
            return self._levels[level]


def png_for_screen(picture: Picture, scale: Scale) -> bytes:
    """The whole picture as PNG: `scale` becomes black and white, and colours those of sRGB; alpha stays."""
    return _png(_for_screen(picture, scale))


def _for_screen(picture: Picture, scale: Scale) -> pyvips.Image:
    image = _in_srgb(to_vips(_eight_bits(picture.pixels, scale)), picture.metadata.icc)
    if picture.alpha is not None:
        image = image.bandjoin(to_vips(picture.with_(pixels=picture.alpha, alpha=None).with_depth(8).pixels))
    return image


def _png(image: pyvips.Image) -> bytes:
    data: bytes = image.pngsave_buffer(compression=COMPRESSION, keep="none")
    return data


def _eight_bits(pixels: NDArray[np.generic], scale: Scale) -> NDArray[np.uint8]:
    """Black is 0 and white 255."""
    if pixels.dtype == np.uint8 and (scale.low, scale.width) == (0, 255):
        return np.ascontiguousarray(pixels, dtype=np.uint8)
    values = (pixels.astype(np.float32) - np.float32(scale.low)) * np.float32(255 / scale.width)
    eight: NDArray[np.uint8] = np.rint(np.clip(np.nan_to_num(values, posinf=255.0), 0, 255)).astype(np.uint8)
    return eight


def png_thumbnail(source: Source) -> bytes:
    """A picture's file as a small PNG, shrunk while it is decoded where its format can. Raises PictureError."""
    image = open_image(source)
    shrink = max(k for k in (1, 2, 4, 8) if k == 1 or k * THUMBNAIL_PX <= max(image.width, image.height))
    if shrink > 1 and format_of_image(image) == "jpeg":
        image = open_image(source, shrink=shrink)
    try:
        small = image.thumbnail_image(THUMBNAIL_PX, height=THUMBNAIL_PX, size="down")
        shown = small.colourspace("srgb") if small.bands >= 3 else small.colourspace("b-w")
        return _png(shown.cast("uchar"))
    except pyvips.Error as error:
        raise PictureError(f"{name_of(source)}: cannot be shown ({reason(error)}); is it whole?") from None


def png_thumbnail_of(picture: Picture) -> bytes:
    """A picture in memory as a small PNG."""
    small = to_vips(picture.with_depth(8).pixels).thumbnail_image(THUMBNAIL_PX, height=THUMBNAIL_PX, size="down")
    return _png(small)


def png_of(pixels: NDArray[np.floating]) -> bytes:
    """(H, W, 1 or 3) between 0 and 1, colours of sRGB already."""
    eight = np.rint(255 * np.clip(pixels, 0, 1)).astype(np.uint8)
    return _png(to_vips(eight))


def _in_srgb(image: pyvips.Image, profile: bytes | None) -> pyvips.Image:
    """Converted from its profile; as it is if there is none, or one that nothing can be done with."""
    if profile is None:
        return image
    marked = image.copy()
    marked.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    try:
        shown = marked.icc_transform("srgb", embedded=True, intent="relative")
        return to_vips(from_vips(shown))  # computed now, so that an error is raised here
    except pyvips.Error:
        return image


def _smaller(pixels: NDArray[np.generic], level: int) -> NDArray[np.generic]:
    """By averages of 2^level x 2^level."""
    return from_vips(to_vips(pixels).shrink(1 << level, 1 << level, ceil=True))
