"""Pictures as bytes of the usual lossy formats, to measure beside: pixels alone, without metadata."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pyvips
from numpy.typing import NDArray

from safelight.picture.vips import from_vips, to_vips

Format = Literal["jpeg", "webp", "avif"]
_SAVERS: Mapping[Format, tuple[str, dict[str, Any]]] = {
    "jpeg": ("jpegsave_buffer", {"optimize_coding": True, "subsample_mode": "auto", "interlace": True}),
    "webp": ("webpsave_buffer", {"effort": 6}),
    "avif": ("heifsave_buffer", {"compression": "av1", "subsample_mode": "off", "effort": 3}),  # effort 3: speed 6
}


def encode(pixels: NDArray[np.uint8], kind: Format, quality: int) -> bytes:
    """(H, W, 1 or 3) → a file. `quality` is the encoder's own number."""
    saver, options = _SAVERS[kind]
    data: bytes = getattr(to_vips(pixels), saver)(Q=quality, keep="none", **options)
    return data


def decode(data: bytes) -> NDArray[np.uint8]:
    """The pixels of such a file."""
    pixels = from_vips(pyvips.Image.new_from_buffer(data, ""))
    assert pixels.dtype == np.uint8
    return pixels  # type: ignore[return-value]
