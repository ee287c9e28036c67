"""The door to libvips: arrays in, arrays out, errors as one plain line.

Nothing here changes libvips for the program that imports it. A job on many pictures turns off libvips' cache of
operations with `without_operation_cache`: every picture passes once, and a cache would only hold memory.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pyvips
from numpy.typing import NDArray

logging.getLogger("pyvips").setLevel(logging.ERROR)

_BAND_FORMATS = {"uint8": "uchar", "uint16": "ushort", "float32": "float"}
_DTYPES = {"uchar": np.uint8, "ushort": np.uint16, "float": np.float32}
_INTERPRETATIONS = {"uchar": ("b-w", "srgb"), "ushort": ("grey16", "rgb16"), "float": ("b-w", "scrgb")}


@contextmanager
def without_operation_cache() -> Iterator[None]:
    """Within the block libvips remembers no operations."""
    before = pyvips.cache_get_max()
    pyvips.cache_set_max(0)
    try:
        yield
    finally:
        pyvips.cache_set_max(before)


def to_vips(array: NDArray[np.generic]) -> pyvips.Image:
    """(H, W, C) uint8, uint16 or float32 → image, which reads the array in place: leave it unchanged.

    One or two channels are grey (and alpha), three or four RGB (and alpha); without being told so, the
    savers would turn 16 bits into 8.
    """
    height, width, bands = array.shape
    band_format = _BAND_FORMATS[array.dtype.name]
    data = np.ascontiguousarray(array).data
    image = pyvips.Image.new_from_memory(data, width, height, bands=bands, format=band_format)
    return image.copy(interpretation=_INTERPRETATIONS[band_format][bands > 2])


def from_vips(image: pyvips.Image) -> NDArray[np.generic]:
    """Image of 8, 16 or float32 → (H, W, C), in the image's own number format."""
    flat = np.frombuffer(image.write_to_memory(), dtype=_DTYPES[image.format])
    return flat.reshape(image.height, image.width, image.bands)


def enlarged(image: pyvips.Image, width: int, height: int) -> pyvips.Image:
    """By bicubic interpolation, with the centre where it was: `resize` of libvips 8.18 moves it by half a pixel."""
    across, down = width / image.width, height / image.height
    return image.affine(
        [across, 0, 0, down],
        interpolate=pyvips.Interpolate.new("bicubic"),
        odx=(across - 1) / 2,
        ody=(down - 1) / 2,
        oarea=[0, 0, width, height],
        extend="copy",
    )


def supported(image: pyvips.Image) -> bool:
    """Whether the image's number format is one of ours."""
    return image.format in _DTYPES


def reason(error: pyvips.Error) -> str:
    """The part of libvips' message that tells a person something, in one line."""
    lines = [line.strip() for line in str(error).splitlines()]
    telling = [line for line in lines if line and "bad seek" not in line and not line.startswith("unable to call")]
    return telling[-1] if telling else "it is damaged or not a picture"
