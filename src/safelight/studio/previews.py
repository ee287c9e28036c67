"""Restored tiles of a picture, as an export would have them: computed once, at any strength shown at once."""

import threading
from collections import OrderedDict
from typing import Literal, NamedTuple

import numpy as np

from safelight.errors import UsageError
from safelight.evaluation.uncertainty_view import glow
from safelight.picture.screen import TILE_PX, png_for_screen, png_of
from safelight.runtime.restore import Prepared, Request, Window
from safelight.studio.models import Models
from safelight.studio.pictures import Opened, Pictures

MOST_BYTES = 400_000_000
"""Of restored tiles that are held."""
MOST_SAMPLES = 8
Layer = Literal["restored", "sample", "uncertainty", "low", "high"]


class Asked(NamedTuple):
    """What the pixels of a tile depend on, but for its strength."""

    picture: str
    model: str
    column: int
    row: int
    samples: int
    seed: int
    temperature: float
    sigma: float | None
    uncertainty: bool


class Previews:
    """Computes tiles one after another, and remembers the latest."""

    def __init__(self, pictures: Pictures, models: Models) -> None:
        self._pictures, self._models = pictures, models
        self._windows: OrderedDict[Asked, Window] = OrderedDict()
        self._lock = threading.Lock()

    def prepared(self, picture: str, model: str) -> Prepared:
        """The model's first look at a picture. Raises PictureError, BundleError and FileNotFoundError."""
        opened = self._pictures.open(picture)
        restorer = self._models.restorer(model)
        known = opened.prepared.get(model)
        if known is not None and known.networks is restorer.networks:
            return known
        with self._models.computing:
            return opened.prepared_for(model, restorer)

    def tile(self, asked: Asked, strength: float) -> tuple[Opened, Window]:
        """Raises as `prepared` does, and FileNotFoundError for a tile beyond the picture."""
        prepared = self.prepared(asked.picture, asked.model)
        width, height = prepared.picture.size
        if asked.column * TILE_PX >= width or asked.row * TILE_PX >= height or min(asked.column, asked.row) < 0:
            raise FileNotFoundError("the tile lies beyond the picture")
        rows = asked.row * TILE_PX, min(height, (asked.row + 1) * TILE_PX)
        columns = asked.column * TILE_PX, min(width, (asked.column + 1) * TILE_PX)
        window = self._known(asked)  # without waiting for what is being computed
        if window is not None:
            return self._pictures.open(asked.picture), window
        with self._models.computing:
            window = self._known(asked)
            if window is None:
                request = Request(
                    samples=asked.samples,
                    seed=asked.seed,
                    strength=0.5,  # reads as much as any strength needs
                    temperature=asked.temperature,
                    sigma_01=None if asked.sigma is None else asked.sigma / 255,
                    uncertainty=asked.uncertainty,
                )
                window = prepared.window(rows, columns, request).without_halo()
                self._remember(asked, window)
        return self._pictures.open(asked.picture), window

    def png(self, asked: Asked, strength: float, layer: Layer, sample: int, level: float) -> bytes:
        """One layer of a tile. Raises UsageError for a layer that was not asked for, and as `tile` does."""
        opened, window = self.tile(asked, strength)
        scale = opened.pyramid.scale
        if layer == "uncertainty":
            return png_of(glow(window.std * np.float32(opened.picture.full_scale / scale.width)))
        if layer in ("low", "high"):
            low, high = self._interval(asked, window, level)
            planes = (low if layer == "low" else high) * np.float32(opened.picture.full_scale)
            return png_for_screen(opened.picture.with_(pixels=planes.astype(np.float32), alpha=None), scale)
        if layer == "sample" and not 1 <= sample <= asked.samples:
            raise UsageError(f"there is no sample {sample}; ask for more samples")
        pixels = window.pixels(strength)[sample if layer == "sample" else 0]
        rows, columns = window.region.rows, window.region.columns
        alpha = opened.picture.alpha
        part = None if alpha is None else alpha[slice(*rows), slice(*columns)]
        return png_for_screen(opened.picture.with_(pixels=pixels, alpha=part), scale)

    @staticmethod
    def _interval(asked: Asked, window: Window, level: float) -> tuple[np.ndarray, np.ndarray]:
        mean = window.prepared.picture.with_(pixels=window.pixels(1.0)[0], alpha=None)
        request = Request(samples=asked.samples, uncertainty=True)
        return window.prepared.result(request, [mean], window.std, mean.size[::-1]).interval(level)

    def _known(self, asked: Asked) -> Window | None:
        with self._lock:
            if asked in self._windows:
                self._windows.move_to_end(asked)
            return self._windows.get(asked)

    def _remember(self, asked: Asked, window: Window) -> None:
        with self._lock:
            self._windows[asked] = window
            while len(self._windows) > 1 and sum(map(_bytes, self._windows.values())) > MOST_BYTES:
                self._windows.popitem(last=False)

    def forget(self, picture: str) -> None:
        """All tiles of a picture that is removed."""
        with self._lock:
            for asked in [one for one in self._windows if one.picture == picture]:
                del self._windows[asked]


def _bytes(window: Window) -> int:
    """With what it will keep for other strengths: four planes beside the three of each colour."""
    planes = [window.degraded, *window.restored, *window.restored, *([] if window.scale is None else [window.scale])]
    return sum(plane.nbytes for plane in planes)
