"""Pictures to bytes and back. Every machine decodes the same pixels, and gives a picture the same symbols."""

import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from safelight.bundle.codec import names
from safelight.coding.container import Header, pack, unpack
from safelight.coding.entropy import SymbolReader, SymbolWriter
from safelight.coding.program import Integers
from safelight.coding.tiling import BLOCK_PX, Tile, grid_of, tiles
from safelight.errors import PictureError, RefusedError, UsageError
from safelight.picture import Picture
from safelight.runtime.codec import extras, pixels
from safelight.runtime.codec.latents import LatentCoder, Reading, Writing, for_networks, scaled
from safelight.runtime.codec.networks import Engine
from safelight.work import OnProgress, Progress, silent

QUALITIES = 100
LARGEST_LATENT = 2**31 - 1
NOTHING = np.zeros((1, 3, BLOCK_PX, BLOCK_PX), np.int64)
MAX_MEGAPIXELS = 400.0
RATE_WEIGHT = 0.5
"""How much bits count beside errors when a symbol is chosen; chosen on held-out photographs (notebook)."""


@dataclass(frozen=True)
class Region:
    """A rectangle of a picture, in pixels."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Compressed:
    """A file, and what it holds."""

    data: bytes
    decoded: NDArray[np.integer]
    """(H, W, 1 or 3): the pixels that every machine will decode."""
    quality: int


class Core:
    """A codec's engine and tables, and the windows in which it works."""

    def __init__(self, engine: Engine, coder: LatentCoder, halos: tuple[int, int], sha256: bytes) -> None:
        """`halos` of analysis and synthesis, in positions."""
        self.engine, self.coder, self.sha256 = engine, coder, sha256
        self.analysis_halo, self.synthesis_halo = halos

    def analyse(self, whole: NDArray[np.integer], tile: Tile, grid: tuple[int, int]) -> Integers:
        """Fine latents of a tile, (C, h, w); `whole` is the picture, (H, W, 1 or 3) of 8 or 16 bits."""
        outer = tile.with_halo(self.analysis_halo, grid)
        high, low = pixels.split(_padded(whole, outer))
        latents = self.engine.run(names.ANALYSIS, {names.PIXELS: high[None]})[names.LATENTS]
        if low is not None and low.any():
            beyond = self.engine.run(names.ANALYSIS_LINEAR, {names.PIXELS: low[None]})[names.LINEAR]
            zero = self.engine.run(names.ANALYSIS_LINEAR, {names.PIXELS: NOTHING})[names.LINEAR]  # (1, C, 1, 1)
            latents = latents + (beyond - zero + pixels.LOW_BYTE // 2) // pixels.LOW_BYTE
        inner: Integers = latents[0][:, *tile.inside(outer).slices()]
        return inner

    def synthesise(self, latents: Integers, tile: Tile, grid: tuple[int, int], quality: int) -> Integers:
        """Pixels of a tile about the middle, (3, 16 h, 16 w); `latents` (C, H, W) of the whole picture."""
        outer = tile.with_halo(self.synthesis_halo, grid)
        window = latents[:, *outer.slices()].astype(np.int64)
        linear, limit = (scaled(window, self.coder.factor(names.LINEAR_SCALE)), self.coder.factor(names.LINEAR_LIMIT))
        feeds = {
            names.LATENTS: for_networks(window, self.coder.table(names.SYNTHESIS_SCALE, quality))[None],
            names.LINEAR: np.clip(linear, -limit, limit)[None],
        }
        for stage in (names.bias(k) for k in (1, 2, 3)):
            feeds[stage] = self.coder.table(f"{names.SYNTHESIS}.{stage}", quality)[None]
        out = self.engine.run(names.SYNTHESIS, feeds)[names.PIXELS]
        inner: Integers = out[0][:, *tile.inside(outer).slices(BLOCK_PX)]
        return inner


def _padded(whole: NDArray[np.integer], window: Tile) -> NDArray[np.integer]:
    """The pixels of a window of positions; beyond the picture its edge goes on."""
    rows, columns = window.slices(BLOCK_PX)
    inside = whole[rows, columns]
    below, beside = window.height * BLOCK_PX - inside.shape[0], window.width * BLOCK_PX - inside.shape[1]
    padded: NDArray[np.integer] = np.pad(inside, ((0, below), (0, beside), (0, 0)), mode="edge")
    return padded


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
        pixels.check(picture)
        if not 1 <= quality <= QUALITIES:
            raise UsageError(f"quality is {quality}; use a whole number from 1 to {QUALITIES}")
        width, height = picture.size
        grid = grid_of(width, height)
        cut = tiles(grid)
        latents = np.zeros((self.core.coder.passes[-1].channels.stop, *grid), np.int32)
        streams = []
        for number, tile in enumerate(cut):
            on_progress(Progress(number, 2 * len(cut), "coding"))
            fine = self.core.analyse(picture.pixels, tile, grid)
            writer = SymbolWriter(self.core.coder.coder)
            transfer = Writing(self.core.coder, writer, fine, quality=quality, rate_weight=rate_weight)
            latents[:, *tile.slices()] = self.core.coder.code((tile.height, tile.width), quality, transfer)
            streams.append(writer.finish())
        header = Header(
            model=self.core.sha256,
            width=width,
            height=height,
            bits=picture.bits,
            quality=quality,
            grey=picture.grey,
            restored=restored,
        )
        decoded = self._synthesised(latents, cut, header, on_progress)
        whole = replace(header, pixels_crc=_crc(decoded))
        return Compressed(pack(whole, extras.pack_extras(picture), streams), decoded, quality)

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
        names each. Raises PictureError for a damaged file, and RefusedError for one of another model.
        """
        header = self.header(data, max_megapixels)
        grid = grid_of(header.width, header.height)
        cut = tiles(grid)
        metadata, alpha, lost = extras.unpack_extras(data, header, salvage)
        wanted = _rectangle(region, header)
        wide = wanted.with_halo(self.core.synthesis_halo, grid)
        latents, is_whole = np.zeros((self.core.coder.passes[-1].channels.stop, *grid), np.int32), region is None
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
            except PictureError as error:
                line = f"tile {number + 1} of {len(cut)} ({_where(tile, header)}) {error}"
                if not salvage:
                    raise PictureError(f"{line}; copy the file again, or save the rest with --salvage") from None
                lost.append(f"{line}; it is grey, and pixels near it may be wrong")
                is_whole = False
        parts = [tile for tile in cut if tile.touches(wanted)]
        decoded = self._synthesised(latents, parts, header, on_progress)
        if is_whole and _crc(decoded) != header.pixels_crc:
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

    def _synthesised(
        self, latents: Integers, parts: list[Tile], header: Header, on_progress: OnProgress = silent
    ) -> NDArray[np.integer]:
        """(H, W, 1 or 3): the pixels of some tiles, and 0 elsewhere."""
        dtype = np.uint8 if header.bits == 8 else np.uint16
        decoded = np.zeros((header.height, header.width, 1 if header.grey else 3), dtype)
        for number, tile in enumerate(parts):
            on_progress(Progress(len(parts) + number, 2 * len(parts), "decoding pixels"))
            values = self.core.synthesise(latents, tile, latents.shape[1:], header.quality)
            rows, columns = tile.slices(BLOCK_PX)
            part = pixels.from_units(values, header.bits, header.grey)
            decoded[rows, columns] = part[: header.height - rows.start, : header.width - columns.start]
        return decoded


def _crc(decoded: NDArray[np.integer]) -> int:
    return zlib.crc32(np.ascontiguousarray(decoded, decoded.dtype.newbyteorder("<")).data)


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
