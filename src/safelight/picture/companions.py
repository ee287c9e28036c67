"""What a JPEG carries beside its picture, and cannot after it was edited: videos, gain maps, further pictures.

Each gets a warning, and the claims about it in the XMP are taken out, since no reader would find what they promise.
"""

from safelight.picture import tiff, xmp
from safelight.picture.causes import jpeg_segments

_GAIN_MAP = (b"urn:iso:std:iso:ts:21496", b"hdrgm:Version", b"http://ns.adobe.com/hdr-gain-map", b"HDRGainMap")
_MOTION = (b"MotionPhoto=", b"MotionPhoto>", b"MicroVideo=", b"MicroVideo>")
_DEPTH = (b"http://ns.google.com/photos/1.0/depthmap", b"http://ns.google.com/photos/dd/1.0/device")
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
    more = _further_pictures(segments) - (GAIN_MAP_LEFT_OUT in warnings)
    if more > 0:
        warnings.append(f"holds {more + 1} pictures; only the first is kept")
    return warnings, xmp.without_companions(packet) if packet and warnings else packet


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
