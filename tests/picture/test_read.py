"""Files that are no pictures get one line with the file, the reason and the mend."""

import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from safelight.errors import PictureError
from safelight.picture import read


def png_of_declared_size(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    data = b"IDAT" + zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))


def truncated(tmp_path, suffix: str, share: float = 0.6) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / f"whole{suffix}")
    whole = (tmp_path / f"whole{suffix}").read_bytes()
    return whole[: int(share * len(whole))]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("empty.jpg", "is empty"),
        ("text.jpg", "is no picture"),
        ("cut.jpg", "damaged or cut off"),
        ("cut.png", "damaged or cut off"),
        ("cut.webp", "cannot be read"),
        ("cut.tif", "damaged or cut off|cannot be read"),
        ("bomb.png", "declares 100000x100000"),
        ("double.tif", "holds 64-bit float; convert"),
        ("five.tif", "5 channels"),
        ("missing.png", "is not there"),
        ("folder.jpg", "is not a file"),
    ],
)
def test_bad_files(tmp_path, name, reason):
    path = tmp_path / name
    content = {
        "empty.jpg": lambda: b"",
        "text.jpg": lambda: b"dear diary",
        "bomb.png": lambda: png_of_declared_size(100_000, 100_000),
        **{f"cut{s}": (lambda s=s: truncated(tmp_path, s)) for s in (".jpg", ".png", ".webp", ".tif")},
    }
    if name in content:
        path.write_bytes(content[name]())
    elif name == "double.tif":
        tifffile.imwrite(path, np.full((8, 8), 3e300))
    elif name == "five.tif":
        tifffile.imwrite(path, np.zeros((8, 8, 5), np.uint8), photometric="minisblack", planarconfig="contig")
    elif name == "folder.jpg":
        path.mkdir()
    with pytest.raises(PictureError, match=reason) as caught:
        read(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    assert ";" in message or "?" in message, "it says how to mend it"


def test_damaged_exif_is_a_warning_not_an_error(tmp_path):
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f")
    assert read(tmp_path / "a.jpg").warnings == ("EXIF cannot be read and was left out",)


def test_a_file_that_may_not_be_read_says_so(tmp_path, monkeypatch):
    """Root may read everything, so the refusal is played."""
    from pathlib import Path

    (tmp_path / "a.png").write_bytes(b"x")

    def refuse(*_: object, **__: object) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PictureError, match=r"a.png: cannot be opened \(Permission denied\); check its permissions"):
        read(tmp_path / "a.png")
