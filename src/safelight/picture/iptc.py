"""IPTC blocks: bare records in TIFF, and in JPEG within Photoshop's image resources (Adobe, Photoshop file formats)."""

import struct
from collections.abc import Iterator

_PHOTOSHOP = b"Photoshop 3.0\0"
_RESOURCE, _RECORDS = b"8BIM", 0x0404
_FIRST_RECORD = b"\x1c"


def as_resources(block: bytes) -> bytes:
    """As JPEG holds it; a block from a JPEG stays as it is, with all its resources."""
    if block.startswith(_PHOTOSHOP):
        return block
    if block.startswith(_RESOURCE):
        return _PHOTOSHOP + block
    head = _RESOURCE + struct.pack(">HHI", _RECORDS, 0, len(block))
    return _PHOTOSHOP + head + block + b"\0" * (len(block) % 2)


def as_records(block: bytes) -> bytes | None:
    """As TIFF holds it; None if there are no records."""
    if block.startswith(_FIRST_RECORD):
        return block
    return next((data for number, data in _resources(block.removeprefix(_PHOTOSHOP)) if number == _RECORDS), None)


def has_more(block: bytes) -> bool:
    """Whether it has other resources of Photoshop beside records."""
    return any(number != _RECORDS for number, _ in _resources(block.removeprefix(_PHOTOSHOP)))


def _resources(block: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and content of each resource."""
    offset = 0
    while block[offset : offset + 4] == _RESOURCE and offset + 12 <= len(block):
        (number,) = struct.unpack(">H", block[offset + 4 : offset + 6])
        name = 1 + block[offset + 6]
        start = offset + 6 + name + name % 2
        if start + 4 > len(block):
            return
        (size,) = struct.unpack(">I", block[start : start + 4])
        yield number, block[start + 4 : start + 4 + size]
        offset = start + 4 + size + size % 2
