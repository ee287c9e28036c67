"""Between a picture's numbers and the integers that the programs take and give.

The programs' pixels are 256 units for each step of 8 bits: 0 is black, 65,280 is white.
"""

import numpy as np
from numpy.typing import NDArray

from safelight.coding.container import BITS
from safelight.coding.program import Integers
from safelight.errors import PictureError
from safelight.picture import Picture
from safelight.picture.luma import BT601

WHITE = 65280
MIDDLE = WHITE // 2
LOW_BYTE = 256
EIGHT_BIT_MIDDLE = 128
_LUMA = np.rint(BT601 * 2**16).astype(np.int64)


def check(picture: Picture) -> None:
    """Raises PictureError for pictures that the codec does not take."""
    if picture.pixels.dtype == np.float32:
        raise PictureError("has values of 32-bit float, and a .latent file holds 8 to 16 bits; convert it first")
    if picture.bits not in BITS:
        raise PictureError(f"has {picture.bits} bits; a .latent file holds {', '.join(map(str, BITS))}")


def split(pixels: NDArray[np.integer]) -> tuple[Integers, Integers | None]:
    """(H, W, 1 or 3) of 8 or 16 bits → (3, H, W): the nearest step of 8 bits, about 128.

    Of 16 bits also what is beyond that step, in the programs' units.
    """
    planar = np.broadcast_to(pixels, (*pixels.shape[:2], 3)).transpose(2, 0, 1).astype(np.int64)
    if pixels.dtype == np.uint8:
        return planar - EIGHT_BIT_MIDDLE, None
    units = (planar * 256 + 128) // 257
    high = np.minimum((units + LOW_BYTE // 2) // LOW_BYTE, 255)
    return high - EIGHT_BIT_MIDDLE, units - high * LOW_BYTE


def from_units(values: Integers, bits: int, grey: bool) -> NDArray[np.integer]:
    """(3, H, W) about the middle, as the synthesis gives it → (H, W, 1 or 3) of 8 or 16 bits."""
    clipped = np.clip(values + MIDDLE, 0, WHITE)
    if grey:
        clipped = ((_LUMA[:, None, None] * clipped).sum(0, keepdims=True) + 2**15) >> 16
        clipped = np.minimum(clipped, WHITE)
    if bits == 8:
        whole = (clipped + LOW_BYTE // 2) // LOW_BYTE
        return np.ascontiguousarray(whole.transpose(1, 2, 0)).astype(np.uint8)
    whole = (clipped * 257 + 128) // 256
    return np.ascontiguousarray(whole.transpose(1, 2, 0)).astype(np.uint16)
