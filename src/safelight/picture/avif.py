"""Exact EXIF in AVIF files: the item that holds it gets the original bytes.

An AVIF is made of boxes (ISO/IEC 14496-12), each with its size and its kind. `meta` lists the file's items: `iinf` has
their kinds, and `iloc` says where their bytes lie. The new bytes go to the file's end, and `iloc` then points to them.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

PREFIX = b"\0\0\0\6Exif\0\0"
"""What comes before the block in its item: how many bytes come before its TIFF header (ISO/IEC 23008-12, A.2.1)."""
_FILE_OFFSET = 0
"""The way of saying where an item lies (`construction_method`) that counts from the file's start."""


class Box(NamedTuple):
    """One of them."""

    kind: bytes
    start: int
    """Of its content."""
    end: int


def with_exif(encoded: bytes, block: bytes) -> bytes:
    """The same AVIF with exactly this block, where it has some EXIF already. Raises ValueError for another file."""
    meta = _only(boxes(encoded, 0, len(encoded)), b"meta")
    inner = list(boxes(encoded, meta.start + 4, meta.end))
    item = _item(encoded, _only(inner, b"iinf"), b"Exif")
    payload = PREFIX + block
    box = struct.pack(">I4s", 8 + len(payload), b"mdat")
    out = bytearray(encoded + box + payload)
    _point(out, _only(inner, b"iloc"), item, (len(encoded) + len(box), len(payload)))
    return bytes(out)


def boxes(data: bytes, start: int, end: int) -> Iterator[Box]:
    """Those between two places. Raises ValueError for one that leads nowhere."""
    while start + 8 <= end:
        size, kind = struct.unpack(">I4s", data[start : start + 8])
        head = 8
        if size == 1 and start + 16 <= end:  # a long one
            size, head = int.from_bytes(data[start + 8 : start + 16], "big"), 16
        size = size or end - start  # 0: to the end
        if size < head or start + size > end:
            raise ValueError("a box that leads nowhere")
        yield Box(kind, start + head, start + size)
        start += size


def _only(found_boxes: Iterator[Box] | list[Box], kind: bytes) -> Box:
    found = next((box for box in found_boxes if box.kind == kind), None)
    if found is None:
        raise ValueError(f"no box {kind.decode()}")
    return found


def _item(data: bytes, iinf: Box, kind: bytes) -> int:
    """The number of the item of a kind."""
    entries = iinf.start + (6 if data[iinf.start] == 0 else 8)
    for entry in boxes(data, entries, iinf.end):
        if entry.kind == b"infe" and data[entry.start] == 2 and data[entry.start + 8 : entry.start + 12] == kind:
            return int(struct.unpack(">H", data[entry.start + 4 : entry.start + 6])[0])
    raise ValueError(f"no item {kind.decode()}")


def _point(data: bytearray, iloc: Box, item: int, place: tuple[int, int]) -> None:
    """Overwrite where an item of one extent lies: (offset, size)."""
    version, sizes, base_size = data[iloc.start], data[iloc.start + 4], data[iloc.start + 5] >> 4
    offset_size, length_size = sizes >> 4, sizes & 15
    wide = 2 if version < 2 else 4
    at = iloc.start + 6 + wide
    for _ in range(int.from_bytes(data[at - wide : at], "big")):
        number = int.from_bytes(data[at : at + wide], "big")
        method = at + wide
        at = method + (2 if version else 0) + 2
        base = at
        extents = int.from_bytes(data[at + base_size : at + base_size + 2], "big")
        at += base_size + 2
        if number == item and extents == 1 and (offset_size, length_size) == (4, 4):
            if version:
                data[method : method + 2] = struct.pack(">H", _FILE_OFFSET)
            data[base : base + base_size] = bytes(base_size)
            data[at : at + 8] = struct.pack(">II", *place)
            return
        at += extents * (offset_size + length_size)
    raise ValueError("the item's place is told in another way")
