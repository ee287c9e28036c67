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


def text_of(name: bytes, payload: bytes) -> tuple[str, str] | None:
    """Key and text of a text chunk (PNG, third edition, §11.3.3); None for what is damaged."""
    key, _, rest = payload.partition(b"\0")
    try:
        if name == b"tEXt":
            return key.decode("latin-1"), rest.decode("latin-1")
        if name == b"zTXt":
            return key.decode("latin-1"), zlib.decompressobj().decompress(rest[1:], _MOST_TEXT).decode("latin-1")
        packed, text = rest[:1] == b"\1", rest[2:].split(b"\0", 2)[2]
        return key.decode("latin-1"), (zlib.decompressobj().decompress(text, _MOST_TEXT) if packed else text).decode()
    except (zlib.error, UnicodeDecodeError, IndexError):
        return None


def text_chunk(key: str, text: str) -> tuple[bytes, bytes]:
    """Name and payload of a chunk that says it."""
    try:
        return b"tEXt", key.encode("latin-1") + b"\0" + text.encode("latin-1")
    except UnicodeEncodeError:
        return b"iTXt", key.encode("latin-1", "replace") + b"\0\0\0\0\0" + text.encode()


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
