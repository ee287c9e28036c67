"""A codec's networks on windows of a picture: pixels to latents and back, tile by tile."""

import numpy as np
from numpy.typing import NDArray

from safelight.bundle.codec import names
from safelight.coding.container import Header
from safelight.coding.program import Integers
from safelight.coding.tiling import BLOCK_PX, Tile
from safelight.runtime.codec import pixels
from safelight.runtime.codec.latents import LatentCoder, for_networks, scaled
from safelight.runtime.codec.networks import Engine
from safelight.work import OnProgress, Progress, silent

NOTHING = np.zeros((1, 3, BLOCK_PX, BLOCK_PX), np.int64)


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

    def decoded(
        self, latents: Integers, parts: list[Tile], header: Header, on_progress: OnProgress = silent
    ) -> NDArray[np.integer]:
        """(H, W, 1 or 3): the pixels of some tiles, and 0 elsewhere."""
        dtype = np.uint8 if header.bits == 8 else np.uint16
        decoded = np.zeros((header.height, header.width, 1 if header.grey else 3), dtype)
        for number, tile in enumerate(parts):
            on_progress(Progress(len(parts) + number, 2 * len(parts), "decoding pixels"))
            values = self.synthesise(latents, tile, latents.shape[1:], header.quality)
            rows, columns = tile.slices(BLOCK_PX)
            part = pixels.from_units(values, header.bits, header.grey)
            decoded[rows, columns] = part[: header.height - rows.start, : header.width - columns.start]
        return decoded


def _padded(whole: NDArray[np.integer], window: Tile) -> NDArray[np.integer]:
    """The pixels of a window of positions; beyond the picture its edge goes on."""
    rows, columns = window.slices(BLOCK_PX)
    inside = whole[rows, columns]
    below, beside = window.height * BLOCK_PX - inside.shape[0], window.width * BLOCK_PX - inside.shape[1]
    padded: NDArray[np.integer] = np.pad(inside, ((0, below), (0, beside), (0, 0)), mode="edge")
    return padded
