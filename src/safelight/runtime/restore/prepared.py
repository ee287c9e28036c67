"""A picture that a restorer has looked at: any part of it can be restored, as it would be within the whole picture."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from safelight.picture import Picture
from safelight.picture.scale import ScaleChoice
from safelight.runtime.restore.canvas import Canvas
from safelight.runtime.restore.look import Look, look
from safelight.runtime.restore.networks import RestorerNetworks
from safelight.runtime.restore.noise import noise_field
from safelight.runtime.restore.restored import Array, Request, Restored
from safelight.runtime.restore.strength import REACH_PX, give_back, smoothed
from safelight.runtime.restore.tiling import padded

Range = tuple[int, int]
"""From the first to behind the last, in pixels."""


def _nothing() -> None:
    """What is done after a part if nobody asks for more."""


@dataclass(frozen=True)
class Prepared:
    """A picture, its scale and holes, and what the first look says of it."""

    networks: RestorerNetworks
    canvas: Canvas
    first: Look

    @staticmethod
    def of(networks: RestorerNetworks, picture: Picture, choice: ScaleChoice) -> "Prepared":
        """Raises PictureError for a picture without values."""
        canvas = Canvas.of(picture, choice)
        return Prepared(networks, canvas, look(networks, canvas))

    @property
    def picture(self) -> Picture:
        """What is restored."""
        return self.canvas.picture

    @property
    def size_multiple(self) -> int:
        """Of the sides of what the networks take."""
        return self.networks.bundle.card.size_multiple

    def halo_px(self, request: Request) -> int:
        """How much around a region must be read, so that it is what it would be within the whole picture."""
        card = self.networks.bundle.card
        halo = card.sample_halo_px if request.samples else card.mean_halo_px
        return halo + (padded(REACH_PX, self.size_multiple) if 0 < request.strength < 1 else 0)

    def around(self, rows: Range, columns: Range, request: Request) -> tuple[Range, Range]:
        """What is read for a region: with its halo, in multiples that the networks take."""
        halo, multiple = self.halo_px(request), self.size_multiple

        def widened(span: Range, length: int) -> Range:
            start = max(0, span[0] - halo) // multiple * multiple
            return start, min(padded(span[1] + halo, multiple), padded(length, multiple))

        height, width = self.picture.pixels.shape[:2]
        return widened(rows, height), widened(columns, width)

    def window(
        self,
        rows: Range,
        columns: Range,
        request: Request,
        read: tuple[Range, Range] | None = None,
        on_part: Callable[[], None] = _nothing,
    ) -> "Window":
        """A region of the picture, restored. `read` is what is read for it; without it, as much as is needed.

        `on_part` is called after the mean and after each sample; what it raises ends the work.
        """
        read = read or self.around(rows, columns, request)
        degraded = self.canvas.take(*read)
        needs_scale = request.uncertainty or request.samples > 0
        shrink = self.picture.full_scale / self.canvas.scale.width
        sigma_01 = None if request.sigma_01 is None else request.sigma_01 * shrink
        estimate = self.networks.estimate(self.first.expert, degraded[None], sigma_01, scale=needs_scale)
        correction, calibration = self.first.correction, self.networks.calibration
        draw_factor = np.float32(correction.std / correction.draw_std * calibration.draw_factor)
        restored = [estimate.mean[0]]
        on_part()
        for sample in range(request.samples):
            if request.temperature == 0:
                restored.append(estimate.mean[0])
            else:
                noise = [n[None] for n in self._noise(request.seed, sample, read)]
                restored.append(self.networks.draw(estimate, draw_factor, noise, request.temperature)[0])
            on_part()
        scale = None if estimate.scale is None else estimate.scale[0]
        region = _Region(rows, columns, read)
        return Window(self, region, degraded=degraded, restored=tuple(restored), scale=scale)

    def _noise(self, seed: int, sample: int, read: tuple[Range, Range]) -> list[Array]:
        rows, columns = read
        return [
            noise_field(
                (seed, self.canvas.identity, sample, position),
                wanted.channels,
                (rows[0] // wanted.stride_px, rows[1] // wanted.stride_px),
                (columns[0] // wanted.stride_px, columns[1] // wanted.stride_px),
            )
            for position, wanted in enumerate(self.networks.bundle.card.noise_inputs)
        ]

    @property
    def std_factor(self) -> float:
        """From the predicted scale to the standard deviation, in the same unit."""
        return self.first.correction.std * self.networks.calibration.std_factor

    def result(self, request: Request, results: list[Picture], std: Array | None, read_px: tuple[int, int]) -> Restored:
        """Mean and samples, with all that is known of them. `read_px`: height and width that the networks saw."""
        return Restored(
            mean=results[0],
            samples=tuple(results[1:]),
            std=std,
            calibration=self.networks.calibration,
            tile_px=read_px,
            strength=request.strength,
            ood_score=self.first.ood_score,
            expert=self.first.expert,
            precision=self.networks.precision_of_mean(request.uncertainty or request.samples > 0),
            interval_unit=self.first.correction.interval / self.std_factor,
            scale=self.canvas.scale,
            holes=0 if self.canvas.holes is None else int(np.count_nonzero(self.canvas.holes)),
        )


class _Region(NamedTuple):
    """Of a picture."""

    rows: Range
    columns: Range
    read: tuple[Range, Range]


@dataclass(frozen=True)
class Window:
    """What the networks say of a region. Its strength can be chosen afterwards."""

    prepared: Prepared
    region: _Region
    degraded: Array
    """(3, rows, columns) of what was read."""
    restored: tuple[Array, ...]
    """The mean and the samples at full strength, likewise."""
    scale: Array | None

    def pixels(self, strength: float) -> list[NDArray[np.generic]]:
        """Mean and samples, in the picture's own kind of numbers, at a strength from 0 to 1."""
        rows, columns = self.region.rows, self.region.columns
        if strength == 0:
            own = self.prepared.picture.pixels[slice(*rows), slice(*columns)]
            return [own for _ in self.restored]
        planes = self.restored
        if strength < 1:
            planes = tuple(
                m + give_back(self.degraded - m, strength, smooth)
                for m, smooth in zip(planes, self._smooth, strict=True)
            )
        return [self.prepared.canvas.pixels(plane[self._inner], rows, columns) for plane in planes]

    def without_halo(self) -> "Window":
        """The same region; of what was read around it, only what `pixels` needs is kept."""
        spans = [
            (max(read[0], kept[0] - REACH_PX), min(read[1], kept[1] + REACH_PX))
            for kept, read in zip(self.region[:2], self.region.read, strict=True)
        ]
        starts = [read[0] for read in self.region.read]
        rows, columns = (slice(a - start, b - start) for (a, b), start in zip(spans, starts, strict=True))
        region = _Region(self.region.rows, self.region.columns, (spans[0], spans[1]))

        def cut(planes: Array) -> Array:
            return planes[:, rows, columns].copy()

        scale = None if self.scale is None else cut(self.scale)
        return Window(self.prepared, region, cut(self.degraded), restored=tuple(map(cut, self.restored)), scale=scale)

    @cached_property
    def _smooth(self) -> list[list[Array]]:
        """For each of `restored`: what does not depend on the strength."""
        return [smoothed(self.degraded - m) for m in self.restored]

    @cached_property
    def std(self) -> Array:
        """(rows, columns, C): the standard deviation, white at 1, where it was asked for."""
        assert self.scale is not None
        factor = np.float32(self.prepared.std_factor / self.prepared.picture.full_scale)
        spread = self.prepared.canvas.spread(self.scale[self._inner], self.region.rows, self.region.columns)
        return spread * factor

    @property
    def _inner(self) -> tuple[slice, slice, slice]:
        """The region within what was read."""
        (rows, columns), (top, left) = self.region[:2], (span[0] for span in self.region.read)
        return np.s_[:, rows[0] - top : rows[1] - top, columns[0] - left : columns[1] - left]
