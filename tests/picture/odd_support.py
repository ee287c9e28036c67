"""Files with segments and chunks as other programs write them."""

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image


def jpeg_of(pixels: np.ndarray, path: Path, *segments: tuple[int, bytes], tail: bytes = b"") -> Path:
    """With segments before all others, by marker, and something behind the picture."""
    Image.fromarray(pixels).save(path, progressive=True)
    whole = path.read_bytes()
    more = b"".join(struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data for marker, data in segments)
    path.write_bytes(whole[:2] + more + whole[2:] + tail)
    return path


def png_of(pixels: np.ndarray, path: Path, *chunks: tuple[bytes, bytes], behind: bool = False) -> Path:
    """With chunks before or behind the pixels, by name."""
    Image.fromarray(pixels).save(path)
    whole = path.read_bytes()
    made = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    at = len(whole) - 12 if behind else 33
    path.write_bytes(whole[:at] + made + whole[at:])
    return path
