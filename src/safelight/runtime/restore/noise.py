"""Latent noise as a field over absolute coordinates: every tile of a picture sees the same one.

The plane is cut into blocks of fixed size, and each block has a stream of its own, so any window of the
field can be made without the rest of it.
"""

import numpy as np
from numpy.typing import NDArray

from safelight import randomness

BLOCK = 64


def noise_field(
    key: tuple[int, str, int, int], channels: int, rows: tuple[int, int], columns: tuple[int, int]
) -> NDArray[np.float32]:
    """N(0, 1) of shape (channels, rows, columns) at positions [start, stop) of the field named by `key`.

    The key is seed, picture, sample and which of the model's noise inputs.
    """
    field = np.empty((channels, rows[1] - rows[0], columns[1] - columns[0]), dtype=np.float32)
    for block_row in range(rows[0] // BLOCK, -(-rows[1] // BLOCK)):
        for block_column in range(columns[0] // BLOCK, -(-columns[1] // BLOCK)):
            stream = randomness.generator(*key, "block", block_row, block_column)
            block = stream.standard_normal((channels, BLOCK, BLOCK), dtype=np.float32)
            (in_rows, out_rows), (in_columns, out_columns) = (
                _overlap(block_row, rows),
                _overlap(block_column, columns),
            )
            field[:, out_rows, out_columns] = block[:, in_rows, in_columns]
    return field


def _overlap(block: int, window: tuple[int, int]) -> tuple[slice, slice]:
    """Where a block and a window meet: as a slice of the block, and of the window."""
    origin = block * BLOCK
    start, stop = max(origin, window[0]), min(origin + BLOCK, window[1])
    return slice(start - origin, stop - origin), slice(start - window[0], stop - window[0])
