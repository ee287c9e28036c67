"""Why a file cannot be read: what its first bytes say that it is, and what a person can do."""

import struct
from collections.abc import Iterator

from safelight.errors import installed_by
from safelight.picture import tiff
from safelight.picture.tiff import Page

HEAD_BYTES = 1 << 20
"""How much of a file is looked at."""
CONVERT = "convert it to TIFF or PNG first"
HEIC_MEND = f"this install cannot read HEIC; {installed_by('heif')}"
_MAGIC = {
    b"BM": "a BMP picture",
    b"\xff\x0a": "a JPEG XL picture",
    b"\0\0\0\x0cJXL \r\n\x87\n": "a JPEG XL picture",
    b"\0\0\0\x0cjP  \r\n\x87\n": "a JPEG 2000 picture",
    b"\xff\x4f\xff\x51": "a JPEG 2000 picture",
    b"\0\0\1\0": "an icon (ICO)",
    b"8BPS": "a Photoshop file",
    b"SIMPLE  =": "a FITS file",
    b"\x76\x2f\x31\x01": "an OpenEXR picture",
    b"#?RADIANCE": "a Radiance picture",
    b"%PDF": "a PDF document",
    b"DDS ": "a DDS texture",
    b"FUJIFILMCCD-RAW": "a raw camera file",
    b"II*\0\x10\0\0\0CR": "a raw camera file",
    b"IIRO": "a raw camera file",
    b"IIU\0": "a raw camera file",
    b"\x89HDF": "an HDF5 file",
    b"PK\3\4": "a zip archive",
    b"\x1f\x8b": "a gzip archive",
} | {f"P{k}".encode() + space: "a Netpbm picture" for k in range(1, 8) for space in (b"\n", b" ", b"\r", b"\t")}
_MENDS = {
    "a raw camera file": "develop it to TIFF first",
    "a zip archive": "unpack it first",
    "a gzip archive": "unpack it first",
    "a FITS file": "convert it to a TIFF of 16 bits or float first",
    "an HDF5 file": "convert it to a TIFF of 16 bits or float first",
}
_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis")
_COMPRESSIONS = {
    34887: "LERC", 34892: "lossy JPEG", 34925: "LZMA", 50000: "Zstandard", 50001: "WebP", 50002: "JPEG XL",
    34712: "JPEG 2000", 33003: "JPEG 2000", 33005: "JPEG 2000", 6: "old-style JPEG", 34933: "PNG", 34934: "JPEG XR",
    22610: "JPEG XR",
}  # fmt: skip
_READ_COMPRESSIONS = frozenset({1, 2, 3, 4, 5, 7, 8, 32773, 32946})
_SAMPLE_FORMATS = {2: "signed integers", 3: "float", 5: "complex integers", 6: "complex float"}
_DNG_VERSION, _SUB_DIRECTORIES = 50706, 330
_FRAMES = {0xC3: "is a lossless JPEG", 0xC9: "is a JPEG with arithmetic coding", 0xCB: "is a lossless JPEG"}


def cause_of(head: bytes) -> str | None:
    """What is special about a file that starts so, with the mend; None if nothing is known."""
    if is_heic(head):
        return f"is a HEIC picture; {HEIC_MEND}"
    if head.startswith(b"\xff\xd8") and (found := _jpeg(head)):
        return found
    if head[4:8] == b"ftyp" and head[8:12] == b"avis":
        return f"is an animated AVIF; {CONVERT}, a frame of it"
    if head[128:132] == b"DICM":
        return f"is a DICOM file; {CONVERT}"
    for magic, what in _MAGIC.items():
        if head.startswith(magic):
            return f"is {what}; {_MENDS.get(what, CONVERT)}"
    if head.startswith(b"version https://git-lfs"):
        return "is a pointer of Git LFS, not the picture; fetch it: git lfs pull"
    if head.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html")):
        return "is a web page, not a picture; download the picture itself"
    if _is_targa(head):
        return f"is a Targa picture; {CONVERT}"
    if head and not any(head):
        return "holds nothing but zeros; copy it again from where it came"
    return None


def is_heic(head: bytes) -> bool:
    """Whether it is a picture compressed by HEVC, by the brand of its container."""
    compatible = [head[k : k + 4] for k in range(16, min(len(head), 48), 4)] if head[8:12] in (b"mif1", b"msf1") else []
    return head[4:8] == b"ftyp" and any(brand in _HEIC_BRANDS for brand in (head[8:12], *compatible))


def _jpeg(head: bytes) -> str | None:
    for marker, payload in jpeg_segments(head):
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            if marker in _FRAMES:
                return f"{_FRAMES[marker]}; {CONVERT}"
            return f"is a {payload[0]}-bit JPEG; {CONVERT}" if payload[:1] not in (b"\x08", b"") else None
    return None


def jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and payload of each segment up to the start of the scan."""
    offset = 2
    while offset + 4 <= len(data) and data[offset] == 0xFF and data[offset + 1] != 0xDA:
        end = offset + 2 + int(struct.unpack(">H", data[offset + 2 : offset + 4])[0])
        yield data[offset + 1], data[offset + 4 : end]
        offset = end


def _is_targa(head: bytes) -> bool:
    """By its numbers, since the format has no signature: without a palette, of a known kind, depth and size."""
    if len(head) < 18 or any(head[1:2] + head[3:8]):
        return False
    width, height = struct.unpack("<HH", head[12:16])
    return head[2] in (2, 3, 10, 11) and head[16] in (8, 15, 16, 24, 32) and width > 0 and height > 0


def is_raw(page: Page) -> bool:
    """Whether the page is that of a raw camera file: by DNG's version, by a mosaic, or a thumbnail of hidden pages."""
    mosaic = page.number(tiff.PHOTOMETRIC, 1) in (32803, 34892)
    return _DNG_VERSION in page.ifd or mosaic or (page.is_thumbnail and _SUB_DIRECTORIES in page.ifd)


def tiff_cause(page: Page) -> str | None:
    """What libvips does not read in a page, with the mend."""
    if is_raw(page):
        return "is a raw camera file; develop it to TIFF first"
    bits, kind = page.number(tiff.BITS, 1), page.number(tiff.SAMPLE_FORMAT, 1)
    if kind in _SAMPLE_FORMATS and not (kind == 3 and bits == 32):
        return f"holds {bits}-bit {_SAMPLE_FORMATS[kind]}; convert it to 16 bits without sign or to 32-bit float first"
    if kind == 1 and bits not in (1, 2, 4, 8, 16):
        return f"holds {bits}-bit integers; convert it to 16 bits or to 32-bit float first"
    if page.number(tiff.PHOTOMETRIC, 1) in tiff.LAB and bits == 8:
        return "holds Lab colours of 8 bits; convert it to RGB first"
    if page.number(tiff.PLANES, 1) == 2 and tiff.TILE_WIDTH in page.ifd:
        return "holds its channels in separate tiles; save it with channels side by side, or without tiles"
    number = page.number(tiff.COMPRESSION, 1)
    name = None if number in _READ_COMPRESSIONS else _COMPRESSIONS.get(number, f"a method of number {number}")
    return f"is compressed by {name}, which this install cannot read; save it with LZW or Deflate" if name else None
