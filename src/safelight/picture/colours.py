"""What the numbers of a picture mean as colours: profiles that fit, and the colour numbers of AVIF, HEIC and PNG.

The numbers (ITU-T H.273) name primaries, transfer and matrix. Where a file has no profile, P3 becomes one. HDR curves
are refused, since the models know photographs with the curve of sRGB.
"""

import struct
from typing import NamedTuple

import pyvips

from safelight.errors import PictureError
from safelight.picture.causes import HEAD_BYTES
from safelight.picture.opening import Source, head_of, name_of, stream_of
from safelight.picture.png import png_chunks

_HDR = {16: "PQ", 18: "HLG"}
_OTHER_CURVES = {4: "a gamma of 2.2", 5: "a gamma of 2.8", 8: "a linear scale", 9: "a logarithmic scale"}
_SRGB_LIKE, _P3 = (1, 2), 12
_PRIMARIES = {
    4: "BT.470 M",
    5: "PAL",
    6: "NTSC",
    7: "SMPTE 240M",
    8: "film",
    9: "BT.2020",
    11: "DCI-P3",
    22: "EBU 3213",
}
ICC_SIGNATURE = b"acsp"
"""At offset 36 of every profile."""


class ColourNumbers(NamedTuple):
    """Of H.273."""

    primaries: int
    transfer: int


def colour_profile(
    image: pyvips.Image, icc: bytes | None, source: Source, container: str
) -> tuple[bytes | None, list[str]]:
    """The profile that the result keeps, and warnings. Raises PictureError for HDR curves."""
    numbers = _numbers(source, container)
    if numbers is not None and numbers.transfer in _HDR:
        raise PictureError(
            f"{name_of(source)}: is an HDR picture ({_HDR[numbers.transfer]} curve), which is not restored in this "
            "version; export it in SDR first"
        )
    if icc is not None:
        return _fitting(image, icc)
    if numbers is not None and numbers.transfer in _OTHER_CURVES:
        curve = _OTHER_CURVES[numbers.transfer]
        return None, [f"its values have {curve}, which no profile says in the result; it may look brighter or darker"]
    if numbers is None or numbers.primaries in _SRGB_LIKE:
        return None, []
    if numbers.primaries == _P3:
        return bytes(pyvips.Image.profile_load("p3")), []
    name = _PRIMARIES.get(numbers.primaries, f"number {numbers.primaries}")
    return None, [f"its colours are those of {name}, which no profile says in the result; colours may shift"]


def _fitting(image: pyvips.Image, icc: bytes) -> tuple[bytes | None, list[str]]:
    """A profile of the picture's own kind stays; another one is left out, with a warning."""
    if len(icc) < 132 or icc[36:40] != ICC_SIGNATURE:
        return None, ["its colour profile is damaged and was left out"]
    space, channels = icc[16:20], 3 if image.bands >= 3 else 1
    if space == b"RGB " and channels == 1:
        return None, ["its colour profile is of colours and the picture is grey; it was left out"]
    if space == b"GRAY" and channels == 3:
        return None, ["its colour profile is of grey and the picture has colours; it was left out"]
    return icc, []


def _numbers(source: Source, container: str) -> ColourNumbers | None:
    if container in ("avif", "heic"):
        _, box, rest = head_of(source, HEAD_BYTES).partition(b"colrnclx")
        return ColourNumbers(*struct.unpack(">HH", rest[:4])) if box and len(rest) >= 4 else None
    if container == "png":
        with stream_of(source) as file:
            payload = next((payload for name, payload in png_chunks(file) if name == b"cICP"), b"")
        if len(payload) == 4 and payload[3] == 0:
            raise PictureError(f"{name_of(source)}: has video levels (narrow range); convert it to full range first")
        return ColourNumbers(payload[0], payload[1]) if len(payload) == 4 else None
    return None
