"""Rate and distortion of a codec, and of the usual formats, on the same pictures."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from safelight.metrics import psnr_db
from safelight.picture import Picture
from safelight.picture.encode import Format, decode, encode
from safelight.runtime.codec.codec import Codec

Pixels = NDArray[np.uint8]
Encoder = Callable[[Pixels, int], tuple[bytes, Pixels]]
"""(pixels, quality) → the file, and what it decodes to."""
BETWEEN_DB = (25.0, 38.0)
"""PSNR between which BD-rates are taken."""
Curve = list[tuple[float, float]]
"""Points (bits per pixel, PSNR in dB), each the mean over the pictures."""


def by_codec(codec: Codec) -> Encoder:
    """A codec, with files as `compress` writes them."""

    def coded(pixels: Pixels, quality: int) -> tuple[bytes, Pixels]:
        made = codec.encode(Picture(pixels), quality)
        return made.data, made.decoded.astype(np.uint8)

    return coded


def by_format(kind: Format) -> Encoder:
    """A usual format, without metadata."""

    def coded(pixels: Pixels, quality: int) -> tuple[bytes, Pixels]:
        data = encode(pixels, kind, quality)
        return data, decode(data, kind)

    return coded


def rate_curve(encoder: Encoder, pictures: Sequence[Pixels], qualities: Iterable[int]) -> Curve:
    """By the bytes of whole files."""
    return [_point(encoder, pictures, quality) for quality in qualities]


def _point(encoder: Encoder, pictures: Sequence[Pixels], quality: int) -> tuple[float, float]:
    rates, errors_db = [], []
    for pixels in pictures:
        data, decoded = encoder(pixels, quality)
        rates.append(bits_per_pixel(data, pixels))
        errors_db.append(psnr_db(decoded / 255, pixels / 255))
    return float(np.mean(rates)), float(np.mean(errors_db))


def bits_per_pixel(data: bytes, pixels: Pixels) -> float:
    """Of a file."""
    height, width = pixels.shape[:2]
    return 8 * len(data) / int(height * width)
