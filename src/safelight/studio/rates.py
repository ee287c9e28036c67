"""A part of a picture compressed by the codec, and by the usual formats into as many bytes."""

import threading
from collections import OrderedDict
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from safelight.evaluation.codec import at_rate
from safelight.metrics import psnr_db
from safelight.picture import Picture
from safelight.picture.encode import Format
from safelight.picture.screen import png_of
from safelight.runtime.codec.curves import bits_per_pixel, by_codec, by_format
from safelight.studio.models import Models
from safelight.studio.pictures import Pictures

PART_PX, MOST_KEPT = 512, 12
OTHERS: tuple[Format, ...] = ("jpeg", "webp", "avif")


class Coded(NamedTuple):
    """One encoder's result."""

    name: str
    bytes: int
    bits_per_pixel: float
    psnr_db: float
    pixels: NDArray[np.uint8]


class Part(NamedTuple):
    """Which part, and how well it is to be kept."""

    picture: str
    left: int
    top: int
    quality: int


class Rates:
    """Computes parts one after another, and remembers the latest."""

    def __init__(self, pictures: Pictures, models: Models) -> None:
        self._pictures, self._models = pictures, models
        self._known: OrderedDict[Part, list[Coded]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, part: Part) -> list[Coded]:
        """The part itself, then what each encoder makes of it. Raises PictureError."""
        pixels = self._pixels(part)
        with self._models.computing:
            with self._lock:
                known = self._known.get(part)
            if known is not None:
                return known
            codec = by_codec(self._models.codec())
            data, decoded = codec(pixels, part.quality)
            raw = np.ascontiguousarray(pixels).tobytes()
            coded = [_measured("original", raw, pixels, pixels), _measured("latent", data, decoded, pixels)]
            rate = bits_per_pixel(data, pixels)
            for name in OTHERS:
                coded.append(_measured(name, *at_rate(by_format(name), pixels, rate), pixels))
            with self._lock:
                self._known[part] = coded
                while len(self._known) > MOST_KEPT:
                    self._known.popitem(last=False)
        return coded

    def png(self, part: Part, name: str) -> bytes:
        """One of them. Raises FileNotFoundError for a name that is none."""
        for coded in self.of(part):
            if coded.name == name:
                return png_of(coded.pixels.astype(np.float32) / 255)
        raise FileNotFoundError(name)

    def _pixels(self, part: Part) -> NDArray[np.uint8]:
        picture = self._pictures.open(part.picture).picture
        width, height = picture.size
        left, top = (max(0, min(place, side - PART_PX)) for place, side in ((part.left, width), (part.top, height)))
        window = picture.pixels[top : top + PART_PX, left : left + PART_PX]
        return Picture(np.ascontiguousarray(window)).with_depth(8).pixels


def _measured(name: str, data: bytes, decoded: NDArray[np.uint8], pixels: NDArray[np.uint8]) -> Coded:
    decoded = decoded[..., : pixels.shape[2]]
    rate, error = bits_per_pixel(data, pixels), psnr_db(decoded / 255, pixels / 255)
    return Coded(name, len(data), bits_per_pixel=rate, psnr_db=error, pixels=decoded)
