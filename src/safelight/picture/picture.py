"""What a photograph is: pixels and everything that must not be lost with them."""

from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from safelight.errors import PictureError
from safelight.picture.descriptions import axes_alone, of_one_page

OVERSHOOT = 1.5
"""Float values up to here are white and a little more; beyond it they are on another scale than [0, 1]."""
FULL_SCALE = {"uint8": 255.0, "uint16": 65535.0, "float32": 1.0}

DESCRIPTION_LEFT_OUT = "its description (OME or shape) was left out, since it tells of all pages"


@dataclass(frozen=True)
class Metadata:
    """What travels beside the pixels, as the raw blocks of the file."""

    icc: bytes | None = None
    exif: bytes | None = None
    """A TIFF-structured EXIF block without the `Exif` prefix, orientation reset, thumbnail dropped."""
    xmp: bytes | None = None
    iptc: bytes | None = None
    dpi: tuple[float, float] | None = None
    texts: tuple[tuple[str, str], ...] = ()
    """Key and text of what a PNG's text chunks say; the comment of a JPEG has the key `Comment`."""

    def of_one_page(self) -> tuple["Metadata", list[str]]:
        """The same for one page of several, with a warning for a description that says more, and so is left out."""
        if self.exif is None:
            return self, []
        block, is_left_out = of_one_page(self.exif)
        return replace(self, exif=block), [DESCRIPTION_LEFT_OUT] if is_left_out else []


@dataclass(frozen=True)
class Picture:
    """Pixels in the file's own depth and colour space, upright, with what came with them.

    Raises PictureError for pixels that are no picture.
    """

    pixels: NDArray[Any]
    """(H, W, 1) grey or (H, W, 3) RGB; uint8, uint16 or float32 (float: 1.0 is white). (H, W) becomes (H, W, 1)."""
    alpha: NDArray[Any] | None = None
    """(H, W, 1) in the same number format, straight (not premultiplied), or None."""
    metadata: Metadata = field(default_factory=Metadata)
    format: str = "png"
    """The container it came from: jpeg, png, tiff, webp, avif, heic or gif."""
    bits: int = 0
    """Significant bits of a value: 8, 10, 12, 16 or 32; 10 and 12 bits fill the 16-bit range."""
    warnings: tuple[str, ...] = ()
    """What a person should know about how it was read."""
    missing: float | None = None
    """The value that means "nothing was measured here", if the file names one."""
    is_lossless: bool = False
    """Whether it came from a lossless file of a container that is lossy otherwise."""

    def __post_init__(self) -> None:
        if self.pixels.dtype.name not in FULL_SCALE:
            raise PictureError(f"pixels are {self.pixels.dtype}; convert them to uint8, uint16 or float32")
        if self.pixels.ndim == 2:
            object.__setattr__(self, "pixels", self.pixels[..., None])
        if self.pixels.ndim != 3 or self.pixels.shape[2] not in (1, 3) or 0 in self.pixels.shape:
            raise PictureError(f"pixels have shape {self.pixels.shape}; reshape them to (H, W, 1) or (H, W, 3)")
        if not self.bits:
            object.__setattr__(self, "bits", 8 * self.pixels.dtype.itemsize)

    def __repr__(self) -> str:
        width, height = self.size
        kind = ("grey" if self.grey else "RGB") + ("" if self.alpha is None else " with alpha")
        return f"<Picture {width}x{height}, {kind}, {self.bits} bits, {self.format}>"

    @property
    def size(self) -> tuple[int, int]:
        """Width, height."""
        return int(self.pixels.shape[1]), int(self.pixels.shape[0])

    @property
    def megapixels(self) -> float:
        """Millions of pixels."""
        width, height = self.size
        return width * height / 1e6

    @property
    def grey(self) -> bool:
        """True for one channel."""
        return bool(self.pixels.shape[2] == 1)

    @property
    def full_scale(self) -> float:
        """The number that means white: 255, 65535 or 1.0."""
        return FULL_SCALE[self.pixels.dtype.name]

    def as_float(self) -> NDArray[np.float32]:
        """(H, W, C) float32 with white at 1; values are only scaled."""
        return self.pixels.astype(np.float32) / np.float32(self.full_scale)

    def with_(self, **changes: Any) -> Self:
        """The same picture with some fields replaced."""
        return replace(self, **changes)

    def with_map(self, values: NDArray[np.float32]) -> Self:
        """Numbers for each pixel of the picture, (H, W, 1), as a float picture with its density and ImageJ's axes."""
        exif = None if self.metadata.exif is None else axes_alone(self.metadata.exif)
        metadata = Metadata(exif=exif, dpi=self.metadata.dpi)
        return replace(self, pixels=values, alpha=None, metadata=metadata, bits=32, missing=None)

    def with_depth(self, bits: int) -> Self:
        """The same picture in 8 or 16 bits (rounded and clipped) or 32 (float); alpha follows."""
        if bits == self.bits:
            return self
        dtype = {8: np.uint8, 10: np.uint16, 12: np.uint16, 16: np.uint16, 32: np.float32}[bits]
        alpha = None if self.alpha is None else convert(self.alpha, dtype)
        return replace(self, pixels=convert(self.pixels, dtype), alpha=alpha, bits=bits)


def convert(values: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """Rescale between number formats so that white stays white; equal formats are passed on as they are."""
    target = np.dtype(dtype)
    if values.dtype == target:
        return values
    if target == np.uint8 and values.dtype == np.uint16:
        eight: NDArray[Any] = ((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
        return eight
    if target == np.uint16 and values.dtype == np.uint8:
        return values.astype(np.uint16) * 257
    scaled = values.astype(np.float32) * np.float32(FULL_SCALE[target.name] / FULL_SCALE[values.dtype.name])
    if target == np.float32:
        return scaled
    rounded: NDArray[Any] = np.rint(np.clip(scaled, 0, FULL_SCALE[target.name])).astype(target)
    return rounded
