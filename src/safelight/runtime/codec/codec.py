"""Pictures to bytes and back. Every machine decodes the same pixels, and gives a picture the same symbols."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from safelight.bundle.codec import names
from safelight.coding.container import Header, unpack
from safelight.coding.entropy import SymbolReader
from safelight.coding.tiling import BLOCK_PX, Tile, grid_of, tiles
from safelight.errors import PictureError, RefusedError
from safelight.picture import Picture
from safelight.runtime.codec import extras
from safelight.runtime.codec.core import Core
from safelight.runtime.codec.encoding import RATE_WEIGHT, Compressed, Encoding, crc_of
from safelight.runtime.codec.latents import Reading
from safelight.work import OnProgress, Progress, silent

LARGEST_LATENT = 2**31 - 1
MAX_MEGAPIXELS = 400.0


@dataclass(frozen=True)
class Region:
    """A rectangle of a picture, in pixels."""

    left: int
    top: int
    width: int
    height: int


class Codec:
    """Compresses pictures and decompresses files. Make one with `load`."""

    def __init__(self, core: Core) -> None:
        self.core = core

    @staticmethod
    def load(model: str | Path = "latent", threads: int | None = None) -> "Codec":
        """A bundle by its name or path. Raises RefusedError for one that cannot be used."""
        from safelight.runtime.codec.load import load_core

        return Codec(load_core(model, threads))

    def compress(self, picture: Picture, quality: int = names.DEFAULT_QUALITY) -> bytes:
        """A file with the picture and its metadata; `quality` is 1 to 100. Raises PictureError for float pixels."""
        return self.encode(picture, quality).data

    def encode(
        self,
        picture: Picture,
        quality: int,
        rate_weight: float = RATE_WEIGHT,
        restored: bool = False,
        on_progress: OnProgress = silent,
    ) -> Compressed:
        """The same, with what the file decodes to.

        A larger `rate_weight` saves bytes and costs quality, within some percent. Raises PictureError and UsageError.
        """
        encoding = Encoding(self.core, picture, restored, on_progress=on_progress)
        return encoding.finished(encoding.coded(quality, rate_weight))

    def decompress(
        self,
        data: bytes,
        region: Region | None = None,
        salvage: bool = False,
        max_megapixels: float = MAX_MEGAPIXELS,
        on_progress: OnProgress = silent,
    ) -> Picture:
        """The picture of a file, or a region of it.

        A whole picture is compared with the CRC of its pixels. With `salvage` damaged tiles become grey, and a warning
        names each. Raises PictureError for a damaged file, with `salvage` if none of its tiles is whole, and
        RefusedError for one of another model.
        """
        header = self.header(data, max_megapixels)
        grid = grid_of(header.width, header.height)
        cut = tiles(grid)
        metadata, alpha, lost = extras.unpack_extras(data, header, salvage)
        wanted = _rectangle(region, header)
        wide = wanted.with_halo(self.core.synthesis_halo, grid)
        latents, is_whole = np.zeros((self.core.coder.passes[-1].channels.stop, *grid), np.int32), region is None
        saved = 0
        for number, (tile, stream) in enumerate(zip(cut, header.tiles, strict=True)):
            if not tile.touches(wide):
                continue
            on_progress(Progress(number, 2 * len(cut), "decoding symbols"))
            content = stream.of(data)
            try:
                if content is None:
                    raise PictureError("is damaged or cut off")
                reading = Reading(SymbolReader(self.core.coder.coder, content))
                fresh = self.core.coder.code((tile.height, tile.width), header.quality, reading)
                if np.abs(fresh).max() > LARGEST_LATENT:
                    raise PictureError("is damaged (a latent is too large)")
                latents[:, *tile.slices()] = fresh
                saved += 1
            except PictureError as error:
                line = f"tile {number + 1} of {len(cut)} ({_where(tile, header)}) {error}"
                if not salvage:
                    raise PictureError(f"{line}; copy the file again, or save the rest with --salvage") from None
                lost.append(f"{line}; it is grey, and pixels near it may be wrong")
                is_whole = False
        if not saved:
            raise PictureError("is damaged, and nothing of it can be saved; copy the file again")
        parts = [tile for tile in cut if tile.touches(wanted)]
        decoded = self.core.decoded(latents, parts, header, on_progress)
        if is_whole and crc_of(decoded) != header.pixels_crc:
            raise PictureError("its pixels are not those that were compressed; this machine computes wrongly, tell us")
        picture = Picture(decoded, alpha, metadata, bits=header.bits, warnings=tuple(lost))
        return picture if region is None else _cropped(picture, region)

    def header(self, data: bytes, max_megapixels: float = MAX_MEGAPIXELS) -> Header:
        """What a file says of itself. Raises PictureError, and RefusedError for a file of another model."""
        header = unpack(data, max_megapixels)
        if header.model != self.core.sha256:
            raise RefusedError(
                f"was compressed with the model {header.model.hex()[:12]}, and this one is "
                f"{self.core.sha256.hex()[:12]}; name the right one with --model"
            )
        return header


def _rectangle(region: Region | None, header: Header) -> Tile:
    """The positions of a region. Raises PictureError if it is not inside the picture."""
    grid = grid_of(header.width, header.height)
    if region is None:
        return Tile(0, 0, *grid)
    right, bottom = region.left + region.width, region.top + region.height
    is_empty = min(region.width, region.height) < 1
    if is_empty or min(region.left, region.top) < 0 or right > header.width or bottom > header.height:
        raise PictureError(f"the region is not inside the picture, which has {header.width}x{header.height} pixels")
    top, left = region.top // BLOCK_PX, region.left // BLOCK_PX
    return Tile(top, left, -(-bottom // BLOCK_PX) - top, -(-right // BLOCK_PX) - left)


def _cropped(picture: Picture, region: Region) -> Picture:
    rows, columns = slice(region.top, region.top + region.height), slice(region.left, region.left + region.width)
    alpha = None if picture.alpha is None else np.ascontiguousarray(picture.alpha[rows, columns])
    return replace(picture, pixels=np.ascontiguousarray(picture.pixels[rows, columns]), alpha=alpha)


def _where(tile: Tile, header: Header) -> str:
    """A tile's rectangle in words."""
    rows, columns = tile.slices(BLOCK_PX)
    bottom, right = min(rows.stop, header.height), min(columns.stop, header.width)
    return f"rows {rows.start + 1} to {bottom}, columns {columns.start + 1} to {right}"
