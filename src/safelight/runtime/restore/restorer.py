"""Restore a picture with a bundle: the onion, one responsibility a layer.

Restorer.enhance → _enhance_tiled (geometry, memory) → _restore (graphs, noise) → Canvas (numbers)

>>> restorer = Restorer.load("photo")                                # doctest: +SKIP
>>> restored = restorer.enhance(read("a.tif"), samples=8, seed=7)    # doctest: +SKIP
>>> restored.mean, restored.std, restored.samples, restored.interval(0.9)   # doctest: +SKIP
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from safelight.bundle import Bundle, Calibration, RestorerCard, find_bundle
from safelight.errors import UsageError
from safelight.picture import Picture
from safelight.picture.scale import Scale, ScaleChoice
from safelight.runtime.machine import Device, Precision
from safelight.runtime.restore.canvas import Canvas
from safelight.runtime.restore.look import look
from safelight.runtime.restore.networks import RestorerNetworks
from safelight.runtime.restore.noise import noise_field
from safelight.runtime.restore.strength import REACH_PX, give_back
from safelight.runtime.restore.tiling import Tile, best_tile, padded, tiles
from safelight.work import OnProgress, Progress, silent

Array = NDArray[np.float32]
TILE_AREA_PX = 2_000_000
"""About 0.8 GB of activations; larger tiles waste less on halos, smaller ones need less memory."""
SMALLEST_AREA_PX = 100_000


@dataclass(frozen=True)
class Restored:
    """What is known of the clean picture."""

    mean: Picture
    """The posterior mean, in the depth and colour space of the input, with all its metadata."""
    samples: tuple[Picture, ...]
    """Posterior draws."""
    std: Array | None
    """(H, W, C) calibrated standard deviation of the mean's error at full strength, white at 1, or None."""
    calibration: Calibration
    tile_px: tuple[int, int]
    """Height and width of the tiles that were used."""
    strength: float = 1.0
    ood_score: float | None = None
    """How far the picture is from the training pictures, 1 at their limit.

    None for a picture that is too small to say, and where nothing was computed.
    """
    expert: str | None = None
    """Which of the model's experts restored it; None if nothing was computed."""
    precision: str | None = None
    """What the mean was computed in, fp32 or int8; None if nothing was computed."""
    interval_unit: float = 1.0
    """correction.interval / (correction.std · std_factor): from the unit of `std` to the unit of intervals."""
    scale: Scale | None = None
    """The numbers that were black and white for the model; None if nothing was computed."""
    holes: int = 0
    """Values that stayed as they were, since they are missing or far outside the scale."""

    @property
    def out_of_distribution(self) -> bool:
        """Whether the picture is unlike all training pictures. Then no result and no interval can be relied on."""
        return self.ood_score is not None and self.ood_score > 1

    def __repr__(self) -> str:
        return f"<Restored {self.mean!r}, {len(self.samples)} samples, std {'yes' if self.std is not None else 'no'}>"

    def interval(self, level: float) -> tuple[Array, Array]:
        """Low and high, (H, W, C) with white at 1, that hold the truth in a share `level` of all pixel values.

            std       = std_factor · correction.std · s
            interval  = mean ± quantile(level) · correction.interval · s

        with the predicted scale s. The corrections are those of the nearest training patches (`bundle.restore.ood`).
        Factors and quantiles are fitted on held-out pictures (`learn.restore.calibrate`), so that the share is `level`
        or more on average over such pictures, with a confidence of 0.9. Benchmarks measure 77 % to 89 % at a level of
        0.9 (docs/benchmarks.md).

        Raises UsageError without std, below full strength, or for a level that was not calibrated.
        """
        if self.strength < 1:
            raise UsageError("an interval is of the mean at full strength; call enhance with strength=1")
        if self.std is None:
            raise UsageError("the uncertainty was not computed; call enhance with uncertainty=True")
        try:
            half = np.float32(self.calibration.quantile(level) * self.interval_unit) * self.std
        except ValueError as error:
            raise UsageError(str(error)) from None
        centre = self.mean.as_float()
        return centre - half, centre + half


class Request(NamedTuple):
    """How to restore; see `Restorer.enhance`."""

    samples: int = 0
    seed: int = 0
    strength: float = 1.0
    temperature: float = 1.0
    sigma_01: float | None = None
    uncertainty: bool = True
    scale: ScaleChoice = "auto"


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
            raise UsageError(f"enhance takes a Picture, not {type(picture).__name__}; use safelight.read(path) first")
        request = Request(samples, seed, strength, temperature, sigma_01=sigma_01, uncertainty=uncertainty, scale=scale)
        _check(request)
        if strength == 0 and not uncertainty:
            on_progress(Progress(1, 1, "tiles"))
            unchanged = (picture,) * samples
            calibration = self.networks.calibration
            return Restored(picture, unchanged, None, calibration, tile_px=picture.size[::-1], strength=0.0)
        while True:
            try:
                return _enhance_tiled(self.networks, picture, request, tile_area_px, on_progress=on_progress)
            except MemoryError:
                tile_area_px //= 2
                if tile_area_px < SMALLEST_AREA_PX:
                    raise


