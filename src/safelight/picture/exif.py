"""EXIF blocks: read, edit and write the TIFF structure that holds them (TIFF 6.0 §2; CIPA DC-008).

A block is a chain of directories (IFDs). The first describes the picture and points to the Exif, GPS and
Interoperability directories; the second would describe the thumbnail, which is never carried on, since
it would show the old picture. Values are kept byte for byte, MakerNotes at their old offset, because
several makers store offsets in them that count from the start of the block.
"""

import struct
from dataclasses import dataclass, field, replace
from typing import BinaryIO

from safelight.picture.tiff import (
    IPTC,
    PHOTOSHOP,
    RESOLUTION_UNIT,
    SIZES,
    X_RESOLUTION,
    Y_RESOLUTION,
    Header,
    Ifd,
    Page,
    Take,
    Value,
    numbers,
    read_header,
    read_ifd,
    set_resolution,
)

ORIENTATION = 0x0112
LYING = (5, 6, 7, 8)
"""Orientations of pictures that lie on their side."""
PIXEL_WIDTH, PIXEL_HEIGHT, PLACES = 0xA002, 0xA003, frozenset({0x9214, 0xA214})
"""Tags of the Exif directory: the picture's size, and where its subject is."""
EXIF_IFD, GPS_IFD, INTEROP_IFD, MAKER_NOTE = 0x8769, 0x8825, 0xA005, 0x927C
DESCRIPTIVE_TAGS = frozenset(
    {0x010D, 0x010E, 0x010F, 0x0110, 0x011D, 0x0131, 0x0132, 0x013B, 0x013C, 0x4746, 0x4749, 0x8298}
    | {0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F}
    | {0x000B, 0x0151, 50735, 50971}
    | {0x011E, 0x011F, 34118, 34680, 34682}  # where a page lies; what electron microscopes say
)
"""The tags of a TIFF's main directory that describe the photograph, not the file."""
MEASURING_TAGS = frozenset({33550, 33922, 34264, 34735, 34736, 34737, 42112, 42113, 50844})
"""GeoTIFF's and GDAL's: where on Earth the pixels are, and what their numbers mean. Only TIFFs have them."""
PLACE_ON_EARTH = frozenset({33550, 33922, 34264, 50844})
"""Those of them that say where each pixel lies: scale, tie points, transformation, polynomial."""
STRUCTURE = (
    frozenset(range(254, 267))
    | frozenset({273, 274, 277, 278, 279, 280, 281, 282, 283, 284, 292, 293, 296, 297, 317, 320, 330, 338, 339, 347})
    | frozenset(range(322, 328))
    | frozenset(range(512, 522))
    | frozenset({529, 530, 531, 532, 700, 34665, 34675, 34853, 40965})
)
"""Tags that say how pixels are stored, which a new file says anew; or that are read elsewhere."""
NO_UNIT = 1
"""The unit of a density that is none: of counts for each pixel, as ImageJ has them."""


NAMES_OF_OTHERS = {50838: "labels and overlays of ImageJ", 50839: "labels and overlays of ImageJ"}
"""Tags of other programs that many files have."""
ONE = Value(5, 1, struct.pack("<II", 1, 1))
"""The rational number 1."""


@dataclass(frozen=True)
class Exif:
    """The directories of one block."""

    main: Ifd = field(default_factory=dict)
    exif: Ifd = field(default_factory=dict)
    gps: Ifd = field(default_factory=dict)
    interop: Ifd = field(default_factory=dict)
    maker_note_offset: int = 0

    @property
    def orientation(self) -> int:
        """1 to 8; 1 if it is not told."""
        value = self.main.get(ORIENTATION)
        told = numbers(value) if value is not None else ()
        return told[0] if told else 1

    def with_iptc(self, records: bytes) -> "Exif":
        """The same with a TIFF's IPTC records."""
        return replace(self, main=self.main | {IPTC: Value(7, len(records), records)})

    def turned(self, orientation: int) -> "Exif":
        """The same of a picture that was turned upright: densities change places, and places on Earth are left out."""
        main = {tag: value for tag, value in self.main.items() if orientation == 1 or tag not in PLACE_ON_EARTH}
        if orientation in LYING and {X_RESOLUTION, Y_RESOLUTION} <= main.keys():
            main |= {X_RESOLUTION: main[Y_RESOLUTION], Y_RESOLUTION: main[X_RESOLUTION]}
        return replace(self, main=main)

    def without_measures(self) -> "Exif":
        """The same without what only TIFFs have."""
        return replace(self, main={tag: value for tag, value in self.main.items() if tag not in MEASURING_TAGS})

    def upright(self) -> "Exif":
        """The same with an orientation, if there is one, of 1. The size is turned, and places are left out."""
        if ORIENTATION not in self.main:
            return self
        detail = dict(self.exif)
        if self.orientation != 1:
            detail = {tag: value for tag, value in detail.items() if tag not in PLACES}
        if self.orientation in LYING and {PIXEL_WIDTH, PIXEL_HEIGHT} <= detail.keys():
            detail |= {PIXEL_WIDTH: detail[PIXEL_HEIGHT], PIXEL_HEIGHT: detail[PIXEL_WIDTH]}
        return replace(self, main=self.main | {ORIENTATION: Value(3, 1, struct.pack("<H", 1))}, exif=detail)

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


