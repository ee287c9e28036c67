"""The structure of TIFF files and EXIF blocks: directories of tags (TIFF 6.0 §2; BigTIFF, Aware Systems 2004).

Values are kept byte for byte, in little-endian order. Of a tag that stands twice in a directory the first counts.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

import numpy as np

SUBFILE_TYPE, OLD_SUBFILE_TYPE, BITS, COMPRESSION, PHOTOMETRIC = 254, 255, 258, 259, 262
DESCRIPTION, SAMPLES, EXTRA_SAMPLES, SAMPLE_FORMAT = 270, 277, 338, 339
PLANES, TILE_WIDTH, LAB = 284, 322, (8, 9, 10)
X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT, IPTC, PHOTOSHOP = 282, 283, 296, 33723, 34377
IPTC_START = b"\x1c"
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8, 129: 1}
"""Bytes of one item of each TIFF type."""
_WORDS = {3: 2, 4: 4, 5: 4, 8: 2, 9: 4, 10: 4, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_NUMBERS = {1: "<u1", 3: "<u2", 4: "<u4", 6: "<i1", 8: "<i2", 9: "<i4", 13: "<u4", 16: "<u8", 17: "<i8", 18: "<u8"}
_LIMIT_BYTES = 16 << 20
_MOST_PAGES = 100_000
_COLOURS = {2: 3, 5: 4, 6: 3, 8: 3, 9: 3, 10: 3}
"""Channels of each photometric interpretation that has more than one: RGB, CMYK, YCbCr and Lab."""
_MASK = 4
"""The photometric interpretation of a page that says where another one is transparent."""
_ASSOCIATED, _STRAIGHT = 1, 2
"""Kinds of transparency among extra samples; all other kinds are something else."""


class Value(NamedTuple):
    """One tag's value: TIFF type and number of items, and its bytes in little-endian order."""

    kind: int
    number: int
    data: bytes


Ifd = dict[int, Value]
Take = Callable[[int, int], bytes]
"""(offset, size) → the bytes there, or fewer."""


class Header(NamedTuple):
    """The first bytes of a file or block."""

    order: str
    """"<" or ">", as `struct` takes it."""
    is_big: bool
    first: int
    """Offset of the first directory."""


