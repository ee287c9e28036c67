"""One picture on its way to a file: analysed once, then coded at as many qualities as are tried."""

import zlib
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from safelight.coding.container import Header, pack
from safelight.coding.entropy import SymbolWriter
from safelight.coding.program import Integers
from safelight.coding.tiling import Tile, grid_of, tiles
from safelight.errors import UsageError
from safelight.picture import Picture
from safelight.runtime.codec import extras, pixels
from safelight.runtime.codec.core import Core
from safelight.runtime.codec.latents import Writing
from safelight.work import OnProgress, Progress, silent

QUALITIES = 100
RATE_WEIGHT = 0.25
"""How much bits count beside errors when a symbol is chosen. More saves no bytes at equal error, and looks smoother
(notebook).
"""


@dataclass(frozen=True)
class Compressed:
    """A file, and what it holds."""

    data: bytes
    decoded: NDArray[np.integer]
    """(H, W, 1 or 3): the pixels that every machine will decode."""
    quality: int


class Coded(NamedTuple):
    """Symbols of a whole picture, before its pixels are decoded."""

    header: Header
    streams: list[bytes]
    """One for each tile."""
    latents: Integers
    """(C, rows, columns)"""


class Encoding:
    """A picture at one codec. With `keep` its latents stay in memory for the next quality."""

    def __init__(
        self,
        core: Core,
        picture: Picture,
        restored: bool = False,
        keep: bool = False,
        on_progress: OnProgress = silent,
    ) -> None:
        """Raises PictureError for float pixels."""
        pixels.check(picture)
        self.core, self.picture, self.restored, self.keep = core, picture, restored, keep
        self.extras = extras.pack_extras(picture)
        self._on_progress = on_progress
        self._grid = grid_of(*picture.size)
        self._cut = tiles(self._grid)
        self._kept: dict[Tile, NDArray[np.int32]] = {}

    def coded(self, quality: int, rate_weight: float = RATE_WEIGHT) -> Coded:
        """A larger `rate_weight` saves bytes and costs quality, within some percent. Raises UsageError."""
        if not 1 <= quality <= QUALITIES:
            raise UsageError(f"quality is {quality}; use a whole number from 1 to {QUALITIES}")
        coder, (width, height) = self.core.coder, self.picture.size
        latents = np.zeros((coder.passes[-1].channels.stop, *self._grid), np.int32)
        streams = []
        for number, tile in enumerate(self._cut):
            self._on_progress(Progress(number, 2 * len(self._cut), "coding"))
            writer = SymbolWriter(coder.coder)
            transfer = Writing(coder, writer, self._analysed(tile), quality=quality, rate_weight=rate_weight)
            latents[:, *tile.slices()] = coder.code((tile.height, tile.width), quality, transfer)
            streams.append(writer.finish())
        header = Header(
            model=self.core.sha256,
            width=width,
            height=height,
            bits=self.picture.bits,
            quality=quality,
            grey=self.picture.grey,
            restored=self.restored,
        )
        return Coded(header, streams, latents)

    def size(self, coded: Coded) -> int:
        """Of the file, in bytes."""
        return len(pack(coded.header, self.extras, coded.streams))

    def finished(self, coded: Coded) -> Compressed:
        """The file, with the checksum of the pixels that it decodes to."""
        decoded = self.core.decoded(coded.latents, self._cut, coded.header, self._on_progress)
        header = replace(coded.header, pixels_crc=crc_of(decoded))
        return Compressed(pack(header, self.extras, coded.streams), decoded, header.quality)

    def _analysed(self, tile: Tile) -> Integers:
        """Fine latents of a tile, (C, h, w)."""
        if tile in self._kept:
            return self._kept[tile].astype(np.int64)
        fine = self.core.analyse(self.picture.pixels, tile, self._grid)
        if self.keep:
            self._kept[tile] = fine.astype(np.int32)
        return fine


def crc_of(decoded: NDArray[np.integer]) -> int:
    """CRC-32 of pixels in little-endian order."""
    return zlib.crc32(np.ascontiguousarray(decoded, decoded.dtype.newbyteorder("<")).data)
