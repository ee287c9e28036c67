"""Pictures in 8 or 16 bits or float, as OpenCV takes and gives them."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from safelight.picture.luma import BT601
from safelight.picture.picture import FULL_SCALE

Pixels = NDArray[Any]
"""(H, W, 1) grey or (H, W, 3) RGB; uint8, uint16, or float32 with white at 1."""
LUMA = BT601.astype(np.float32)[None]
"""(1, 3)"""


def as_picture(values: Any) -> Pixels:
    """OpenCV drops the axis of a single channel."""
    array = np.asarray(values)
    wide: Pixels = array[..., None] if array.ndim == 2 else array
    return wide


def full_scale(pixels: Pixels) -> float:
    """The number that means white."""
    return FULL_SCALE[pixels.dtype.name]


def to_float(pixels: Pixels) -> NDArray[np.float32]:
    """White at 1."""
    return pixels.astype(np.float32) * np.float32(1 / full_scale(pixels))


def like(values: NDArray[np.floating], pixels: Pixels) -> Pixels:
    """Float with white at 1 → the number format of `pixels`; whole numbers are rounded and clipped."""
    if pixels.dtype == np.float32:
        return values.astype(np.float32, copy=False)
    scale = full_scale(pixels)
    rounded: Pixels = np.rint(np.clip(values * np.float32(scale), 0, scale)).astype(pixels.dtype)
    return rounded


def luma(pixels: Pixels) -> Pixels:
    """(H, W, C) → (H, W), in the same number format."""
    if pixels.shape[2] == 1:
        return pixels[..., 0]
    return np.asarray(cv2.transform(pixels, LUMA)).reshape(pixels.shape[:2])


def with_luma(pixels: Pixels, before: Pixels, after: Pixels) -> Pixels:
    """Every channel moved by as much as the luma was: what is coloured keeps its colour."""
    if pixels.shape[2] == 1:
        return as_picture(after)
    wide = np.int16 if pixels.dtype == np.uint8 else np.int32 if pixels.dtype == np.uint16 else np.float32
    change = after.astype(wide) - before
    moved: Pixels = pixels + change[..., None]
    return (
        moved.astype(np.float32) if wide is np.float32 else moved.clip(0, int(full_scale(pixels))).astype(pixels.dtype)
    )
