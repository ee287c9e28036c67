"""Round trips through lossy codecs."""

import numpy as np
import pyvips

from safelight.degrade.light import Pixels
from safelight.picture.vips import from_vips, to_vips


def jpeg(pixels: Pixels, rng: np.random.Generator, *, quality: float, subsample: float = 1.0) -> Pixels:
    """JPEG at `quality` 1-100 (rounded); chroma is halved (4:2:0) if `subsample` ≥ 0.5.

    Source: ITU-T T.81, as libvips writes it.
    """
    mode = "on" if subsample >= 0.5 else "off"
    return _round_trip(pixels, ".jpg", Q=round(quality), subsample_mode=mode, keep="none")


def webp(pixels: Pixels, rng: np.random.Generator, *, quality: float) -> Pixels:
    """Lossy WebP at `quality` 1-100 (rounded).

    Source: RFC 9649, as libvips writes it.
    """
    return _round_trip(pixels, ".webp", Q=round(quality), effort=2, keep="none")


def quantise(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Clip and round to 8 bits, as storing in a file does.

    Source: the model of an 8-bit file.
    """
    return (_to_8bit(pixels) / np.float32(255)).astype(np.float32)


def _to_8bit(pixels: Pixels) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)


def _round_trip(pixels: Pixels, suffix: str, **options: object) -> Pixels:
    image = to_vips(_to_8bit(pixels))
    image = image.copy(interpretation="srgb" if image.bands == 3 else "b-w")
    decoded = pyvips.Image.new_from_buffer(image.write_to_buffer(suffix, **options), "")
    return from_vips(decoded)[..., : pixels.shape[2]].astype(np.float32) / np.float32(255)
