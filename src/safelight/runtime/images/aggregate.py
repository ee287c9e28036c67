"""The aggregate posterior in use: draws from it, and the directions in which pictures of the set differ most."""

import math
from collections.abc import Sequence

import numpy as np

from safelight import randomness
from safelight.bundle import AggregatePosterior
from safelight.runtime.images.ways import Array, Rungs


def draw_from_aggregate(
    density: AggregatePosterior, noise: Rungs, labels: Sequence[int] | None, temperature: float, seed: int
) -> Rungs:
    """`noise` of each rung, (N, channels, h, w), with draws in place of the coarsest rungs, which the density covers.

    Raises UsageError for a class without pictures.
    """
    of_class = [None] * len(noise[0]) if labels is None else labels
    streams = [randomness.generator(seed, "aggregate", k) for k in range(len(noise[0]))]
    drawn = np.stack([density.draw(rng, label, temperature) for rng, label in zip(streams, of_class, strict=True)])
    return in_place_of(drawn, noise)


def in_place_of(covered: Array, rungs: Rungs) -> Rungs:
    """(N, D) of the coarsest rungs, which a density covers, in place of those of (N, channels, h, w)."""
    filled, left = list(rungs), covered.shape[1]
    for k in reversed(range(len(filled))):
        size = math.prod(filled[k].shape[1:])
        if size > left:
            break
        filled[k] = covered[:, left - size : left].reshape(filled[k].shape)
        left -= size
    return tuple(filled)


def principal_directions(density: AggregatePosterior, count: int) -> tuple[Array, Array]:
    """Mean (D,), and the `count` directions (count, D) of the largest variance; each as long as its deviation.

    Principal components of the whole mixture (Pearson, 1901): its covariance is that within components, on average,
    and that of their means.
    """
    shares = density.weights.astype(np.float64) / density.weights.sum()
    centre = shares @ density.means
    apart = density.means - centre
    covariance = (shares[:, None] * apart).T @ apart
    for share, factor in zip(shares, density.factors.astype(np.float64), strict=True):
        covariance += share * (factor @ factor.T if factor.ndim == 2 else np.diag(np.square(factor)))
    variances, vectors = np.linalg.eigh(covariance)
    chosen = np.argsort(variances)[::-1][:count]
    lengths = np.sqrt(np.maximum(variances[chosen], 0))
    return centre.astype(np.float32), (vectors[:, chosen] * lengths).T.astype(np.float32)
