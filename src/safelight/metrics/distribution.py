"""How two sets of pictures differ as sets, in a feature space that must be named with every number.

None of these is "FID" or "KID" as published, which are defined by the features of one Inception network.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.floating]
"""(N, F)"""


class Coverage(NamedTuple):
    """Shares in [0, 1]."""

    precision: float
    """Of samples that lie among pictures."""
    recall: float
    """Of pictures that lie among samples."""


def frechet_distance(a: Features, b: Features) -> float:
    """|μ_a - μ_b|² + tr(C_a + C_b - 2 (C_a C_b)^½): between Gaussians of the same means and covariances.

    Dowson & Landau, 1982; for pictures Heusel et al., NIPS 2017. In units of the features squared. Biased upwards for
    few pictures: compare numbers of equally many only.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    gap = np.square(first.mean(axis=0) - second.mean(axis=0)).sum()
    first, second = ((x - x.mean(axis=0)) / math.sqrt(len(x) - 1) for x in (first, second))  # C_a = AᵀA, C_b = BᵀB
    cross = np.linalg.svd(first @ second.T, compute_uv=False).sum()  # tr (C_a C_b)^½, whatever F is
    return float(gap + np.square(first).sum() + np.square(second).sum() - 2 * cross)


def kernel_distance(a: Features, b: Features) -> float:
    """The unbiased squared maximum mean discrepancy with the kernel (x·y / F + 1)³, which may be below 0.

    Gretton et al., JMLR 2012; for pictures Bińkowski et al., ICLR 2018.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)

    def kernel(x: Features, y: Features) -> Features:
        powers: Features = (x @ y.T / x.shape[1] + 1) ** 3
        return powers

    def within(x: Features) -> float:
        gram = kernel(x, x)
        return float((gram.sum() - np.trace(gram)) / (len(x) * (len(x) - 1)))

    return within(first) + within(second) - 2 * float(kernel(first, second).mean())


def coverage(pictures: Features, samples: Features, neighbours: int = 3) -> Coverage:
    """Precision and recall by balls that reach to the third neighbour (Kynkäänniemi et al., NeurIPS 2019)."""

    def among(points: Features, balls: Features) -> float:
        radii = np.sort(distances(balls, balls), axis=1)[:, neighbours]
        return float((distances(points, balls) <= radii[None]).any(axis=1).mean())

    return Coverage(among(samples, pictures), among(pictures, samples))


def distances(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    """(N, F), (M, F) → Euclidean, (N, M)."""
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    squares = np.square(first).sum(axis=1)[:, None] + np.square(second).sum(axis=1)[None] - 2 * first @ second.T
    lengths: NDArray[np.float64] = np.sqrt(np.maximum(squares, 0))
    return lengths
