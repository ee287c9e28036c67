"""Tone, sharpness and shape: operations that look at values or neighbours. Each keeps size and number format."""

import math

import cv2
import numpy as np

from safelight.classic.formats import Pixels, as_picture, full_scale, like, luma, to_float, with_luma
from safelight.degrade import codec, noise
from safelight.errors import UsageError

Rng = np.random.Generator
JPEG_MOST_PX = 65500
LEVELS = 65536
"""Values that histograms of 16 bits and float tell apart."""


def gamma(pixels: Pixels, rng: Rng, *, exponent: float) -> Pixels:
    """Value ** exponent: above 1 darker, below lighter."""
    if pixels.dtype == np.uint8:
        table = np.rint(255 * (np.arange(256) / 255) ** exponent).astype(np.uint8)
        return as_picture(cv2.LUT(pixels, table))
    return like(np.maximum(to_float(pixels), 0) ** np.float32(exponent), pixels)


def equalise(pixels: Pixels, rng: Rng, *, strength: float) -> Pixels:
    """The luma's histogram made even, by so much of the way."""
    before = luma(pixels)
    levels = 256 if pixels.dtype == np.uint8 else LEVELS
    step = full_scale(pixels) / (levels - 1)
    numbers = np.clip(np.rint(before / step), 0, levels - 1).astype(np.int64)
    below = np.cumsum(np.bincount(numbers.ravel(), minlength=levels))
    least = int(below[numbers.min()])
    if least == numbers.size:
        return pixels  # of one value
    even = (below - least) / (numbers.size - least) * full_scale(pixels)
    after = before + strength * (even[numbers] - before)
    return with_luma(pixels, before, after.round(0 if pixels.dtype != np.float32 else 7).astype(before.dtype))


def clahe(pixels: Pixels, rng: Rng, *, clip: float, tiles: float) -> Pixels:
    """Contrast-limited adaptive equalisation of the luma, `tiles` to a side (Zuiderveld, Graphics Gems IV, 1994)."""
    before, equaliser = luma(pixels), cv2.createCLAHE(clip, (round(tiles), round(tiles)))
    if pixels.dtype == np.uint8:
        return with_luma(pixels, before, np.asarray(equaliser.apply(before)))
    exact = to_float(before).clip(0, 1) * np.float32(255)  # limits mean nothing for histograms of 65536 bins
    below = np.floor(exact).astype(np.uint8)
    low, high = (
        np.asarray(equaliser.apply(eight)).astype(np.float32) for eight in (below, np.ceil(exact).astype(np.uint8))
    )
    return with_luma(pixels, before, like((low + (exact - below) * (high - low)) / np.float32(255), before))


def blur(pixels: Pixels, rng: Rng, *, sigma_px: float) -> Pixels:
    """Gaussian."""
    return as_picture(cv2.GaussianBlur(pixels, (0, 0), sigma_px, borderType=cv2.BORDER_REFLECT)) if sigma_px else pixels


def sharpen(pixels: Pixels, rng: Rng, *, amount: float, sigma_px: float) -> Pixels:
    """Unsharp mask of the luma: `amount` times what a Gaussian of `sigma_px` takes away is added."""
    before = luma(pixels)
    soft = np.asarray(cv2.GaussianBlur(before, (0, 0), sigma_px, borderType=cv2.BORDER_REFLECT))
    return with_luma(pixels, before, np.asarray(cv2.addWeighted(before, 1 + amount, soft, -amount, gamma=0)))


def erode(pixels: Pixels, rng: Rng, *, radius_px: float) -> Pixels:
    """The least value in a disk about each pixel: what is dark grows."""
    return _morphology(pixels, cv2.MORPH_ERODE, radius_px)


def dilate(pixels: Pixels, rng: Rng, *, radius_px: float) -> Pixels:
    """The greatest value in a disk about each pixel: what is light grows."""
    return _morphology(pixels, cv2.MORPH_DILATE, radius_px)


def opening(pixels: Pixels, rng: Rng, *, radius_px: float) -> Pixels:
    """Eroded, then dilated: light specks go."""
    return _morphology(pixels, cv2.MORPH_OPEN, radius_px)


def closing(pixels: Pixels, rng: Rng, *, radius_px: float) -> Pixels:
    """Dilated, then eroded: dark specks go."""
    return _morphology(pixels, cv2.MORPH_CLOSE, radius_px)


def gaussian_noise(pixels: Pixels, rng: Rng, *, sigma_255: float) -> Pixels:
    """Gaussian noise of one strength in the whole picture."""
    return like(noise.gaussian_noise(to_float(pixels), rng, sigma_255=sigma_255), pixels)


def jpeg(pixels: Pixels, rng: Rng, *, quality: float) -> Pixels:
    """Through JPEG and back.

    Raises UsageError for pictures that JPEG cannot hold.
    """
    if max(pixels.shape[:2]) > JPEG_MOST_PX:
        raise UsageError(f"JPEG holds {JPEG_MOST_PX} px a side, and the picture is larger; take the step out")
    return like(codec.jpeg(to_float(pixels), rng, quality=quality), pixels)


def _morphology(pixels: Pixels, operation: int, radius_px: float) -> Pixels:
    """With a disk; a radius between whole numbers is a mixture of the two next to it."""
    inner, share = math.floor(radius_px), radius_px - math.floor(radius_px)
    small = _of_disk(pixels, operation, inner)
    if not share:
        return small
    return as_picture(cv2.addWeighted(small, 1 - share, _of_disk(pixels, operation, inner + 1), share, gamma=0))


def _of_disk(pixels: Pixels, operation: int, radius: int) -> Pixels:
    if not radius:
        return pixels
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return as_picture(cv2.morphologyEx(pixels, operation, disk, borderType=cv2.BORDER_REFLECT))
