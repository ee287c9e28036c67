"""HEIC pictures, by pi-heif (extra `heif`): a decoder of HEVC, which libvips' own build has not."""

from pathlib import Path

import numpy as np
import pyvips

from safelight.errors import PictureError
from safelight.picture.avif import boxes
from safelight.picture.causes import HEIC_MEND
from safelight.picture.vips import to_vips


def open_heic(source: str | Path | bytes, name: str, left_out: str) -> pyvips.Image:
    """An image with the fields that libvips gives an AVIF, upright already. Raises PictureError.

    The field `left_out` has a warning of what the file holds beside it, if there is something.
    """
    try:
        import pi_heif
    except ModuleNotFoundError:
        raise PictureError(f"{name}: is a HEIC picture; {HEIC_MEND}") from None
    try:
        picture = pi_heif.open_heif(source, convert_hdr_to_8bit=False)
        pixels = np.array(picture)  # a copy: the decoder's memory lives no longer than `picture`
    except (OSError, ValueError, EOFError, RuntimeError, SyntaxError) as error:
        reason = " ".join(str(error).split())
        raise PictureError(f"{name}: is damaged or cut off ({reason}); copy it again from where it came") from None
    image = to_vips(pixels if pixels.ndim == 3 else pixels[..., None]).copy()
    fields = {"icc-profile-data": "icc_profile", "exif-data": "exif", "xmp-data": "xmp"}
    for field, theirs in fields.items():
        if picture.info.get(theirs):
            image.set_type(pyvips.GValue.blob_type, field, picture.info[theirs])
    for field, value in {"vips-loader": "heifload", "heif-compression": "hevc"}.items():
        image.set_type(pyvips.GValue.gstr_type, field, value)
    image.set_type(pyvips.GValue.gint_type, "bits-per-sample", int(picture.info.get("bit_depth", 8)))
    image.set_type(pyvips.GValue.gint_type, "orientation", 1)
    beside = {"depth_images": "depth map", "aux": "auxiliary picture"}
    lost = [words for field, words in beside.items() if picture.info.get(field)]
    if _has_video(source):
        lost.append("moving part (a video)")
    if lost:
        image.set_type(pyvips.GValue.gstr_type, left_out, f"its {' and its '.join(lost)} was left out")
    return image


def _has_video(source: str | Path | bytes) -> bool:
    """Whether a box with a video stands beside the picture (motion photograph)."""
    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    try:
        return any(box.kind == b"mpvd" for box in boxes(data, 0, len(data)))
    except ValueError:
        return False
