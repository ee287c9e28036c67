"""What stands in a GIF beside its pixels (GIF89a, §24)."""

from typing import BinaryIO

_EXTENSION, _COMMENT, _PICTURE = 0x21, 0xFE, 0x2C
_MOST_BLOCKS = 100_000


def gif_comments(file: BinaryIO) -> list[bytes]:
    """Every comment of the file, as far as it is whole."""
    found: list[bytes] = []
    file.seek(10)
    _pass_colours(file, file.read(3)[:1])
    for _ in range(_MOST_BLOCKS):
        kind = file.read(1)
        if kind == bytes([_EXTENSION]):
            label = file.read(1)
            content = _sub_blocks(file)
            found += [content] if label == bytes([_COMMENT]) else []
        elif kind == bytes([_PICTURE]):
            _pass_colours(file, file.read(9)[8:9])
            file.seek(1, 1)
            _sub_blocks(file)
        else:
            return found
    return found


def _pass_colours(file: BinaryIO, packed: bytes) -> None:
    """Over a table of colours, if the packed byte says that there is one."""
    if packed and packed[0] & 0x80:
        file.seek(3 << (packed[0] & 7) + 1, 1)


def _sub_blocks(file: BinaryIO) -> bytes:
    content = b""
    while (size := file.read(1)) not in (b"", b"\0"):
        content += file.read(size[0])
    return content
