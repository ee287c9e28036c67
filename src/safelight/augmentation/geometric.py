"""New latents from the metric that a VAE's posteriors make of latent space.

Chadebec & Allassonnière, "A geometric perspective on variational autoencoders", NeurIPS 2022, eqs. 9 to 12:

    G(z) = Σ_i Σ_i⁻¹ ω_i(z) + λ exp(-τ ‖z‖²) I,     ω_i(z) = exp(-(z - μ_i)ᵀ Σ_i⁻¹ (z - μ_i) / ρ²)
    p(z) ∝ √det G(z)

with the posteriors N(μ_i, Σ_i) of the set's pictures as centroids. Σ_i is diagonal here, and so is G: its determinant
is a product, and no factorisation is needed. p is explored by Hamiltonian moves from one of the centroids.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safelight.errors import UsageError
from safelight.runtime.images.vae import Array, Vae

Doubles = NDArray[np.float64]
LAMBDA, TAU = 1e-2, 1e-9
LEAPS, STEP = 8, 0.2
"""Of one move: steps of the leapfrog, and the length of each in units of the posteriors' spread."""


@dataclass(frozen=True)
class GeometricSampler:
    """Centroids of one class."""

    means: Doubles
    """(N, D)"""
    precisions: Doubles
    """(N, D): inverse variances."""
    reach: float
    """ρ²: how far a centroid reaches, in units of Σ_i."""

    @staticmethod
    def of(vae: Vae, pictures: NDArray[np.uint8], labels: Sequence[int] | None) -> "GeometricSampler":
        """From a plain VAE, of one rung. Raises UsageError for others."""
        if len(vae.card.latents) != 1:
            raise UsageError(f"geometric needs a model of one rung, and {vae.card.name} has {len(vae.card.latents)}")
        means = vae.encode(pictures, labels)[0]
        one = np.ones_like(means)
        std = np.abs(vae.encode(pictures, labels, noise=(one,))[0] - means)
        flat, spread = (a.reshape(len(pictures), -1).astype(np.float64) for a in (means, std))
        precisions = 1 / np.maximum(spread, 1e-4) ** 2
        return GeometricSampler(flat, precisions, _reach(flat, precisions))

    def log_density(self, z: Doubles) -> tuple[float, Doubles]:
        """½ log det G(z), unnormalised log p(z), and its gradient (D,)."""
        away = z - self.means  # (N, D)
        pulled = self.precisions * away
        weights = np.exp(-np.einsum("nd,nd->n", pulled, away) / self.reach)  # (N,)
        floor = LAMBDA * np.exp(-TAU * float(z @ z))
        metric = weights @ self.precisions + floor  # (D,): the diagonal of G
        pull = (self.precisions @ (1 / metric)) * weights  # (N,)
        gradient = -(pull @ pulled) / self.reach - TAU * floor * z * float((1 / metric).sum())
        return 0.5 * float(np.log(metric).sum()), gradient

    def draw(self, rng: np.random.Generator, moves: int) -> Array:
        """(D,): a centroid, moved. A move to where the density is no number is refused."""
        k = int(rng.integers(len(self.means)))
        z, step = self.means[k].copy(), STEP / np.sqrt(self.precisions[k])
        density, gradient = self.log_density(z)
        for _ in range(moves):
            momentum = rng.standard_normal(len(z))
            threshold = np.log(rng.random())
            there, speed, slope = z.copy(), momentum + 0.5 * step * gradient, gradient
            for leap in range(LEAPS):
                there = there + step * speed
                density_there, slope = self.log_density(there)
                speed = speed + (0.5 if leap == LEAPS - 1 else 1.0) * step * slope
            change = density_there - density - 0.5 * float(speed @ speed - momentum @ momentum)
            if change >= threshold:  # not so for a NaN
                z, density, gradient = there, density_there, slope
        moved: Array = z.astype(np.float32)
        return moved


def _reach(means: Doubles, precisions: Doubles) -> float:
    """The largest squared distance of a centroid to its nearest neighbour, in units of Σ_i; 1 for a single one."""
    if len(means) < 2:
        return 1.0
    nearest = []
    for k in range(len(means)):
        squares = np.einsum("nd,d->n", (means - means[k]) ** 2, precisions[k])
        squares[k] = np.inf
        nearest.append(squares.min())
    return max(float(np.max(nearest)), 1e-6)