def _check(request: Request) -> None:
    if not isinstance(request.samples, int | np.integer):
        raise UsageError(f"samples is {request.samples}; use a whole number")
    for name, low, high in (("strength", 0.0, 1.0), ("temperature", 0.0, 2.0), ("samples", 0, 64)):
        if not low <= getattr(request, name) <= high:
            raise UsageError(f"{name} is {getattr(request, name)}; use {low} to {high}")
    if request.sigma_01 is not None and not 0 <= request.sigma_01 <= 1:
        raise UsageError(f"sigma is {255 * request.sigma_01:g}; use 0 to 255")


def _enhance_tiled(
    networks: RestorerNetworks, picture: Picture, request: Request, area_px: int, on_progress: OnProgress
) -> Restored:
    """Tile by tile into arrays of the picture's own kind: memory is bounded by the tile and the results."""
    canvas, card = Canvas.of(picture, request.scale), networks.bundle.card
    first, calibration = look(networks, canvas), networks.calibration
    std_factor = first.correction.std * calibration.std_factor
    draw_factor = np.float32(first.correction.std / first.correction.draw_std * calibration.draw_factor)
    way = _Way(request, first.expert, draw_factor)
    halo = card.sample_halo_px if request.samples else card.mean_halo_px
    halo += padded(REACH_PX, card.size_multiple) if 0 < request.strength < 1 else 0
    height, width = (padded(n, card.size_multiple) for n in picture.pixels.shape[:2])
    tile_px = best_tile(height, width, halo, card.size_multiple, area_px=area_px)
    plan = tiles(height, width, *tile_px, halo)
    outputs = [np.empty_like(picture.pixels) for _ in range(1 + request.samples)]
    std = np.empty(picture.pixels.shape, dtype=np.float32) if request.uncertainty else None
    for done, tile in enumerate(plan, 1):
        rows, columns = _kept(tile, picture)
        inner = np.s_[
            :,
            rows[0] - tile.rows.start : rows[1] - tile.rows.start,
            columns[0] - tile.columns.start : columns[1] - tile.columns.start,
        ]
        restored, scale = _restore(networks, way, canvas, tile)
        for output, planar in zip(outputs, restored, strict=True):
            output[slice(*rows), slice(*columns)] = canvas.pixels(planar[inner], rows, columns)
        if std is not None:
            factor = np.float32(std_factor / picture.full_scale)
            assert scale is not None
            std[slice(*rows), slice(*columns)] = canvas.spread(scale[inner], rows, columns) * factor
        on_progress(Progress(done, len(plan), "tiles"))
    results = [picture if request.strength == 0 else picture.with_(pixels=pixels) for pixels in outputs]
    return Restored(
        mean=results[0],
        samples=tuple(results[1:]),
        std=std,
        calibration=calibration,
        tile_px=tile_px,
        strength=request.strength,
        ood_score=first.ood_score,
        expert=first.expert,
        precision=networks.precision_of_mean(_needs_scale(request)),
        interval_unit=first.correction.interval / std_factor,
        scale=canvas.scale,
        holes=0 if canvas.holes is None else int(np.count_nonzero(canvas.holes)),
    )


def _needs_scale(request: Request) -> bool:
    return request.uncertainty or request.samples > 0


def _kept(tile: Tile, picture: Picture) -> tuple[tuple[int, int], tuple[int, int]]:
    """The tile's own region, without what lies beyond the picture."""
    height, width, _ = picture.pixels.shape
    rows = tile.rows.keep_start, min(tile.rows.keep_stop, height)
    return rows, (tile.columns.keep_start, min(tile.columns.keep_stop, width))


class _Way(NamedTuple):
    """How all tiles of a picture are restored."""

    request: Request
    expert: str
    draw_factor: np.float32
    """Multiplies the scale of the samples."""


def _restore(networks: RestorerNetworks, way: _Way, canvas: Canvas, tile: Tile) -> tuple[list[Array], Array | None]:
    """Mean and samples of one tile at the asked strength, and the scale if it is needed; each (3, H, W)."""
    request = way.request
    rows, columns = (tile.rows.start, tile.rows.stop), (tile.columns.start, tile.columns.stop)
    degraded = canvas.take(rows, columns)
    shrink = canvas.picture.full_scale / canvas.scale.width
    sigma_01 = None if request.sigma_01 is None else request.sigma_01 * shrink
    estimate = networks.estimate(way.expert, degraded[None], sigma_01, scale=_needs_scale(request))
    restored = [estimate.mean[0]]
    for sample in range(request.samples):
        if request.temperature == 0:
            restored.append(estimate.mean[0])
            continue
        noise = [
            noise_field(
                (request.seed, canvas.identity, sample, position),
                wanted.channels,
                (rows[0] // wanted.stride_px, rows[1] // wanted.stride_px),
                (columns[0] // wanted.stride_px, columns[1] // wanted.stride_px),
            )[None]
            for position, wanted in enumerate(networks.bundle.card.noise_inputs)
        ]
        restored.append(networks.draw(estimate, way.draw_factor, noise, request.temperature)[0])
    if 0 < request.strength < 1:
        restored = [m + give_back(degraded - m, request.strength) for m in restored]
    return restored, None if estimate.scale is None else estimate.scale[0]
