"""Pictures that are nearly the same: other encodings, sizes and exposures of one picture.

Each is seen as 16x16 grey values, centred and of length 1; two are alike when the cosine between them is at
least `ALIKE`. All pairs are compared, exactly: sorted by their first principal component, along which vectors
that are alike lie close together, so most products are never made.
"""

import numpy as np
from numpy.typing import NDArray

from safelight.dataset.images import Pixels

Array = NDArray[np.float32]
SIDE = 16
ALIKE = 0.998
"""Cosine: a picture saved again as JPEG 50 stays above it, neighbouring frames of a scene mostly do not."""
FLAT = 1.0
"""Standard deviation in grey levels; flatter pictures are alike to nothing, there is nothing to compare."""
BLOCK = 1024


def sketch(pixels: Pixels) -> Array:
    """(H, W, C) → (256,), of length 1, or 0 for a flat picture."""
    small = _averaged(_averaged(pixels.mean(axis=2, dtype=np.float32), 0), 1).ravel()
    centred = small - small.mean()
    length = float(np.linalg.norm(centred))
    if length <= FLAT * SIDE:
        return np.zeros(SIDE * SIDE, dtype=np.float32)
    direction: Array = (centred / length).astype(np.float32)
    return direction


def _averaged(values: Array, axis: int) -> Array:
    """`SIDE` averages of neighbours along an axis, or repetitions where there are fewer values."""
    size = values.shape[axis]
    starts = np.arange(SIDE) * size // SIDE
    if size < SIDE:
        repeated: Array = values.take(starts, axis)
        return repeated
    counts = np.diff(np.append(starts, size)).astype(np.float32)
    sums: Array = np.add.reduceat(values, starts, axis=axis)
    return sums / (counts[:, None] if axis == 0 else counts)


def groups(sketches: Array) -> list[list[int]]:
    """(N, 256) → positions of pictures that are alike, or alike to one that is, group by group."""
    real = np.flatnonzero(sketches.any(axis=1))
    if len(real) < 2:
        return []
    vectors = sketches[real]
    _, directions = np.linalg.eigh(vectors.T @ vectors)
    along = vectors @ directions[:, -1]
    order = np.argsort(along, kind="stable")
    vectors, along = vectors[order], along[order]
    reach = float(np.sqrt(2 - 2 * ALIKE)) + 1e-6
    parents = np.arange(len(real))
    for start in range(0, len(vectors), BLOCK):
        stop = min(start + BLOCK, len(vectors))
        end = int(np.searchsorted(along, along[stop - 1] + reach, side="right"))
        cosines = vectors[start:stop] @ vectors[start:end].T
        cosines[np.tri(stop - start, end - start, dtype=bool)] = 0  # each pair once, nobody with itself
        for row, column in np.argwhere(cosines >= ALIKE).tolist():
            one, other = _root(parents, start + row), _root(parents, start + column)
            parents[max(one, other)] = min(one, other)
    members: dict[int, list[int]] = {}
    for position in range(len(vectors)):
        members.setdefault(_root(parents, position), []).append(int(real[order[position]]))
    return sorted(sorted(group) for group in members.values() if len(group) > 1)


def _root(parents: NDArray[np.intp], position: int) -> int:
    while parents[position] != position:
        parents[position] = parents[parents[position]]
        position = int(parents[position])
    return position
