"""What travels beside the pixels: profile, EXIF, XMP, IPTC, density and alpha, without loss."""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from safelight.coding.container import Extra, Header
from safelight.errors import PictureError
from safelight.picture import Metadata, Picture, exif

MOST_METADATA_BYTES = 64 * 2**20
LARGEST_DPI = 1e6
_DPI = struct.Struct("<dd")
_BLOCKS = {Extra.ICC: "icc", Extra.EXIF: "exif", Extra.XMP: "xmp", Extra.IPTC: "iptc"}


def pack_extras(picture: Picture) -> dict[Extra, bytes]:
    """Each as the bytes of its stream."""
    kept = picture.metadata
    packed = {kind: zlib.compress(block, 9) for kind, name in _BLOCKS.items() if (block := getattr(kept, name))}
    if kept.dpi is not None:
        packed[Extra.DPI] = _DPI.pack(*kept.dpi)
    if picture.alpha is not None:
        packed[Extra.ALPHA] = _pack_alpha(picture.alpha)
    return packed


def unpack_extras(data: bytes, header: Header, salvage: bool) -> tuple[Metadata, NDArray[np.integer] | None, list[str]]:
    """Metadata, alpha, and a line for each stream that is damaged. Raises PictureError for one, unless salvaging."""
    blocks: dict[str, bytes] = {}
    dpi, alpha, lost = None, None, []
    for kind, stream in header.extras.items():
        content = stream.of(data)
        try:
            if content is None:
                raise PictureError("is damaged or cut off")
            if kind == Extra.DPI:
                dpi = _density(content)
            elif kind == Extra.ALPHA:
                alpha = _unpack_alpha(content, header)
            elif kind in _BLOCKS:
                blocks[_BLOCKS[Extra(kind)]] = _block(Extra(kind), content)
        except (PictureError, zlib.error, struct.error, ValueError) as error:
            name = Extra(kind).name if kind in list(Extra) else f"block {kind}"
            line = f"{name} {error}"
            if not salvage:
                raise PictureError(f"its {line}; copy the file again, or save the rest with --salvage") from None
            lost.append(line)
    kept = Metadata(
        icc=blocks.get("icc"), exif=blocks.get("exif"), xmp=blocks.get("xmp"), iptc=blocks.get("iptc"), dpi=dpi
    )
    return kept, alpha, lost


def _density(content: bytes) -> tuple[float, float]:
    """Raises PictureError for numbers that are no density."""
    x, y = _DPI.unpack(content)
    if not (0 < x < LARGEST_DPI and 0 < y < LARGEST_DPI):
        raise PictureError("is no density")
    return x, y


def _block(kind: Extra, content: bytes) -> bytes:
    """Raises PictureError and ValueError for a block that writers could not use."""
    block = _inflated(content, MOST_METADATA_BYTES)
    if kind == Extra.EXIF:
        exif.parse(block)
    return block


def _pack_alpha(alpha: NDArray[np.integer]) -> bytes:
    """Differences to the row above, compressed by zlib."""
    rows = alpha[..., 0]
    differences = np.diff(rows, axis=0, prepend=np.zeros_like(rows[:1]))
    return zlib.compress(differences.astype(rows.dtype.newbyteorder("<")).tobytes(), 9)


def _unpack_alpha(content: bytes, header: Header) -> NDArray[np.integer]:
    dtype = np.dtype("<u1" if header.bits == 8 else "<u2")
    size = header.width * header.height * dtype.itemsize
    flat = _inflated(content, size)
    if len(flat) != size:
        raise PictureError("is not as large as the picture")
    rows = np.frombuffer(flat, dtype).reshape(header.height, header.width)
    summed: NDArray[np.integer] = np.add.accumulate(rows, axis=0, dtype=dtype.newbyteorder("="))
    return summed[..., None]


def _inflated(content: bytes, limit: int) -> bytes:
    """Raises PictureError for more than `limit` bytes, and zlib.error."""
    inflater = zlib.decompressobj()
    inflated = inflater.decompress(content, limit)
    if inflater.unconsumed_tail or not inflater.eof:
        raise PictureError("is larger than it may be, or cut off")
    return inflated
