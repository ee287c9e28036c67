"""Exact metadata in encoded files: what libvips writes through libexif is swapped for the original bytes.

libexif rewrites a block: it drops unknown tags, cuts some MakerNotes and flattens UTF-8 to ASCII. So a
file is encoded with a placeholder, and the placeholder's payload is replaced here. AVIF keeps its
metadata as items addressed by offsets all over the file; there libexif's version stays.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

_EXIF_PREFIX = b"Exif\0\0"
JPEG_SEGMENT_LIMIT = 65533


class _Part(NamedTuple):
    """A segment or chunk: its name, where it starts and ends in the file, and its payload."""

    name: bytes
    start: int
    end: int
    payload: bytes


def with_exact(encoded: bytes, container: str, exif: bytes | None, dpi: tuple[float, float] | None) -> bytes:
    """The same JPEG, PNG or WebP with `exif` as its EXIF block, or none, and `dpi` as its density, or none."""
    if container == "jpeg":
        return _jpeg(encoded, exif, dpi)
    if container == "png":
        return _png(encoded, exif, keep_density=dpi is not None)
    return _webp(encoded, exif)


def _jpeg(encoded: bytes, exif: bytes | None, dpi: tuple[float, float] | None) -> bytes:
    """JFIF first, then EXIF, then what was there; libvips writes only one of the two."""
    others, rest = b"", 2
    for part in _jpeg_segments(encoded):
        if not part.payload.startswith((b"JFIF\0", _EXIF_PREFIX)):
            others += encoded[part.start : part.end]
        rest = part.end
    unit, (x, y) = (1, dpi) if dpi else (0, (1, 1))
    jfif = b"JFIF\0\1\1" + struct.pack(">BHH", unit, *(min(max(round(d), 1), 65535) for d in (x, y))) + b"\0\0"
    segments = [_segment(b"\xe0", jfif)] + ([_segment(b"\xe1", _EXIF_PREFIX + exif)] if exif is not None else [])
    return encoded[:2] + b"".join(segments) + others + encoded[rest:]


def _segment(marker: bytes, payload: bytes) -> bytes:
    return b"\xff" + marker + struct.pack(">H", len(payload) + 2) + payload


def _jpeg_segments(encoded: bytes) -> Iterator[_Part]:
    """Segments up to the start of the scan."""
    offset = 2
    while offset + 4 <= len(encoded) and encoded[offset] == 0xFF and encoded[offset + 1] != 0xDA:
        end = offset + 2 + struct.unpack(">H", encoded[offset + 2 : offset + 4])[0]
        yield _Part(encoded[offset + 1 : offset + 2], offset, end, encoded[offset + 4 : end])
        offset = end


def _png(encoded: bytes, exif: bytes | None, keep_density: bool) -> bytes:
    dropped = {b"eXIf"} if keep_density else {b"eXIf", b"pHYs"}
    chunks = [encoded[p.start : p.end] for p in _png_chunks(encoded) if p.name not in dropped]
    if exif is not None:
        body = b"eXIf" + exif
        chunks.insert(1, struct.pack(">I", len(exif)) + body + struct.pack(">I", zlib.crc32(body)))
    return encoded[:8] + b"".join(chunks)


def _png_chunks(encoded: bytes) -> Iterator[_Part]:
    offset = 8
    while offset + 12 <= len(encoded):
        end = offset + 12 + struct.unpack(">I", encoded[offset : offset + 4])[0]
        yield _Part(encoded[offset + 4 : offset + 8], offset, end, encoded[offset + 8 : end - 4])
        offset = end


def _webp(encoded: bytes, exif: bytes | None) -> bytes:
    """Replace the EXIF chunk; a file without one (and so perhaps without the extended header) is passed on."""
    body = b""
    for part in _riff_chunks(encoded):
        if part.name == b"EXIF" and exif is not None:
            body += b"EXIF" + struct.pack("<I", len(exif)) + exif + b"\0" * (len(exif) % 2)
        else:
            body += encoded[part.start : part.end]
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def _riff_chunks(encoded: bytes) -> Iterator[_Part]:
    offset = 12
    while offset + 8 <= len(encoded):
        size = struct.unpack("<I", encoded[offset + 4 : offset + 8])[0]
        end = offset + 8 + size + size % 2
        yield _Part(encoded[offset : offset + 4], offset, end, encoded[offset + 8 : offset + 8 + size])
        offset = end
