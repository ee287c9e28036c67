"""Probability tables as the symbols of training pictures really fall.

Training assumes a logistic distribution. The symbols that a table codes are a mixture of many, so their own frequencies
are a little better, and cost nothing at run time.
"""

import numpy as np
from numpy.typing import NDArray

from safelight import randomness
from safelight.bundle import Bundle
from safelight.bundle.codec import CodecCard
from safelight.coding.tables import SCALES, Tables, frequencies, logistic_masses, scale_of
from safelight.coding.tiling import grid_of, tiles
from safelight.learn.store import PixelStore
from safelight.runtime.codec.codec import Codec
from safelight.runtime.codec.encoding import RATE_WEIGHT
from safelight.runtime.codec.latents import Writing

PICTURES = 60
PRIOR_SYMBOLS = 2000.0
"""The logistic distribution counts as so many symbols of each table."""


class SymbolCounter:
    """Counts symbols by their table, in the place of a `SymbolWriter`."""

    def __init__(self, tables: Tables) -> None:
        self.reach = tables.reach
        self.counts = [np.zeros(int(length)) for length in tables.lengths]

    def write(self, symbols: NDArray[np.int64], numbers: NDArray[np.int64]) -> None:
        """See `SymbolWriter.write`."""
        for number in np.unique(numbers):
            own, reach = symbols[numbers == number], self.reach[number]
            entries = np.where(np.abs(own) > reach, 2 * reach + 1, own + reach)
            self.counts[number] += np.bincount(entries, minlength=2 * reach + 2)


def fit_tables(bundle: Bundle[CodecCard], store: PixelStore) -> Tables:
    """From training pictures at random qualities, coded by a bundle that has the logistic tables."""
    core = Codec.load(bundle.folder).core
    counter = SymbolCounter(Tables.logistic())
    rng = randomness.generator(0, "tables")
    largest = [picture.entries[0] for picture in store.each()]
    for k in rng.permutation(len(largest))[:PICTURES]:
        entry, quality = largest[int(k)], int(rng.integers(1, 101))
        pixels, grid = store.pixels(entry), grid_of(entry.width, entry.height)
        for tile in tiles(grid):
            fine = core.analyse(pixels, tile, grid)
            writing = Writing(core.coder, counter, fine, quality=quality, rate_weight=RATE_WEIGHT)
            core.coder.code((tile.height, tile.width), quality, writing)
    return Tables.of([frequencies(_masses(number, counter.counts[number])) for number in range(SCALES)])


def _masses(number: int, counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Symmetric: nothing makes a residual rather positive than negative."""
    inner = counts[:-1] + counts[-2::-1]
    both = np.append(inner / 2, counts[-1])
    return both + PRIOR_SYMBOLS * logistic_masses(scale_of(number))
