"""Fit the aggregate posterior: a Gaussian mixture of a set's latents, by expectation maximisation.

Dempster, Laird & Rubin, "Maximum likelihood from incomplete data via the EM algorithm", 1977.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from safelight import randomness
from safelight.bundle import AggregatePosterior
from safelight.ladder.image_vae import ImageVae
from safelight.learn.images.data import Subset
from safelight.learn.seeds import torch_generator

Vectors = NDArray[np.float64]
MOST = 20_000
"""Pictures that are looked at."""
MOST_COMPONENTS = 20
FULL_UP_TO = 256
"""Dimensions in which covariances are full; as many of the coarsest rungs as fit in are covered together. If even the
coarsest does not, its covariances are diagonal."""
ROUNDS = 25
FLOOR = 1e-3
"""Of a variance; under the prior it is 1."""


class Mixture(NamedTuple):
    """M components in D dimensions."""

    weights: Vectors
    """(M,)"""
    means: Vectors
    """(M, D)"""
    factors: Vectors
    """(M, D, D) lower Cholesky factors of the covariances, or (M, D) standard deviations."""


class Draws(NamedTuple):
    """Which latents are fitted."""

    noisy: bool
    """Draws from the posteriors; else their means, for a model that was trained without noise."""
    seed: int


class Encoded(NamedTuple):
    """Latents of N training pictures."""

    points: Vectors
    """(N, D): those that the mixture covers."""
    classes: NDArray[np.int64]
    """(N,): the class of each picture, or -1."""
    activity: Vectors
    """(L,): variance over pictures of the posterior's mean, of all latents."""


def fit_aggregate_posterior(
    vae: ImageVae, subset: Subset, labels: NDArray[np.int64] | None, draws: Draws
) -> AggregatePosterior:
    """Encode training pictures and fit a mixture to each class, or to all of them if there are none.

    `labels` are of every row of the subset's table, whether the model takes them or not.
    """
    encoded = _encoded(vae, subset, labels, draws)
    weights, centres, factors, of_component = [], [], [], []
    for label in np.unique(encoded.classes):
        own = encoded.points[encoded.classes == label]
        mixture = fit_mixture(own, _components(len(own), own.shape[1], label < 0), draws.seed)
        weights.append(mixture.weights * len(own) / len(encoded.points))
        centres.append(mixture.means)
        factors.append(mixture.factors)
        of_component.append(np.full(len(mixture.weights), label))
    w, m, f, c = (np.concatenate(each).astype(np.float32) for each in (weights, centres, factors, of_component))
    return AggregatePosterior(w, m, f, c, activity=encoded.activity.astype(np.float32))


@torch.inference_mode()
def _encoded(vae: ImageVae, subset: Subset, labels: NDArray[np.int64] | None, draws: Draws) -> Encoded:
    count = min(MOST, len(subset))
    generator = torch_generator(draws.seed, "locate")
    points, classes = [], []
    sums = torch.zeros(2, sum(math.prod(shape) for shape in vae.noise_shapes), dtype=torch.float64)
    covered = _covered([math.prod(shape) for shape in vae.noise_shapes])
    for start in range(0, count, subset.at_once):
        numbers = np.arange(start, min(start + subset.at_once, count))
        x, of_class = subset.images(numbers)
        noise = vae.draw_noise(len(x), generator)
        quiet = vae(x, [torch.zeros_like(n) for n in noise], of_class)
        means = torch.cat([latent.flatten(1) for latent in quiet.latents], dim=1).double()
        sums += torch.stack([means.sum(dim=0), means.square().sum(dim=0)])
        rungs = [quiet.latents[k] + quiet.stds[k] * noise[k] * draws.noisy for k in covered]
        points.append(torch.cat([rung.flatten(1) for rung in rungs], dim=1).double().numpy())
        classes.append(np.full(len(x), -1) if labels is None else labels[subset.positions[numbers]])
    mean, square = (sums / count).numpy()
    return Encoded(np.concatenate(points), np.concatenate(classes), square - mean**2)


def _covered(sizes: Sequence[int]) -> list[int]:
    """Scales, fine to coarse: the coarsest with latents, and finer ones while all together are few enough."""
    covered: list[int] = []
    for k in reversed(range(len(sizes))):
        if covered and sum(sizes[j] for j in covered) + sizes[k] > FULL_UP_TO:
            break
        covered = [k, *covered] if sizes[k] else covered
    return covered


def fit_mixture(points: Vectors, components: int, seed: int) -> Mixture:
    """(N, D) → the mixture; covariances are drawn to their diagonals where there are few points."""
    count, size = points.shape
    full = size <= FULL_UP_TO
    rng = randomness.generator(seed, "mixture")
    shares = np.zeros((count, components))
    shares[np.arange(count), _seeded(points, components, rng)] = 1
    for _ in range(ROUNDS if components > 1 else 1):
        mixture = _maximise(points, shares, full)
        log_shares = np.log(mixture.weights) + _log_density(points, mixture)
        log_shares -= log_shares.max(axis=1, keepdims=True)
        shares = np.exp(log_shares)
        shares /= shares.sum(axis=1, keepdims=True)
    return mixture


def _seeded(points: Vectors, components: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The nearest of centres that are chosen far apart (k-means++: Arthur & Vassilvitskii, 2007)."""
    centres = [points[rng.integers(len(points))]]
    nearest = np.square(points - centres[0]).sum(axis=1)
    choice = np.zeros(len(points), dtype=np.int64)
    for k in range(1, components):
        if not nearest.any():
            break
        centres.append(points[rng.choice(len(points), p=nearest / nearest.sum())])
        distances = np.square(points - centres[-1]).sum(axis=1)
        choice[distances < nearest] = k
        nearest = np.minimum(nearest, distances)
    return choice


def _maximise(points: Vectors, shares: Vectors, full: bool) -> Mixture:
    counts = shares.sum(axis=0) + 1e-9
    means = shares.T @ points / counts[:, None]
    factors = []
    for mean, own, count in zip(means, shares.T, counts, strict=True):
        centred = points - mean
        variances = np.maximum(own @ np.square(centred) / count, FLOOR)
        if not full:
            factors.append(np.sqrt(variances))
            continue
        covariance = (own[:, None] * centred).T @ centred / count
        shrunk = min(1.0, points.shape[1] / count)  # towards the diagonal (Ledoit & Wolf, 2004, with a plain rule)
        covariance = (1 - shrunk) * covariance + shrunk * np.diag(variances) + FLOOR * np.eye(len(mean))
        factors.append(np.linalg.cholesky(covariance))
    return Mixture(counts / counts.sum(), means, np.stack(factors))


def _log_density(points: Vectors, mixture: Mixture) -> Vectors:
    """(N, M), up to a constant."""
    columns = []
    for mean, factor in zip(mixture.means, mixture.factors, strict=True):
        if factor.ndim == 1:
            columns.append(-0.5 * np.square((points - mean) / factor).sum(axis=1) - np.log(factor).sum())
        else:
            whitened = np.linalg.solve(factor, (points - mean).T)
            columns.append(-0.5 * np.square(whitened).sum(axis=0) - np.log(np.diag(factor)).sum())
    return np.stack(columns, axis=1)


def _components(points: int, size: int, of_all: bool) -> int:
    """As many as the points can carry; a class needs fewer than a whole set."""
    most = MOST_COMPONENTS if of_all else MOST_COMPONENTS // 4
    return int(np.clip(points // (4 * size), 1, most))
