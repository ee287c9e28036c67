"""What a JPEG carries beside its picture, and cannot after it was edited: videos, gain maps, further pictures.

Each gets a warning, and the claims about it in the XMP are taken out, since no reader would find what they promise.
"""

import re

from safelight.picture import tiff, xmp
from safelight.picture.causes import jpeg_segments

_GAIN_MAP = (b"urn:iso:std:iso:ts:21496", b"hdrgm:Version", b"http://ns.adobe.com/hdr-gain-map", b"HDRGainMap")
_MOTION = (b"MotionPhoto=", b"MotionPhoto>", b"MicroVideo=", b"MicroVideo>")
_DEPTH = (b"http://ns.google.com/photos/1.0/depthmap", b"http://ns.google.com/photos/dd/1.0/device")
_NONE = (b"\0no such segment",)
_KNOWN = {
    0xE0: (b"JFIF\0", b"JFXX\0"),
    0xE1: (b"Exif\0", b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0"),
    0xE2: (b"ICC_PROFILE\0", b"MPF\0", b"urn:iso:std:iso:ts:21496"),
    0xED: (b"Photoshop 3.0\0",),
    0xEE: (b"Adobe",),
}
"""Application segments that are kept, written anew, or told by name."""
_MARKER, _END = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL), 0xD9
_EXTENDED = b"http://ns.adobe.com/xmp/extension/\0"
GAIN_MAP_LEFT_OUT = "its gain map was left out: the result is the standard picture without HDR"
MOTION_LEFT_OUT = "its moving part (a video) was left out"
DEPTH_LEFT_OUT = "its depth map was left out"
EXTENDED_LEFT_OUT = "its extended XMP was left out"


def left_out(data: bytes, packet: bytes | None) -> tuple[list[str], bytes | None]:
    """Warnings for a JPEG of these bytes and this XMP, and the XMP without claims about what is left out."""
    segments = list(jpeg_segments(data))
    told = b"".join(payload for marker, payload in segments if marker in (0xE1, 0xE2)) + (packet or b"")
    warnings = []
    if any(sign in told for sign in _GAIN_MAP):
        warnings.append(GAIN_MAP_LEFT_OUT)
    if any(sign in told for sign in _MOTION):
        warnings.append(MOTION_LEFT_OUT)
    if any(sign in told for sign in _DEPTH):
        warnings.append(DEPTH_LEFT_OUT)
    if any(payload.startswith(_EXTENDED) for _, payload in segments):
        warnings.append(EXTENDED_LEFT_OUT)
    if others := sorted({marker for marker, payload in segments if _is_unknown(marker, payload)}):
        names = ", ".join(f"APP{marker - 0xE0}" for marker in others)
        warnings.append(f"segments of other programs were left out: {names}")
    if sum(marker == 0xE1 and payload.startswith(b"Exif\0") for marker, payload in segments) > 1:
        warnings.append("its second EXIF block was left out")
    more = _further_pictures(segments) - (GAIN_MAP_LEFT_OUT in warnings)
    if more > 0:
        warnings.append(f"holds {more + 1} pictures; only the first is kept")
    if not warnings and (behind := _behind(data)):
        warnings.append(f"{behind} bytes behind the picture were left out")
    return warnings, xmp.without_companions(packet) if packet and warnings else packet


def _is_unknown(marker: int, payload: bytes) -> bool:
    """Whether it is a segment for programs whose data is not kept."""
    return 0xE0 <= marker <= 0xEF and not payload.startswith(_KNOWN.get(marker, _NONE))


def _behind(data: bytes) -> int:
    """Bytes behind the first picture's end, but for zeros that fill up."""
    at = data.find(b"\xff\xda")
    while at >= 0 and (found := _MARKER.search(data, at + 2)):
        at = found.start()
        if data[at + 1] == _END:
            return len(data[at + 2 :].rstrip(b"\0"))
        at += int.from_bytes(data[at + 2 : at + 4], "big")
    return 0


def _further_pictures(segments: list[tuple[int, bytes]]) -> int:
    """By the multi-picture format (CIPA DC-007): its index has 16 bytes for each picture."""
    block = next((payload[4:] for marker, payload in segments if marker == 0xE2 and payload.startswith(b"MPF\0")), None)
    if block is None:
        return 0
    try:
        header = tiff.read_header(lambda offset, size: block[offset : offset + size])
        ifd, _ = tiff.read_ifd(lambda offset, size: block[offset : offset + size], header.first, header)
    except ValueError:
        return 0
    entries = ifd.get(0xB002)
    return len(entries.data) // 16 - 1 if entries else 0
