"""Exact metadata in encoded files: what libvips writes is swapped for the original bytes.

libexif, through which libvips goes, rewrites a block: it drops unknown tags, cuts some MakerNotes and
flattens UTF-8 to ASCII. So a file is encoded with a placeholder, and its payload is replaced here. In PNG
the XMP becomes an iTXt chunk, as XMP part 3 asks for, since other programs read zTXt as Latin-1. Both
ways libvips makes up a density where there is none. AVIF has a module of its own.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from safelight.picture.picture import Metadata
from safelight.picture.png import text_chunk

_EXIF_PREFIX = b"Exif\0\0"
_PNG_XMP = b"XML:com.adobe.xmp\0"
JPEG_EXIF_LIMIT = 65533 - len(_EXIF_PREFIX)
JPEG_XMP_LIMIT = 60_000
"""The standard allows 65,502 bytes; libvips silently drops from about this size on."""


class _Part(NamedTuple):
    """A segment or chunk: its name, where it starts and ends in the file, and its payload."""

    name: bytes
    start: int
    end: int
    payload: bytes


class Density(NamedTuple):
    """Pixels per unit of length across and down."""

    x: float
    y: float
    per_inch: float
    """Units in an inch; 0 if no unit is told, so that the numbers tell only the pixels' shape."""

    @property
    def dpi(self) -> tuple[float, float] | None:
        """In dots per inch, if a unit is told."""
        return (round(self.x * self.per_inch, 3), round(self.y * self.per_inch, 3)) if self.per_inch else None

    @property
    def is_shape(self) -> bool:
        """Whether it tells that pixels are not square, and nothing else."""
        return not self.per_inch and self.x != self.y


def density(file: BinaryIO, container: str) -> Density | None:
    """What a JPEG's JFIF header or a PNG's pHYs chunk says."""
    head = file.read(18)
    if container == "jpeg":
        if len(head) < 18 or head[6:10] != b"JFIF":
            return None
        unit, x, y = struct.unpack(">BHH", head[13:18])
        return Density(x, y, {1: 1.0, 2: 2.54}.get(unit, 0.0)) if x and y else None
    file.seek(8)
    while len(head := file.read(8)) == 8 and head[4:] != b"IDAT":
        size = struct.unpack(">I", head[:4])[0]
        if head[4:] == b"pHYs" and size == 9:
            x, y, unit = struct.unpack(">IIB", file.read(9))
            return Density(x, y, 0.0254 if unit == 1 else 0.0) if x and y else None
        file.seek(size + 4, 1)
    return None


def is_lossless_webp(file: BinaryIO) -> bool:
    """By the first chunk that holds pixels."""
    file.seek(12)
    while len(head := file.read(8)) == 8:
        (size,) = struct.unpack("<I", head[4:])
        if head[:4] in (b"VP8L", b"VP8 ", b"ANMF"):
            return head[:4] == b"VP8L"
        file.seek(size + size % 2, 1)
    return False


def with_exact(encoded: bytes, container: str, metadata: Metadata) -> bytes:
    """The same JPEG, PNG or WebP with exactly this EXIF, density and text, or none; in PNG also this XMP."""
    if container == "jpeg":
        return _jpeg(encoded, metadata)
    if container == "png":
        return _png(encoded, metadata)
    return _webp(encoded, metadata.exif)


def _jpeg(encoded: bytes, metadata: Metadata) -> bytes:
    """JFIF first, then EXIF, then what was there, then comments; libvips writes only one of the first two."""
    exif, dpi = metadata.exif, metadata.dpi
    others, rest = b"", 2
    for part in _jpeg_segments(encoded):
        if not part.payload.startswith((b"JFIF\0", _EXIF_PREFIX)):
            others += encoded[part.start : part.end]
        rest = part.end
    unit, (x, y) = (1, dpi) if dpi else (0, (1, 1))
    jfif = b"JFIF\0\1\1" + struct.pack(">BHH", unit, *(min(max(round(d), 1), 65535) for d in (x, y))) + b"\0\0"
    segments = [_segment(b"\xe0", jfif)] + ([_segment(b"\xe1", _EXIF_PREFIX + exif)] if exif is not None else [])
    comments = [_segment(b"\xfe", text.encode()) for _, text in metadata.texts]
    return encoded[:2] + b"".join(segments) + others + b"".join(comments) + encoded[rest:]


def _segment(marker: bytes, payload: bytes) -> bytes:
    return b"\xff" + marker + struct.pack(">H", len(payload) + 2) + payload


def _jpeg_segments(encoded: bytes) -> Iterator[_Part]:
    """Segments up to the start of the scan."""
    offset = 2
    while offset + 4 <= len(encoded) and encoded[offset] == 0xFF and encoded[offset + 1] != 0xDA:
        end = offset + 2 + struct.unpack(">H", encoded[offset + 2 : offset + 4])[0]
        yield _Part(encoded[offset + 1 : offset + 2], offset, end, encoded[offset + 4 : end])
        offset = end


def _png(encoded: bytes, metadata: Metadata) -> bytes:
    dropped = {b"eXIf"} if metadata.dpi else {b"eXIf", b"pHYs"}
    chunks = [
        encoded[part.start : part.end]
        for part in _png_chunks(encoded)
        if part.name not in dropped and not part.payload.startswith(_PNG_XMP)
    ]
    if metadata.xmp is not None:
        chunks.insert(1, _png_chunk(b"iTXt", _PNG_XMP + b"\0\0\0\0" + metadata.xmp))
    if metadata.exif is not None:
        chunks.insert(1, _png_chunk(b"eXIf", metadata.exif))
    chunks[1:1] = [_png_chunk(*text_chunk(key, text)) for key, text in metadata.texts]
    return encoded[:8] + b"".join(chunks)


def _png_chunk(name: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + name + payload + struct.pack(">I", zlib.crc32(name + payload))


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