def read_header(take: Take) -> Header:
    """Raises ValueError for what is no TIFF."""
    head = take(0, 16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 8:
        raise ValueError("no TIFF header")
    (version,) = struct.unpack(order + "H", head[2:4])
    if version == 42:
        return Header(order, False, struct.unpack(order + "I", head[4:8])[0])
    if version == 43 and len(head) == 16:
        return Header(order, True, struct.unpack(order + "Q", head[8:16])[0])
    raise ValueError("no TIFF header")


def read_ifd(take: Take, offset: int, header: Header) -> tuple[Ifd, int]:
    """Entries of the directory at `offset`, and the offset of the next one. Entries that lead nowhere are left out.

    Raises ValueError for a directory outside the file.
    """
    order, is_big, _ = header
    counted, entry, pointer = ("Q", "HHQQ", "Q") if is_big else ("H", "HHII", "I")
    counted, entry, pointer = (order + kind for kind in (counted, entry, pointer))
    head = take(offset, struct.calcsize(counted))
    if offset < 8 or len(head) < struct.calcsize(counted):
        raise ValueError("a directory lies outside the file")
    count, size = struct.unpack(counted, head)[0], struct.calcsize(entry)
    inline = struct.calcsize(pointer)
    if count * size > _LIMIT_BYTES:
        raise ValueError("a directory is too large")
    table = take(offset + len(head), size * count + inline)
    ifd: Ifd = {}
    for start in range(0, min(size * count, len(table) - size + 1), size):
        tag, kind, number, where = struct.unpack(entry, table[start : start + size])
        length = SIZES.get(kind, 0) * number
        within = table[start + size - inline : start + size]
        data = within[:length] if length <= inline else take(where, length) if length < _LIMIT_BYTES else b""
        if length and len(data) == length:
            is_text = tag == IPTC and data[:1] == IPTC_START  # whatever its type says, its bytes are in order
            ifd.setdefault(tag, Value(kind, number, data if is_text else little(data, kind, order)))
    tail = table[size * count : size * count + inline]
    return ifd, struct.unpack(pointer, tail)[0] if len(tail) == inline else 0


def little(data: bytes, kind: int, order: str) -> bytes:
    """In little-endian order."""
    if order == "<" or kind not in _WORDS:
        return data
    return np.frombuffer(data, dtype=f">u{_WORDS[kind]}").byteswap().tobytes()


def numbers(value: Value) -> tuple[int, ...]:
    """Whole numbers of a tag; none for other kinds."""
    return tuple(np.frombuffer(value.data, _NUMBERS[value.kind]).tolist()) if value.kind in _NUMBERS else ()


@dataclass(frozen=True)
class Page:
    """What a file says of one of its pages."""

    ifd: Ifd
    offset: int = 0
    """Of its directory in the file."""

    def number(self, tag: int, otherwise: int) -> int:
        """The first whole number of a tag."""
        found = numbers(self.ifd[tag]) if tag in self.ifd else ()
        return found[0] if found else otherwise

    @property
    def is_thumbnail(self) -> bool:
        """Whether it is a smaller version of another page, or its mask."""
        is_mask = self.number(PHOTOMETRIC, 1) == _MASK
        return is_mask or bool(self.number(SUBFILE_TYPE, 0) & 5) or self.number(OLD_SUBFILE_TYPE, 0) == 2

    @property
    def extra_samples(self) -> tuple[int, ...]:
        """The kind of each channel beyond those of colour; 0 where the file does not say."""
        count = self.number(SAMPLES, 1) - _COLOURS.get(self.number(PHOTOMETRIC, 1), 1)
        told = numbers(self.ifd[EXTRA_SAMPLES]) if EXTRA_SAMPLES in self.ifd else ()
        return (*told, *[0] * count)[: max(0, count)]

    @property
    def unknown_channels(self) -> int:
        """Channels that are neither colour nor transparency."""
        kinds = self.extra_samples
        transparent = sum(kind in (_ASSOCIATED, _STRAIGHT) for kind in kinds)
        return len(kinds) - min(1, transparent)


def read_pages(file: BinaryIO) -> list[Page]:
    """Every page of a TIFF file, as far as the chain of directories is whole. Raises ValueError for no TIFF."""

    def take(offset: int, size: int) -> bytes:
        file.seek(offset)
        return file.read(size)

    header = read_header(take)
    pages: list[Page] = []
    offset, seen = header.first, set()
    while offset and offset not in seen and len(pages) < _MOST_PAGES:
        seen.add(offset)
        try:
            ifd, following = read_ifd(take, offset, header)
        except ValueError:
            break
        pages.append(Page(ifd, offset))
        offset = following
    return pages


def set_resolution(file: BinaryIO, x: Value, y: Value, unit: int) -> None:
    """Overwrite the density of every page of a classic little-endian TIFF, whose directories have one already.

    Raises ValueError for another kind of TIFF.
    """

    def take(offset: int, size: int) -> bytes:
        file.seek(offset)
        return file.read(size)

    header = read_header(take)
    if header.order != "<" or header.is_big:
        raise ValueError("not a classic little-endian TIFF")
    for page in read_pages(file):
        (count,) = struct.unpack("<H", take(page.offset, 2))
        for start in range(page.offset + 2, page.offset + 2 + 12 * count, 12):
            tag, _, _, where = struct.unpack("<HHII", take(start, 12))
            if tag in (X_RESOLUTION, Y_RESOLUTION):
                file.seek(where)
                file.write((x if tag == X_RESOLUTION else y).data)
            elif tag == RESOLUTION_UNIT:
                file.seek(start + 8)
                file.write(struct.pack("<HH", unit, 0))
