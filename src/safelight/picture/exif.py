"""EXIF blocks: read, edit and write the TIFF structure that holds them (TIFF 6.0 §2; CIPA DC-008).

A block is a chain of directories (IFDs). The first describes the picture and points to the Exif, GPS and
Interoperability directories; the second would describe the thumbnail, which is never carried on, since
it would show the old picture. Values are kept byte for byte, MakerNotes at their old offset, because
several makers store offsets in them that count from the start of the block.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import BinaryIO, NamedTuple

import numpy as np

ORIENTATION, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 0x0112, 0x011A, 0x011B, 0x0128
EXIF_IFD, GPS_IFD, INTEROP_IFD, MAKER_NOTE = 0x8769, 0x8825, 0xA005, 0x927C
DESCRIPTIVE_TAGS = frozenset({0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x013C, 0x8298, 0x9C9B, 0x9C9C, 0x9C9D})
"""The tags of a TIFF's main directory that describe the photograph, not the file."""
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_WORDS = {3: 2, 4: 4, 5: 4, 8: 2, 9: 4, 10: 4, 11: 4, 12: 8}
_LIMIT_BYTES = 16 << 20


class Value(NamedTuple):
    """One tag's value: TIFF type and number of items, and its bytes in little-endian order."""

    kind: int
    number: int
    data: bytes


Ifd = dict[int, Value]


@dataclass(frozen=True)
class Exif:
    """The directories of one block."""

    main: Ifd = field(default_factory=dict)
    exif: Ifd = field(default_factory=dict)
    gps: Ifd = field(default_factory=dict)
    interop: Ifd = field(default_factory=dict)
    maker_note_offset: int = 0

    def upright(self) -> "Exif":
        """The same with an orientation, if there is one, of 1."""
        if ORIENTATION not in self.main:
            return self
        return replace(self, main=self.main | {ORIENTATION: Value(3, 1, struct.pack("<H", 1))})

    def dpi(self) -> tuple[float, float] | None:
        """Resolution in dots per inch, if it is told."""
        if not {X_RESOLUTION, Y_RESOLUTION} <= self.main.keys():
            return None
        unit = self.main.get(RESOLUTION_UNIT, Value(3, 1, b"\2\0")).data[0]
        per_inch = {2: 1.0, 3: 2.54}.get(unit, 0.0)
        x, y = (_rational(self.main[tag]) * per_inch for tag in (X_RESOLUTION, Y_RESOLUTION))
        return (x, y) if x > 0 and y > 0 else None

    def with_dpi(self, dpi: tuple[float, float]) -> "Exif":
        """The same with a resolution, for containers that have no field of their own."""
        x, y = (Value(5, 1, struct.pack("<II", round(1000 * value), 1000)) for value in dpi)
        unit = Value(3, 1, struct.pack("<H", 2))
        return replace(self, main=self.main | {X_RESOLUTION: x, Y_RESOLUTION: y, RESOLUTION_UNIT: unit})


def parse(block: bytes) -> Exif:
    """Read a block; raises ValueError if it is none."""
    return _parse(lambda offset, size: block[offset : offset + size], keep=None)


def parse_tiff_file(file: BinaryIO) -> Exif:
    """The photograph's EXIF out of a TIFF file's own directory, without the tags that describe the file."""

    def take(offset: int, size: int) -> bytes:
        file.seek(offset)
        return file.read(size)

    return _parse(take, keep=DESCRIPTIVE_TAGS)


def serialise(exif: Exif) -> bytes:
    """A little-endian block."""
    header = b"II*\0" + struct.pack("<I", 8)
    return header + _layout(exif, base=8)


def append_to_tiff_file(file: BinaryIO, exif: Exif) -> None:
    """Add the directories to a little-endian TIFF file by a new main directory at its end.

    Raises ValueError for a TIFF that is not classic little-endian (libvips writes those on this kind of machine).
    """
    file.seek(0)
    if file.read(4) != b"II*\0":
        raise ValueError("not a classic little-endian TIFF")
    (old,) = struct.unpack("<I", file.read(4))

    def take(offset: int, size: int) -> bytes:
        file.seek(offset)
        return file.read(size)

    directory, following = _read_ifd(take, old, "<")
    described = {tag: value for tag, value in exif.main.items() if tag in DESCRIPTIVE_TAGS}
    end = file.seek(0, 2)
    base = end + end % 2
    merged = replace(exif, main=described | directory, maker_note_offset=0)
    file.write(b"\0" * (base - end) + _layout(merged, base, following))
    file.seek(4)
    file.write(struct.pack("<I", base))


Take = Callable[[int, int], bytes]


def _parse(take: Take, keep: frozenset[int] | None) -> Exif:
    head = take(0, 8)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 8 or struct.unpack(order + "H", head[2:4])[0] != 42:
        raise ValueError("no TIFF header")
    main, _ = _read_ifd(take, struct.unpack(order + "I", head[4:8])[0], order)

    def child(parent: Ifd, tag: int) -> tuple[Ifd, int]:
        pointer = parent.pop(tag, None)
        if pointer is None or len(pointer.data) != 4:
            return {}, 0
        offset = struct.unpack("<I", pointer.data)[0]
        return _read_ifd(take, offset, order)[0], offset

    (exif, exif_offset), (gps, _) = child(main, EXIF_IFD), child(main, GPS_IFD)
    interop, _ = child(exif, INTEROP_IFD)
    if keep is not None:
        main = {tag: value for tag, value in main.items() if tag in keep}
    maker_note_offset = _value_offset(take, exif_offset, order, MAKER_NOTE) if exif else 0
    return Exif(main, exif, gps, interop, maker_note_offset=maker_note_offset)


