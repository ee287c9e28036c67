"""The out-of-distribution (OOD) reference: how far a picture is from the training pictures, and what that means for it.

A picture's statistics (`runtime.restore.look`) are projected to an embedding of a few dimensions. The bundle carries
the embeddings of training patches, degraded as in training.

    OOD score     mean distance to the 3 nearest patches / the distance that 1 in 50 held-out patches exceeds;
                  or what says that the picture is drawn (`runtime.restore.drawings`), if that is more
    expert        the one with the smallest mean error on the 8 nearest patches
    correction    what the predicted scale must be multiplied by, averaged over the 8 nearest patches

The score follows Sun et al., "Out-of-distribution detection with deep nearest neighbors", ICML 2022. One correction
makes the scale a standard deviation of the error, one makes it the unit of intervals, and one makes it the standard
deviation of draws. The first two differ where errors are mostly small and rarely large, as after strong compression.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from safelight.bundle.arrays import load_arrays, save_arrays

Array = NDArray[np.float32]
FOR_SCORE, FOR_KIND = 3, 8
"""How many of the nearest patches the score is averaged over, and how many say which kind of picture it is."""
FARTHEST = 1e6
"""Bound of an embedding; those of training patches lie within a few units."""


class Correction(NamedTuple):
    """What the predicted scale is to be multiplied by."""

    std: float
    """To be the standard deviation of the error."""
    interval: float
    """To be the unit of the calibrated intervals."""
    draw_std: float
    """To be the standard deviation of draws from the model as it is."""


@dataclass(frozen=True)
class OodReference:
    """Arrays of a bundle: D statistics, k dimensions of an embedding, N training patches, E experts."""

    centre: Array
    """(D,)"""
    projection: Array
    """(D, k)"""
    reference: Array
    """(N, k), the embeddings of the training patches."""
    limit: Array
    """(), the distance beyond which a picture is out of distribution."""
    error: Array
    """(N, E), logs of the mean squared error that each expert leaves in each patch."""
    correction: Array
    """(N, E, 3), logs of the `Correction` that each patch needs of each expert."""
    drawn_limit: Array = field(default_factory=lambda: np.zeros((), np.float32))
    """(), the score of drawings beyond which a picture is out of distribution: more than 0 for a model of drawings."""

    def __post_init__(self) -> None:
        shapes = {name: array.shape for name, array in vars(self).items()}
        statistics, size = self.projection.shape if self.projection.ndim == 2 else (-1, -1)
        patches, experts = self.error.shape if self.error.ndim == 2 else (-1, -1)
        wanted = {
            "centre": (statistics,),
            "reference": (patches, size),
            "correction": (patches, experts, 3),
            "limit": (),
            "drawn_limit": (),
        }
        if any(shapes[name] != shape for name, shape in wanted.items()) or patches < 1 or not self.limit > 0:
            raise ValueError(f"its arrays do not fit: {shapes}")

    def embed(self, statistics: NDArray[np.float64]) -> Array:
        """(D,) → (k,); as far away as possible if the statistics are not finite."""
        projected = (statistics - self.centre) @ self.projection
        finite = np.nan_to_num(projected, nan=FARTHEST, posinf=FARTHEST, neginf=-FARTHEST)
        bounded: Array = np.clip(finite, -FARTHEST, FARTHEST).astype(np.float32)
        return bounded

    def ood_score(self, embedding: Array, drawn: float = -np.inf) -> float:
        """0 in the middle of the training pictures, 1 at their limit. `drawn` is the score of drawings, in log-odds;
        alone it makes at most 2.
        """
        distances = np.sort(self._distances(embedding))
        beyond = 2 / (1 + np.exp(float(self.drawn_limit) - drawn))
        return max(float(distances[:FOR_SCORE].mean() / self.limit), float(beyond))

    def best_expert(self, embedding: Array) -> int:
        """Which one restores pictures like this best."""
        return int(np.argmin(self.error[self._nearest(embedding)].mean(axis=0)))

    def correction_at(self, embedding: Array, expert: int) -> Correction:
        """For one picture. Far from the training pictures, which then say little, it is never below 1."""
        std, interval, draw_std = self._averaged(self._nearest(embedding), expert)
        if self.ood_score(embedding) > 1:
            std, interval = max(std, 1.0), max(interval, 1.0)
        return Correction(std, interval, draw_std)

    def average_correction(self, expert: int) -> Correction:
        """For a picture of which nothing is known but that this expert restores it."""
        own = np.flatnonzero(self.error.argmin(axis=1) == expert)
        return self._averaged(own if len(own) else np.arange(len(self.error)), expert)

    def _averaged(self, patches: NDArray[np.intp], expert: int) -> Correction:
        return Correction(*np.exp(self.correction[patches, expert].mean(axis=0)).tolist())

    def _nearest(self, embedding: Array) -> NDArray[np.intp]:
        return np.argsort(self._distances(embedding), kind="stable")[:FOR_KIND]

    def _distances(self, embedding: Array) -> Array:
        distances: Array = np.linalg.norm(self.reference - embedding, axis=1)
        return distances

    def save(self, path: Path) -> None:
        """As arrays without pickle."""
        save_arrays(self, path)

    @staticmethod
    def load(path: Path) -> "OodReference":
        """Raises BundleError for anything but what `save` writes."""
        return load_arrays(OodReference, path)
