"""Pictures of a VAE for the page: samples, a walk through the latents, ways between pictures, reconstructions."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from safelight.errors import UsageError
from safelight.evaluation import HeldOut, open_held_out
from safelight.evaluation.page import grid_picture
from safelight.evaluation.samples import nearest
from safelight.evaluation.uncertainty_view import glow
from safelight.picture import Picture
from safelight.picture.screen import png_of
from safelight.runtime.images.aggregate import in_place_of, principal_directions
from safelight.runtime.images.vae import Sampler, Vae

COLUMNS, MOST_SAMPLES, MOST_STEPS, DIRECTIONS = 8, 64, 16, 8
MOST_TRAINING = 20_000
"""Training pictures that samples are compared with."""
Array = NDArray[np.float32]


@dataclass(frozen=True)
class Drawn:
    """How samples are drawn."""

    count: int
    label: int | None
    temperature: float
    seed: int
    sampler: Sampler


class Explorer:
    """One VAE, and what is computed of it once."""

    def __init__(self, vae: Vae) -> None:
        self.vae = vae
        self._training: tuple[Path, HeldOut] | None = None

    @cached_property
    def _directions(self) -> tuple[Array, Array]:
        return principal_directions(self.vae.aggregate_posterior, DIRECTIONS)

    def samples(self, drawn: Drawn) -> bytes:
        """New pictures as one PNG, in rows of eight. Raises UsageError."""
        return _sheet(list(self._sampled(drawn)))

    def nearest(self, drawn: Drawn, data: Path, cache: Path) -> list[tuple[str, float]]:
        """For each sample the training picture nearest to it: its name in the set, and the root mean square of the
        difference, in 1/255. Raises UsageError for a set that the model was not trained on.
        """
        if self._training is None or self._training[0] != data:
            self._training = data, self._trained_on(data, cache)
        training = self._training[1]
        rows, rms = nearest(np.rint(255 * self._sampled(drawn)), training.pixels)
        return [(training.names[row], 255 * float(far)) for row, far in zip(rows, rms, strict=True)]

    def _trained_on(self, data: Path, cache: Path) -> HeldOut:
        try:
            return open_held_out(self.vae, data, part="train", cache=cache, most=MOST_TRAINING, most_training=0)
        except UsageError:
            raise UsageError(
                "the model was not trained on pictures of this set; choose the one it was trained on"
            ) from None

    def _sampled(self, drawn: Drawn) -> Array:
        labels = None if drawn.label is None else [drawn.label] * drawn.count
        if labels is None and self.vae.card.conditional:
            labels = [k % len(self.vae.card.classes) for k in range(drawn.count)]
        return self.vae.sample(drawn.count, labels, drawn.temperature, drawn.seed, sampler=drawn.sampler)

    def walk(self, places: Sequence[float], label: int | None) -> bytes:
        """The picture so many deviations along each principal direction from the mean. Raises UsageError."""
        centre, directions = self._directions
        if len(places) > len(directions):
            raise UsageError(f"there are {len(directions)} directions; give at most so many numbers")
        point = centre + np.asarray(places, np.float32) @ directions[: len(places)]
        still = tuple(np.zeros((1, *shape), np.float32) for shape in self.vae.card.latents)
        mean = self.vae.decode(in_place_of(point[None], still), self._labels(label, 1))
        return png_of(self.vae.finished(mean, is_way=True)[0])

    def between(self, first: Picture, last: Picture, steps: int, label: int | None) -> bytes:
        """A row of pictures from one to the other. Raises UsageError."""
        x = self.vae.prepare([first, last])
        latents = self.vae.encode(x, self._labels(label, 2))
        ends = [[rung[k : k + 1] for rung in latents] for k in (0, 1)]
        means = self.vae.decode(self.vae.interpolate(ends[0], ends[1], steps), self._labels(label, steps))
        row = self.vae.finished(means, is_way=True)
        return png_of(grid_picture(row[None]).astype(np.float32) / 255)

    def reconstruction(self, picture: Picture, label: int | None) -> bytes:
        """The picture as the model takes it, its reconstruction, and the error as a glow. Raises UsageError."""
        x = self.vae.prepare([picture])
        again = self.vae.reconstruct(x, self._labels(label, 1))
        three = [np.broadcast_to(one, (*one.shape[:2], 3)) for one in (x[0], again[0], glow(np.abs(again[0] - x[0])))]
        return png_of(np.concatenate(three, axis=1))

    def _labels(self, label: int | None, count: int) -> list[int] | None:
        return [label or 0] * count if self.vae.card.conditional else None


def _sheet(pictures: list[Array]) -> bytes:
    """Rows of eight; what is missing of the last row is left white."""
    columns = min(COLUMNS, len(pictures))
    missing = -len(pictures) % columns
    whole = np.stack([*pictures, *[np.ones_like(pictures[0])] * missing])
    return png_of(grid_picture(whole.reshape(-1, columns, *whole.shape[1:])).astype(np.float32) / 255)
