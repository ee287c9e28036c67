"""One size and one number of channels for all pictures of a set, by a stated rule."""

from collections import Counter
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from safelight.dataset.images import ImageSet, Pixels
from safelight.errors import PictureError, UsageError
from safelight.picture.luma import BT601
from safelight.picture.vips import from_vips, to_vips

Fit = Literal["crop", "pad", "stretch"]
SMALLEST_PX, LARGEST_PX = 16, 256
SQUARES_PX = (256, 128, 64, 32, 16)
LOOKED_AT = 64
"""Pictures, evenly spread over the set, of which a form is chosen."""
ALIKE_DB = 38.0
"""PSNR of two pictures that look alike."""


class Form(NamedTuple):
    """What a model takes."""

    height: int
    width: int
    channels: int
    """1 or 3"""
    fit: Fit = "crop"
    """crop: scaled until it covers the form, its centre taken; pad: scaled until it fits in, black around it;
    stretch: each side by itself."""

    @property
    def values(self) -> int:
        """Of one picture."""
        return self.height * self.width * self.channels


def choose_form(images: ImageSet, size_px: int | None, channels: int | None, fit: Fit) -> Form:
    """What is asked for, and where nothing is, what some of the pictures suggest.

    Their size if they all have one; else the largest square of 16, 32, ..., 256 px whose side at least half of them
    reach with their shorter side. Grey if all are. Raises UsageError if none can be read or they are too small.
    """
    loaded = (_pixels(images, k) for k in _spread(len(images)))
    shapes = Counter(pixels.shape for pixels in loaded if pixels is not None)
    if not shapes:
        raise UsageError(f"none of {min(LOOKED_AT, len(images))} pictures can be read; look at the set: safelight data")
    shorter = sorted(min(shape[:2]) for shape in shapes.elements())
    height, width = next(iter(shapes))[:2]
    same = len({shape[:2] for shape in shapes}) == 1 and shorter[0] >= SMALLEST_PX and max(height, width) <= LARGEST_PX
    if size_px is not None:
        height = width = size_px
    elif not same:
        middle = shorter[len(shorter) // 2]
        height = width = next((side for side in SQUARES_PX if side <= middle), 0)
    if min(height, width) < SMALLEST_PX:
        raise UsageError(f"most pictures are under {SMALLEST_PX} px; give data.size_px in the recipe to enlarge them")
    return Form(height, width, channels or max(shape[2] for shape in shapes), fit)


def finest_px(images: ImageSet, form: Form) -> int:
    """The side in pixels to which pictures of a form can be shrunk and still hold nearly all of their detail.

    Pictures that were enlarged before have less detail than pixels. The side of the form is halved as long as some
    pictures, together, keep a PSNR of `ALIKE_DB` without the waves that half the side cannot hold. Pictures that cannot
    be read say nothing.
    """
    loaded = (_pixels(images, k) for k in _spread(len(images)))
    powers = [_power(fitted(pixels, form)) for pixels in loaded if pixels is not None]
    finest = side = min(form.height, form.width)
    if not powers:
        return finest
    power = np.mean(powers, axis=0)
    while side % 2 == 0 and side // 2 >= SMALLEST_PX:
        side //= 2
        rows, columns = (np.abs(np.fft.fftfreq(n)) > side / min(form.height, form.width) / 2 for n in power.shape)
        if power[rows[:, None] | columns].sum() > 255**2 / 10 ** (ALIKE_DB / 10):
            break
        finest = side
    return finest


def _power(pixels: Pixels) -> NDArray[np.float64]:
    """Of the waves of a picture, mirrored so that its borders fit: (2H, 2W), together the mean square in bytes."""
    whole = np.concatenate([pixels, pixels[::-1]]).astype(np.float64)
    whole = np.concatenate([whole, whole[:, ::-1]], axis=1)
    power: NDArray[np.float64] = np.square(np.abs(np.fft.fft2(whole, axes=(0, 1)))).mean(axis=2)
    return power / power.size**2


def fitted(pixels: Pixels, form: Form) -> Pixels:
    """(H, W, C) → the form's (H, W, C)."""
    if pixels.shape[:2] != (form.height, form.width):
        pixels = _resized(pixels, form)
    if pixels.shape[2] < form.channels:
        return np.repeat(pixels, 3, axis=2)
    if pixels.shape[2] > form.channels:
        grey: Pixels = np.rint(pixels @ BT601).astype(np.uint8)[..., None]
        return grey
    return np.ascontiguousarray(pixels)


def unit(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(B, H, W, C) in bytes → (B, C, H, W) in [0, 1], as models take them."""
    planar = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)).astype(np.float32)
    scaled: NDArray[np.float32] = planar / np.float32(255)
    return scaled


def _resized(pixels: Pixels, form: Form) -> Pixels:
    picture = to_vips(pixels)
    if form.fit == "pad":
        inner = picture.thumbnail_image(form.width, height=form.height, size="both")
        whole = inner.gravity("centre", form.width, form.height)
    else:
        how = {"crop": "centre"} if form.fit == "crop" else {"size": "force"}
        whole = picture.thumbnail_image(form.width, height=form.height, **how)
    return from_vips(whole).astype(np.uint8, copy=False)


def _spread(count: int) -> list[int]:
    return sorted({k * count // LOOKED_AT for k in range(LOOKED_AT)}) if count else []


def _pixels(images: ImageSet, index: int) -> Pixels | None:
    try:
        return images.load(index).pixels
    except PictureError:
        return None
