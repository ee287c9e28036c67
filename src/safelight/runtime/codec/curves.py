"""Rate and distortion of a codec, and of the usual formats, on the same pictures."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from safelight.metrics import psnr_db
from safelight.picture import Picture
from safelight.picture.encode import Format, decode, encode
from safelight.runtime.codec.codec import Codec

Pixels = NDArray[np.uint8]
Curve = list[tuple[float, float]]
"""Points (bits per pixel, PSNR in dB), each the mean over the pictures."""


def codec_curve(codec: Codec, pictures: Sequence[Pixels], qualities: Iterable[int]) -> Curve:
    """By the bytes of whole files."""
    return [_mean(_codec_point(codec, picture, quality) for picture in pictures) for quality in qualities]


def format_curve(kind: Format, pictures: Sequence[Pixels], qualities: Iterable[int]) -> Curve:
    """The same of a usual format, without metadata."""
    return [_mean(_format_point(kind, picture, quality) for picture in pictures) for quality in qualities]


def _codec_point(codec: Codec, pixels: Pixels, quality: int) -> tuple[float, float]:
    made = codec.encode(Picture(pixels), quality)
    return bits_per_pixel(made.data, pixels), psnr_db(made.decoded / 255, pixels / 255)


def _format_point(kind: Format, pixels: Pixels, quality: int) -> tuple[float, float]:
    data = encode(pixels, kind, quality)
    return bits_per_pixel(data, pixels), psnr_db(decode(data) / 255, pixels / 255)


def bits_per_pixel(data: bytes, pixels: Pixels) -> float:
    """Of a file."""
    height, width = pixels.shape[:2]
    return 8 * len(data) / int(height * width)


def _mean(points: Iterable[tuple[float, float]]) -> tuple[float, float]:
    rates, qualities = zip(*points, strict=True)
    return float(np.mean(rates)), float(np.mean(qualities))
