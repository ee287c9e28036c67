"""Probability tables of a discretised logistic distribution, as integers that sum to 2^24.

A table has one entry for each symbol from -reach to reach, and a last one, the *escape*, for all others.
"""

import math
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

PRECISION = 24
TOTAL = 1 << PRECISION
SCALES = 64
"""How many tables there are."""
SMALLEST, LARGEST = 0.04, 400.0
"""Scale of the first distribution and of the last one; those between grow by one factor."""
SUBSTEPS = 16
"""Networks give the number of a table in such parts, and it is rounded afterwards."""
LONGEST_REACH = 1023
COST_UNITS = 256


def scale_of(number: int) -> float:
    """The scale of a table's distribution, in symbols."""
    return float(SMALLEST * (LARGEST / SMALLEST) ** (number / (SCALES - 1)))


def log_step() -> float:
    """The natural logarithm of the factor between neighbouring scales."""
    return math.log(LARGEST / SMALLEST) / (SCALES - 1)


def logistic_masses(scale: float) -> NDArray[np.float64]:
    """Masses of the symbols, and of the escape."""
    reach = min(LONGEST_REACH, math.ceil(14 * scale) + 1)
    edges = np.arange(-reach - 1, reach + 1) + 0.5
    cumulative = 0.5 * (1 + np.tanh(edges / (2 * scale)))
    inner = np.diff(cumulative)
    return np.append(inner, max(0.0, 1 - inner.sum()))


def frequencies(masses: NDArray[np.float64]) -> NDArray[np.uint32]:
    """Integers of at least 1 that sum to 2^24, in proportion to the masses."""
    whole = 1 + np.floor(masses / masses.sum() * (TOTAL - len(masses))).astype(np.int64)
    whole[np.argmax(whole)] += TOTAL - whole.sum()
    exact: NDArray[np.uint32] = whole.astype(np.uint32)
    return exact


class Tables:
    """All tables, as they lie in a bundle: one after the other."""

    def __init__(self, flat: NDArray[np.uint32], lengths: NDArray[np.int64]) -> None:
        self.flat, self.lengths = flat, lengths

    @staticmethod
    def logistic() -> "Tables":
        """Those of the distribution that training assumes."""
        return Tables.of([frequencies(logistic_masses(scale_of(number))) for number in range(SCALES)])

    @staticmethod
    def of(tables: list[NDArray[np.uint32]]) -> "Tables":
        """From one array for each."""
        return Tables(np.concatenate(tables), np.array([len(table) for table in tables]))

    @cached_property
    def each(self) -> list[NDArray[np.uint32]]:
        """One array for each."""
        return np.split(self.flat, np.cumsum(self.lengths)[:-1])

    @cached_property
    def reach(self) -> NDArray[np.int64]:
        """Of each table the largest symbol that needs no escape."""
        return (self.lengths - 2) // 2

    @property
    def are_whole(self) -> bool:
        """Whether every table has an entry for each of its symbols, and frequencies that sum to 2^24."""
        odd = (self.lengths % 2).any() or self.lengths.min() < 2 or self.lengths.max() > 2 * LONGEST_REACH + 2
        if odd or self.lengths.sum() != len(self.flat):
            return False
        return all(int(table.sum(dtype=np.int64)) == TOTAL and int(table.min()) >= 1 for table in self.each)

    @cached_property
    def costs(self) -> NDArray[np.int64]:
        """Of a symbol, in 1/256 bits: (table, symbol + LONGEST_REACH + 1). An escape costs its own and a number's."""
        return np.rint(COST_UNITS * self._bits()).astype(np.int64)

    def _bits(self) -> NDArray[np.float64]:
        bits = np.empty((len(self.lengths), 2 * LONGEST_REACH + 3), np.float64)
        symbols = np.abs(np.arange(-LONGEST_REACH - 1, LONGEST_REACH + 2))
        for row, table, reach in zip(bits, self.each, self.reach, strict=True):
            own = PRECISION - np.log2(table.astype(np.float64))
            beyond = np.maximum(symbols - reach, 1)
            row[:] = own[-1] + 1 + 2 * np.floor(np.log2(beyond)) + 1
            row[LONGEST_REACH + 1 - reach : LONGEST_REACH + 2 + reach] = own[:-1]
        return bits