def _read_ifd(take: Take, offset: int, order: str) -> tuple[Ifd, int]:
    """Entries of the directory at `offset`, and the offset of the next one. Entries that lead nowhere are left out."""
    head = take(offset, 2)
    if offset < 8 or len(head) < 2:
        raise ValueError("a directory lies outside the block")
    (count,) = struct.unpack(order + "H", head)
    table = take(offset + 2, 12 * count + 4)
    ifd: Ifd = {}
    for start in range(0, min(12 * count, len(table) - 11), 12):
        tag, kind, number, where = struct.unpack(order + "HHII", table[start : start + 12])
        size = _SIZES.get(kind, 0) * number
        data = table[start + 8 : start + 8 + size] if size <= 4 else take(where, size) if size < _LIMIT_BYTES else b""
        if size and len(data) == size:
            ifd[tag] = Value(kind, number, _little(data, kind, order))
    tail = table[12 * count : 12 * count + 4]
    return ifd, struct.unpack(order + "I", tail)[0] if len(tail) == 4 else 0


def _value_offset(take: Take, ifd_offset: int, order: str, wanted: int) -> int:
    """Where in the block the value of `wanted` lies; 0 if it is not there or inline."""
    (count,) = struct.unpack(order + "H", take(ifd_offset, 2))
    table = take(ifd_offset + 2, 12 * count)
    for tag, kind, number, where in struct.iter_unpack(order + "HHII", table[: len(table) // 12 * 12]):
        if tag == wanted and _SIZES.get(kind, 0) * number > 4:
            return int(where)
    return 0


def _little(data: bytes, kind: int, order: str) -> bytes:
    if order == "<" or kind not in _WORDS:
        return data
    return np.frombuffer(data, dtype=f">u{_WORDS[kind]}").byteswap().tobytes()


def _rational(value: Value) -> float:
    if value.kind != 5 or len(value.data) < 8:
        return 0.0
    numerator, denominator = struct.unpack("<II", value.data[:8])
    return float(numerator / denominator) if denominator else 0.0


class _Pages:
    """Bytes at absolute offsets from `base` on, allocated one after the other around one reserved span."""

    def __init__(self, base: int, reserved: tuple[int, int]) -> None:
        self.base, self.cursor, self.reserved = base, base, reserved
        self.bytes = bytearray()

    def allocate(self, size: int) -> int:
        start, stop = self.reserved
        offset = self.cursor + self.cursor % 2
        if offset < stop and offset + size > start:
            offset = stop + stop % 2
        self.cursor = offset + size
        return offset

    def put(self, offset: int, data: bytes) -> None:
        end = offset - self.base + len(data)
        self.bytes.extend(b"\0" * (end - len(self.bytes)))
        self.bytes[offset - self.base : end] = data


def _layout(exif: Exif, base: int, following: int = 0) -> bytes:
    """All directories and values for a block or file in which they start at offset `base`."""
    note = exif.exif.get(MAKER_NOTE)
    first_directory_end = base + 2 + 12 * (len(exif.main) + 2) + 4
    fixed = exif.maker_note_offset if note and exif.maker_note_offset >= first_directory_end else 0
    pages = _Pages(base, (fixed, fixed + len(note.data)) if note and fixed else (0, 0))
    main, detail = dict(exif.main), dict(exif.exif)
    pointers = ((main, EXIF_IFD, detail), (main, GPS_IFD, exif.gps), (detail, INTEROP_IFD, exif.interop))
    for parent, tag, child in pointers:
        if child:
            parent[tag] = Value(4, 1, b"\0\0\0\0")
    places = [pages.allocate(2 + 12 * len(ifd) + 4) for ifd in (main, detail, exif.gps, exif.interop)]
    for (parent, tag, child), place in zip(pointers, (places[1], places[2], places[3]), strict=True):
        if child:
            parent[tag] = Value(4, 1, struct.pack("<I", place))
    for ifd, place in zip((main, detail, exif.gps, exif.interop), places, strict=True):
        if ifd or ifd is main:
            at = following if ifd is main else 0
            _write_ifd(pages, place, ifd, at, maker_note_offset=fixed if ifd is detail else 0)
    return bytes(pages.bytes)


def _write_ifd(pages: _Pages, place: int, ifd: Ifd, following: int, maker_note_offset: int) -> None:
    table = struct.pack("<H", len(ifd))
    for tag, (kind, number, data) in sorted(ifd.items()):
        if len(data) <= 4:
            table += struct.pack("<HHI", tag, kind, number) + data.ljust(4, b"\0")
            continue
        fixed = maker_note_offset if tag == MAKER_NOTE else 0
        offset = fixed or pages.allocate(len(data))
        pages.put(offset, data)
        table += struct.pack("<HHII", *(tag, kind, number, offset))
    pages.put(place, table + struct.pack("<I", following))
