"""The aggregate posterior: the density of the latents of a set's pictures.

A Gaussian mixture is fitted to draws from the posteriors of training pictures at the coarsest rungs.
Samples from the prior N(0, 1) fall where no picture lies, as far as the two differ (Makhzani et al., "Adversarial
autoencoders", 2015; Tomczak & Welling, "VAE with a VampPrior", AISTATS 2018); samples from the mixture do so less.
Rungs that it does not cover stand on coarser ones, and keep their own priors.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from safelight.bundle.arrays import load_arrays, save_arrays
from safelight.errors import UsageError

Array = NDArray[np.float32]


@dataclass(frozen=True)
class AggregatePosterior:
    """A mixture of M components in D dimensions: those of the coarsest rungs that it covers. All latents are L."""

    weights: Array
    """(M,), of all pictures of the set."""
    means: Array
    """(M, D)"""
    factors: Array
    """(M, D, D): Cholesky factors of the covariances; (M, D), standard deviations, where D is large."""
    of_class: Array
    """(M,): which class a component is of, or -1."""
    activity: Array
    """(L,): variance over pictures of the posterior's mean, rungs fine to coarse."""

    def __post_init__(self) -> None:
        shapes = {name: array.shape for name, array in vars(self).items()}
        components, size = self.means.shape if self.means.ndim == 2 else (0, 0)
        fits = shapes["weights"] == shapes["of_class"] == (components,) and self.activity.ndim == 1
        if not fits or shapes["factors"] not in ((components, size), (components, size, size)) or components == 0:
            raise ValueError(f"its arrays do not fit: {shapes}")
        if (self.weights < 0).any() or not self.weights.any():
            raise ValueError("its weights are no probabilities")

    def draw(self, rng: np.random.Generator, label: int | None, temperature: float = 1.0) -> Array:
        """(D,): of any class, or of one; the temperature is that of the noise around a component's centre.

        Raises UsageError if no component is of the class.
        """
        chosen = np.ones(len(self.weights)) if label is None else self.of_class == label
        weights = chosen * self.weights.astype(np.float64)
        if not weights.any():
            raise UsageError("no training picture was of this class; leave the class out, or use the sampler 'prior'")
        k = int(rng.choice(len(weights), p=weights / weights.sum()))
        noise = np.float32(temperature) * rng.standard_normal(self.means.shape[1], dtype=np.float32)
        factor: Array = self.factors[k]
        moved: Array = self.means[k] + (factor @ noise if factor.ndim == 2 else factor * noise)
        return moved

    def save(self, path: Path) -> None:
        """As arrays without pickle."""
        save_arrays(self, path)

    @staticmethod
    def load(path: Path) -> "AggregatePosterior":
        """Raises BundleError for anything but what `save` writes."""
        return load_arrays(AggregatePosterior, path)
