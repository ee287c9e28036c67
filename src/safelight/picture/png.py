"""What stands in the chunks of a PNG, before and behind its pixels."""

import re
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

_PROFILES = {b"exif": "exif", b"APP1": "exif", b"iptc": "iptc", b"xmp": "xmp"}
_MOST_TEXT = 64 << 20
"""Bytes of a chunk, and of a text that is unpacked."""


def png_chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Name and payload of every chunk up to the end; pixels are passed over."""
    file.seek(8)
    while len(head := file.read(8)) == 8:
        (size,), name = struct.unpack(">I", head[:4]), head[4:]
        if name in (b"IDAT", b"fdAT") or size > _MOST_TEXT:
            file.seek(size + 4, 1)
            continue
        yield name, file.read(size)
        file.seek(4, 1)


def raw_profile(name: bytes, payload: bytes) -> Iterator[tuple[str, bytes]]:
    """ImageMagick's way: a kind, a length, and the bytes as hexadecimal text."""
    keyword, _, rest = payload.partition(b"\0")
    kind = _PROFILES.get(keyword.removeprefix(b"Raw profile type ").strip())
    if kind is None:
        return
    try:
        text = zlib.decompressobj().decompress(rest[1:], _MOST_TEXT) if name == b"zTXt" else rest
        data = bytes.fromhex(re.sub(rb"\s", b"", text.strip().split(b"\n", 2)[2]).decode("ascii"))
    except (zlib.error, ValueError, IndexError):
        return
    if kind == "exif":
        data = data.removeprefix(b"Exif\0\0")
    if data.startswith(b"http://ns.adobe.com/xap/1.0/\0"):
        kind, data = "xmp", data.split(b"\0", 1)[1]
    yield kind, data
