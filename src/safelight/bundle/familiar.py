"""What a model was trained on, in numbers: to tell how far a picture is from that, and what its scale is worth there.

A picture's statistics (runtime/look.py) are projected to a few dimensions, in which a sample of training
patches is kept, degraded as in training. The anomaly score is the mean distance to the three nearest of
them (after Sun et al., "Out-of-distribution detection with deep nearest neighbors", ICML 2022) over the
distance that one in fifty held-out patches exceeds. The eight nearest also say which expert restores that kind of
picture best, and by how much its predicted scale must be corrected there: to be the root mean square of the error, to
be the unit of an interval, and to be the root mean square of draws. The first two differ where errors are mostly small
and rarely large, as after strong compression.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from safelight.bundle.arrays import load_arrays, save_arrays

Array = NDArray[np.float32]
OF_ANOMALY, OF_KIND = 3, 8
"""Nearest training patches that each is averaged over."""
FAR = 1e6
"""In the projected space, where training pictures lie within a few units."""


class Correction(NamedTuple):
    """What the predicted scale is to be multiplied by."""

    std: float
    """To be the standard deviation of the error."""
    interval: float
    """To be the unit of the calibrated intervals."""
    spread: float
    """To be the standard deviation of draws, before they are scaled."""


@dataclass(frozen=True)
class Familiar:
    """familiar.npz: D statistics, k dimensions, N training pictures, E experts."""

    centre: Array
    """(D,)"""
    projection: Array
    """(D, k)"""
    reference: Array
    """(N, k)"""
    limit: Array
    """(), the distance beyond which a picture counts as outside."""
    error: Array
    """(N, E), logs of the mean squared error that each expert leaves in each of them."""
    correction: Array
    """(N, E, 3), logs of the `Correction` that each of them needs of each expert."""

    def place(self, statistics: NDArray[np.float64]) -> Array:
        """(D,) → (k,); at the end of the world if the statistics are not finite."""
        placed = np.nan_to_num((statistics - self.centre) @ self.projection, nan=FAR, posinf=FAR, neginf=-FAR)
        bounded: Array = np.clip(placed, -FAR, FAR).astype(np.float32)
        return bounded

    def anomaly(self, place: Array) -> float:
        """0 is in the midst of the training pictures, 1 at their limit."""
        distances = np.sort(self._distances(place))
        return float(distances[:OF_ANOMALY].mean() / self.limit)

    def expert(self, place: Array) -> int:
        """Which one restores pictures there best."""
        return int(np.argmin(self.error[self._kind(place)].mean(axis=0)))

    def corrected(self, place: Array, expert: int) -> Correction:
        """For a picture there; never below 1 for what is outside, where training pictures say little."""
        std, interval, spread = self._correction(self._kind(place), expert)
        if self.anomaly(place) > 1:
            std, interval = max(std, 1.0), max(interval, 1.0)
        return Correction(std, interval, spread)

    def corrected_on_average(self, expert: int) -> Correction:
        """For a picture of which nothing more is known than that this expert serves it."""
        own = np.flatnonzero(self.error.argmin(axis=1) == expert)
        return self._correction(own if len(own) else np.arange(len(self.error)), expert)

    def _correction(self, some: NDArray[np.intp], expert: int) -> Correction:
        return Correction(*np.exp(self.correction[some, expert].mean(axis=0)).tolist())

    def _kind(self, place: Array) -> NDArray[np.intp]:
        return np.argsort(self._distances(place), kind="stable")[:OF_KIND]

    def _distances(self, place: Array) -> Array:
        distances: Array = np.linalg.norm(self.reference - place, axis=1)
        return distances

    def save(self, path: Path) -> None:
        """As arrays without pickle."""
        save_arrays(self, path)

    @staticmethod
    def load(path: Path) -> "Familiar":
        """Raises BundleError for anything but what `save` writes."""
        return load_arrays(Familiar, path)
