"""Pictures as bytes of the usual lossy formats, to measure beside: pixels alone, without metadata."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
import pyvips
from numpy.typing import NDArray

from safelight.picture.vips import from_vips, to_vips

Format = Literal["jpeg", "webp", "avif", "jxl", "jp2"]
_SAVERS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "jpeg": ("jpegsave_buffer", {"optimize_coding": True, "subsample_mode": "auto", "interlace": True}),
    "webp": ("webpsave_buffer", {"effort": 6}),
    "avif": ("heifsave_buffer", {"compression": "av1", "subsample_mode": "off", "effort": 3}),  # effort 3: speed 6
}
JXL_EFFORT = 7
JP2_DB = (20.0, 0.3)
"""JPEG 2000 is told a PSNR: so many dB, and so many more for each quality."""


def formats() -> list[Format]:
    """What can be encoded: JPEG XL and JPEG 2000 only where the package imagecodecs is installed."""
    usual: list[Format] = ["jpeg", "webp", "avif"]
    return [*usual, "jxl", "jp2"] if find_spec("imagecodecs") else usual


def encode(pixels: NDArray[np.uint8], kind: Format, quality: int) -> bytes:
    """(H, W, 1 or 3) → a file. `quality` is 1 to 100, as the encoder understands it."""
    if kind in _SAVERS:
        saver, options = _SAVERS[kind]
        data: bytes = getattr(to_vips(pixels), saver)(Q=quality, keep="none", **options)
        return data
    import imagecodecs

    if kind == "jxl":
        return bytes(imagecodecs.jpegxl_encode(pixels, distance=_jxl_distance(quality), effort=JXL_EFFORT))
    least_db, step_db = JP2_DB
    level: Any = least_db + step_db * quality  # its stub knows whole numbers only
    return bytes(imagecodecs.jpeg2k_encode(pixels, level=level, codecformat="jp2"))


def decode(data: bytes, kind: Format) -> NDArray[np.uint8]:
    """The pixels of such a file, (H, W, 1 or 3). WebP and AVIF store grey as colour."""
    if kind in _SAVERS:
        pixels = from_vips(pyvips.Image.new_from_buffer(data, ""))
    else:
        import imagecodecs

        decoded = (imagecodecs.jpegxl_decode if kind == "jxl" else imagecodecs.jpeg2k_decode)(data)
        pixels = decoded.reshape((*decoded.shape[:2], -1))
    assert pixels.dtype == np.uint8
    return pixels  # type: ignore[return-value]


def _jxl_distance(quality: int) -> float:
    """As libjxl's `JxlEncoderDistanceFromQuality` has it."""
    if quality >= 30:
        return 0.1 + (100 - quality) * 0.09
    return 53 / 3000 * quality**2 - 23 / 20 * quality + 25