def parse_tiff_file(file: BinaryIO, page: Page) -> Exif:
    """The photograph's EXIF out of a TIFF page's own directory, without the tags that describe the file."""

    def take(offset: int, size: int) -> bytes:
        file.seek(offset)
        return file.read(size)

    kept = DESCRIPTIVE_TAGS | MEASURING_TAGS
    if page.number(RESOLUTION_UNIT, 2) == NO_UNIT and page.ifd.get(X_RESOLUTION) != ONE:
        kept |= {X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT}
    return _parse(take, keep=kept, at=page.offset)


def serialise(exif: Exif) -> bytes:
    """A little-endian block."""
    header = b"II*\0" + struct.pack("<I", 8)
    return header + _layout(exif, base=8)


def not_in_tiff(exif: Exif) -> list[int]:
    """Tags of a block's main directory that a TIFF's directory does not get."""
    return sorted(exif.main.keys() - STRUCTURE - DESCRIPTIVE_TAGS - MEASURING_TAGS - {IPTC, ORIENTATION})


def says_more(block: bytes | None, than: bytes | None) -> bool:
    """Whether a block has a tag that another lacks, or has with another value."""
    if block is None or block == than:
        return False
    if than is None:
        return True
    pairs = zip(vars(parse(block)).values(), vars(parse(than)).values(), strict=True)
    return any(isinstance(own, dict) and not own.items() <= other.items() for own, other in pairs)


def left_out_tags(page: Page) -> list[str]:
    """Tags of a TIFF's page that a result does not have, by their names, or by their numbers."""
    lost = sorted(page.ifd.keys() - STRUCTURE - DESCRIPTIVE_TAGS - MEASURING_TAGS - {IPTC, PHOTOSHOP})
    return list(dict.fromkeys(NAMES_OF_OTHERS.get(tag, str(tag)) for tag in lost))


def set_tiff_density(file: BinaryIO, exif: Exif) -> None:
    """Give every page of a little-endian TIFF file the density without a unit that the EXIF has, or none.

    For files whose density in inches is not known: libvips would make one up. Raises ValueError for another TIFF.
    """
    x, y = (exif.main.get(tag, ONE) for tag in (X_RESOLUTION, Y_RESOLUTION))
    set_resolution(file, x, y, NO_UNIT)


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

    directory, following = read_ifd(take, old, Header("<", is_big=False, first=old))
    described = {tag: value for tag, value in exif.main.items() if tag in DESCRIPTIVE_TAGS | MEASURING_TAGS | {IPTC}}
    end = file.seek(0, 2)
    base = end + end % 2
    merged = replace(exif, main=described | directory, maker_note_offset=0)
    file.write(b"\0" * (base - end) + _layout(merged, base, following))
    file.seek(4)
    file.write(struct.pack("<I", base))


def _parse(take: Take, keep: frozenset[int] | None, at: int | None = None) -> Exif:
    header = read_header(take)
    main, _ = read_ifd(take, header.first if at is None else at, header)

    def child(parent: Ifd, tag: int) -> tuple[Ifd, int]:
        pointer = parent.pop(tag, None)
        where = numbers(pointer) if pointer is not None else ()
        return (read_ifd(take, where[0], header)[0], where[0]) if len(where) == 1 else ({}, 0)

    (exif, exif_offset), (gps, _) = child(main, EXIF_IFD), child(main, GPS_IFD)
    interop, _ = child(exif, INTEROP_IFD)
    if keep is not None:
        main = {tag: value for tag, value in main.items() if tag in keep}
    maker_note_offset = _value_offset(take, exif_offset, header.order, MAKER_NOTE) if exif and not header.is_big else 0
    return Exif(main, exif, gps, interop, maker_note_offset=maker_note_offset)


def _value_offset(take: Take, ifd_offset: int, order: str, wanted: int) -> int:
    """Where in the block the value of `wanted` lies; 0 if it is not there or inline."""
    (count,) = struct.unpack(order + "H", take(ifd_offset, 2))
    table = take(ifd_offset + 2, 12 * count)
    for tag, kind, number, where in struct.iter_unpack(order + "HHII", table[: len(table) // 12 * 12]):
        if tag == wanted and SIZES.get(kind, 0) * number > 4:
            return int(where)
    return 0


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
