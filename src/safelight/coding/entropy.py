"""Symbols to words and back: the only door to constriction.

Range coding (Martin, 1979) as constriction's `queue.RangeEncoder` does it: a state of 64 bits, words of 32 bits, and
probabilities of 24 bits. docs/format.md says it in full.
"""

from functools import cached_property

import constriction
import numpy as np
from numpy.typing import NDArray

from safelight.coding.tables import TOTAL, Tables
from safelight.errors import PictureError

MOST_ESCAPE_BITS = 24
WORD_BYTES = 4
_model, _queue = constriction.stream.model, constriction.stream.queue


def _exact_model(table: NDArray[np.uint32]) -> object:
    """A model with these very frequencies: constriction gives each symbol 1/2^24, and shares out the rest as told."""
    return _model.Categorical((table - 1).astype(np.float64), perfect=False)


class Coder:
    """The tables, ready for use."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables

    @cached_property
    def models(self) -> list[object]:
        """One for each table."""
        return [_exact_model(table) for table in self.tables.each]

    @cached_property
    def coin(self) -> object:
        """0 or 1, with equal chances."""
        return _exact_model(np.array([TOTAL // 2, TOTAL // 2], np.uint32))


class SymbolWriter:
    """Symbols → words."""

    def __init__(self, coder: Coder) -> None:
        self._coder, self._encoder = coder, _queue.RangeEncoder()

    def write(self, symbols: NDArray[np.int64], numbers: NDArray[np.int64]) -> None:
        """Symbols of one step, each by the table of its number: table after table, in the order of the array.

        Symbols beyond a table's reach follow after all others.
        """
        order, starts = grouped(numbers)
        reach = self._coder.tables.reach[numbers]
        escaped = np.abs(symbols) > reach
        entries = np.where(escaped, 2 * reach + 1, symbols + reach).astype(np.int32)[order]
        for number, part in starts:
            self._encoder.encode(entries[part], self._coder.models[number])
        for k in np.flatnonzero(escaped):
            self._write_escaped(int(symbols[k]), int(reach[k]))

    def _write_escaped(self, symbol: int, reach: int) -> None:
        """Sign, then Elias gamma code of how far it is beyond the reach (1 is the nearest)."""
        beyond = abs(symbol) - reach
        length = beyond.bit_length()
        bits = [symbol < 0, *[True] * (length - 1), False, *(beyond >> k & 1 for k in reversed(range(length - 1)))]
        self._encoder.encode(np.array(bits, np.int32), self._coder.coin)

    def finish(self) -> bytes:
        """All words, little-endian."""
        words: bytes = self._encoder.get_compressed().astype("<u4").tobytes()
        return words


class SymbolReader:
    """Words → symbols; the inverse of `SymbolWriter`. Raises PictureError for half a word."""

    def __init__(self, coder: Coder, data: bytes) -> None:
        if len(data) % WORD_BYTES:
            raise PictureError("the stream is damaged (it ends within a word)")
        self._coder = coder
        self._decoder = _queue.RangeDecoder(np.frombuffer(data, "<u4").astype(np.uint32))

    def read(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Symbols of one step. Raises PictureError for words that cannot be of such tables."""
        order, starts = grouped(numbers)
        reach = self._coder.tables.reach[numbers]
        entries = np.empty(len(numbers), np.int64)
        try:
            for number, part in starts:
                places = order[part]
                entries[places] = self._decoder.decode(self._coder.models[number], len(places))
            symbols = entries - reach
            for k in np.flatnonzero(entries == 2 * reach + 1):
                symbols[k] = self._read_escaped(int(reach[k]))
        except (AssertionError, ValueError, RuntimeError) as error:
            raise PictureError(f"the stream is damaged ({error})") from None
        return symbols

    def _read_escaped(self, reach: int) -> int:
        is_negative, length = self._bit(), 1
        while self._bit():
            length += 1
            if length > MOST_ESCAPE_BITS:
                raise PictureError("the stream is damaged (a symbol is too large)")
        beyond = 1
        for _ in range(length - 1):
            beyond = beyond << 1 | self._bit()
        return -(reach + beyond) if is_negative else reach + beyond

    def _bit(self) -> int:
        return int(self._decoder.decode(self._coder.coin, 1)[0])


def grouped(numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[tuple[int, slice]]]:
    """The order in which symbols are coded, and for each table that is used, its part of that order."""
    order = np.argsort(numbers, kind="stable")
    ends = np.cumsum(np.bincount(numbers)).tolist() if len(numbers) else []
    parts = [(number, slice(start, end)) for number, (start, end) in enumerate(zip([0, *ends], ends, strict=False))]
    return order, [(number, part) for number, part in parts if part.stop > part.start]
