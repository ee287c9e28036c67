"""Restore a picture with a bundle: the onion, one responsibility a layer.

Restorer.enhance → _enhance_tiled (geometry, memory) → Prepared.window (graphs, noise) → Canvas (numbers)

>>> restorer = Restorer.load("photo")                                # doctest: +SKIP
>>> restored = restorer.enhance(read("a.tif"), samples=8, seed=7)    # doctest: +SKIP
>>> restored.mean, restored.std, restored.samples, restored.interval(0.9)   # doctest: +SKIP
"""

from itertools import count
from pathlib import Path

import numpy as np

from safelight.bundle import Bundle, RestorerCard, find_bundle
from safelight.errors import UsageError
from safelight.picture import Picture
from safelight.picture.scale import ScaleChoice
from safelight.runtime.machine import Device, Precision
from safelight.runtime.restore.networks import RestorerNetworks
from safelight.runtime.restore.prepared import Prepared, Range
from safelight.runtime.restore.restored import Request, Restored, check
from safelight.runtime.restore.tiling import Tile, best_tile, padded, tiles
from safelight.work import OnProgress, Progress, silent

TILE_AREA_PX = 2_000_000
"""About 0.8 GB of activations; larger tiles waste less on halos, smaller ones need less memory."""
SMALLEST_AREA_PX = 100_000


class Restorer:
    """A restorer ready to run."""

    def __init__(self, networks: RestorerNetworks) -> None:
        self.networks = networks

    @classmethod
    def load(
        cls,
        model: str | Path = "photo",
        device: Device = "auto",
        threads: int | None = None,
        precision: Precision = "auto",
    ) -> "Restorer":
        """By name or path (`bundle.find_bundle`). `threads` is None for all cores.

        Raises BundleError for another kind of model, DeviceError and UsageError as `RestorerNetworks` does.
        """
        return cls(RestorerNetworks(find_bundle(model, RestorerCard), device, threads, precision))

    @property
    def bundle(self) -> Bundle[RestorerCard]:
        """What it was loaded from."""
        return self.networks.bundle

    @property
    def card(self) -> RestorerCard:
        """What it promises."""
        return self.networks.bundle.card

    def prepare(self, picture: Picture, scale: ScaleChoice = "auto") -> Prepared:
        """Look at a picture once, to restore any part of it. Raises PictureError for a picture without values."""
        return Prepared.of(self.networks, picture, scale)

    def enhance(
        self,
        picture: Picture,
        *,
        samples: int = 0,
        seed: int = 0,
        strength: float = 1.0,
        temperature: float = 1.0,
        sigma_01: float | None = None,
        uncertainty: bool = True,
        scale: ScaleChoice = "auto",
        tile_area_px: int = TILE_AREA_PX,
        on_progress: OnProgress = silent,
    ) -> Restored:
        """The posterior mean of the clean picture, and `samples` draws.

        `strength` in [0, 1]: 0 gives the input back bit for bit (`runtime.restore.strength` says what comes back
        first in between). `temperature` scales the latent noise of samples: 1 is an honest draw.
        At 0 they are the mean. Noise is keyed by `seed` and the picture's content.
        `sigma_01` tells the noise level in units of white, if it is known. `scale` says which numbers are black and
        white (`picture.scale`). Equal seeds give equal samples, whatever the tiles. Raises UsageError for values out of
        range, and PictureError for a picture without values.
        """
        if not isinstance(picture, Picture):
            name = type(picture).__name__
            raise UsageError(
                f"enhance takes a Picture, not {name}; use safelight.read(path) or safelight.Picture(array)"
            )
        request = Request(samples, seed, strength, temperature, sigma_01=sigma_01, uncertainty=uncertainty, scale=scale)
        check(request)
        if strength == 0 and not uncertainty:
            on_progress(Progress(1, 1, "tiles"))
            unchanged = (picture,) * samples
            calibration = self.networks.calibration
            return Restored(picture, unchanged, None, calibration, tile_px=picture.size[::-1], strength=0.0)
        prepared = self.prepare(picture, scale)
        while True:
            try:
                return _enhance_tiled(prepared, request, tile_area_px, on_progress)
            except MemoryError:
                tile_area_px //= 2
                if tile_area_px < SMALLEST_AREA_PX:
                    raise


def _enhance_tiled(prepared: Prepared, request: Request, area_px: int, on_progress: OnProgress) -> Restored:
    """Tile by tile into arrays of the picture's own kind: memory is bounded by the tile and the results."""
    picture, multiple, halo = prepared.picture, prepared.size_multiple, prepared.halo_px(request)
    height, width = (padded(n, multiple) for n in picture.pixels.shape[:2])
    tile_px = best_tile(height, width, halo, multiple, area_px=area_px)
    plan = tiles(height, width, *tile_px, halo)
    outputs = [np.empty_like(picture.pixels) for _ in range(1 + request.samples)]
    std = np.empty(picture.pixels.shape, dtype=np.float32) if request.uncertainty else None
    parts = count(1)

    def on_part() -> None:
        on_progress(Progress(next(parts), len(plan) * len(outputs), "tiles"))

    for tile in plan:
        rows, columns = _kept(tile, picture)
        window = prepared.window(rows, columns, request, tile.read, on_part=on_part)
        for output, pixels in zip(outputs, window.pixels(request.strength), strict=True):
            output[slice(*rows), slice(*columns)] = pixels
        if std is not None:
            std[slice(*rows), slice(*columns)] = window.std
    results = [picture if request.strength == 0 else picture.with_(pixels=pixels) for pixels in outputs]
    return prepared.result(request, results, std, tile_px)


def _kept(tile: Tile, picture: Picture) -> tuple[Range, Range]:
    """The tile's own region, without what lies beyond the picture."""
    height, width, _ = picture.pixels.shape
    rows = tile.rows.keep_start, min(tile.rows.keep_stop, height)
    return rows, (tile.columns.keep_start, min(tile.columns.keep_stop, width))
