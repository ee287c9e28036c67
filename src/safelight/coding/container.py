"""The file: a header with a length and a CRC for each stream, then the streams. docs/format.md specifies it."""

import struct
import zlib
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from safelight.coding.tiling import BLOCK_PX, grid_of, tiles
from safelight.errors import PictureError

SIGNATURE = b"\x89LAT\r\n\x1a\n"
"""As PNG's: its bytes change when a program takes the file for text."""
VERSION = 1
MODEL_BYTES = 32
BITS = (8, 10, 12, 16)
"""Of a value, that a file may have."""
_FIXED = struct.Struct("<8sB32s")
_AFTER_SIZE = struct.Struct("<BBBI")
_CRC = struct.Struct("<I")
_BYTE = struct.Struct("B")
_LONGEST_NUMBER = 9
ROOM, LITTLE_PX = 1.1, 1e6


class Extra(IntEnum):
    """What a stream before the tiles holds. A reader passes over kinds that it does not know."""

    ICC = 1
    EXIF = 2
    XMP = 3
    IPTC = 4
    DPI = 5
    ALPHA = 6


class Flag(IntEnum):
    """Bits of the header's flags."""

    GREY = 1
    RESTORED = 2


@dataclass(frozen=True)
class Stream:
    """Where a stream lies in the file, and what its CRC must be."""

    start: int
    length: int
    crc: int

    def of(self, data: bytes) -> bytes | None:
        """Its bytes; None if they are not whole."""
        found = data[self.start : self.start + self.length]
        return found if len(found) == self.length and zlib.crc32(found) == self.crc else None


@dataclass(frozen=True)
class Header:
    """All that the file says before its streams."""

    model: bytes
    """SHA-256 of the codec's programs and tables."""
    width: int
    height: int
    bits: int
    """Of a value: 8, 10, 12 or 16."""
    quality: int
    """1 to 100."""
    pixels_crc: int = 0
    """CRC-32 of the decoded pixels, row by row, channels interleaved, little-endian."""
    grey: bool = False
    restored: bool = False
    """Whether the picture was restored before it was compressed."""
    extras: dict[int, Stream] = field(default_factory=dict)
    tiles: tuple[Stream, ...] = ()


def pack(header: Header, extras: dict[Extra, bytes], tiles: list[bytes]) -> bytes:
    """The whole file; `extras` and `tiles` of the header itself are not looked at."""
    flags = (Flag.GREY if header.grey else 0) | (Flag.RESTORED if header.restored else 0)
    head = _FIXED.pack(SIGNATURE, VERSION, header.model) + _number(header.width) + _number(header.height)
    head += _AFTER_SIZE.pack(flags, header.bits, header.quality, header.pixels_crc)
    head += _number(len(extras))
    for kind, content in extras.items():
        head += bytes([kind]) + _number(len(content)) + _CRC.pack(zlib.crc32(content))
    for tile in tiles:
        head += _number(len(tile)) + _CRC.pack(zlib.crc32(tile))
    return b"".join([head, _CRC.pack(zlib.crc32(head)), *extras.values(), *tiles])


def unpack(data: bytes, max_megapixels: float) -> Header:
    """The header of a file. Raises PictureError for what is no such file, or not of this version, or damaged."""
    if not data.startswith(SIGNATURE):
        raise PictureError(_no_signature(data))
    reader = _Reader(data)
    _, version, model = reader.fixed(_FIXED)
    if version != VERSION:
        raise PictureError(f"is of version {version}, and this program reads version {VERSION}; update Safelight")
    width, height = reader.number(), reader.number()
    flags, bits, quality, pixels_crc = reader.fixed(_AFTER_SIZE)
    _check_size(width, height, max_megapixels)
    heads = [(reader.byte(), reader.number(), *reader.fixed(_CRC)) for _ in range(reader.count())]
    tile_heads = [(reader.number(), *reader.fixed(_CRC)) for _ in tiles(grid_of(width, height))]
    end = reader.position
    (crc,) = reader.fixed(_CRC)
    if zlib.crc32(data[:end]) != crc:
        raise PictureError("its header is damaged; copy the file again from where it came")
    if bits not in BITS or not 1 <= quality <= 100 or flags & ~(Flag.GREY | Flag.RESTORED):
        raise PictureError("its header has values that this version does not know; update Safelight")
    extras, position = {}, reader.position
    for kind, length, crc in heads:
        extras[kind] = Stream(position, length, crc)
        position += length
    streams = []
    for length, crc in tile_heads:
        streams.append(Stream(position, length, crc))
        position += length
    return Header(
        model=model,
        width=width,
        height=height,
        bits=bits,
        quality=quality,
        pixels_crc=pixels_crc,
        grey=bool(flags & Flag.GREY),
        restored=bool(flags & Flag.RESTORED),
        extras=extras,
        tiles=tuple(streams),
    )


def _check_size(width: int, height: int, max_megapixels: float) -> None:
    """Before memory is asked for. What memory and time depend on is the size in whole positions."""
    rows, columns = grid_of(width, height)
    whole_px = rows * columns * BLOCK_PX**2
    if not 0 < width * height <= max_megapixels * 1e6 or whole_px > ROOM * max_megapixels * 1e6 + LITTLE_PX:
        raise PictureError(
            f"declares {width}x{height} pixels; the limit is {max_megapixels:.0f} megapixels (--max-megapixels)"
        )


def _no_signature(data: bytes) -> str:
    if not data:
        return "is empty (0 bytes); copy it again from where it came"
    if SIGNATURE.startswith(data):
        return "is cut off in its header; copy it again from where it came"
    if data[1:4] == SIGNATURE[1:4]:
        return "was changed by a transfer as text; copy it again, as binary"
    return "is no .latent file; name one that 'safelight compress' wrote"


def _number(value: int) -> bytes:
    """LEB128: seven bits a byte, the lowest first; the high bit says that more follow."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


class _Reader:
    """Reads the header from the front. Raises PictureError where it ends too early."""

    def __init__(self, data: bytes) -> None:
        self.data, self.position = data, 0

    def fixed(self, form: struct.Struct) -> tuple[Any, ...]:
        """Values of a fixed form. Raises PictureError."""
        start = self.position
        self.position += form.size
        if self.position > len(self.data):
            raise PictureError("is cut off in its header; copy it again from where it came")
        return form.unpack_from(self.data, start)

    def byte(self) -> int:
        """One byte."""
        value: int = self.fixed(_BYTE)[0]
        return value

    def number(self) -> int:
        """A number of LEB128. Raises PictureError."""
        value = 0
        for k in range(_LONGEST_NUMBER):
            byte = self.byte()
            value |= (byte & 0x7F) << 7 * k
            if byte < 0x80:
                return value
        raise PictureError("its header is damaged; copy the file again from where it came")

    def count(self) -> int:
        """How many entries follow: not more than there is room for. Raises PictureError."""
        count = self.number()
        if count > len(self.data):
            raise PictureError("its header is damaged; copy the file again from where it came")
        return count
