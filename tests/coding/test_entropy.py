"""Symbols to words and back, also by a decoder that knows nothing but docs/format.md."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safelight.coding.entropy import Coder, SymbolReader, SymbolWriter, grouped
from safelight.coding.tables import (
    COST_UNITS,
    LONGEST_REACH,
    SCALES,
    TOTAL,
    Tables,
    frequencies,
    logistic_masses,
    scale_of,
)
from safelight.errors import PictureError
from tests.stranger import StrangersReader

CODER = Coder(Tables.logistic())


def drawn(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    numbers = rng.integers(0, SCALES, count)
    scales = np.array([scale_of(number) for number in range(SCALES)])[numbers]
    return np.rint(rng.logistic(size=count) * scales).astype(np.int64), numbers


def written(*steps: tuple[np.ndarray, np.ndarray]) -> bytes:
    writer = SymbolWriter(CODER)
    for symbols, numbers in steps:
        writer.write(symbols, numbers)
    return writer.finish()


def test_what_is_written_is_read(rng):
    steps = [drawn(rng, count) for count in (5000, 1, 0, 300)]
    data = written(*steps)
    reader = SymbolReader(CODER, data)
    for symbols, numbers in steps:
        np.testing.assert_array_equal(reader.read(numbers), symbols)


def test_a_stranger_reads_the_same(rng):
    symbols, numbers = drawn(rng, 400)
    symbols[:4] = [10**5, -(10**6), 2000, -1025]
    tables = [table.astype(np.int64) for table in CODER.tables.each]
    np.testing.assert_array_equal(StrangersReader(written((symbols, numbers)), tables).step(numbers), symbols)


def test_the_bytes_cost_what_the_tables_say(rng):
    symbols, numbers = drawn(rng, 20000)
    near = np.abs(symbols) <= LONGEST_REACH
    symbols, numbers = symbols[near], numbers[near]
    stated = CODER.tables.costs[numbers, symbols + LONGEST_REACH + 1].sum() / COST_UNITS
    assert 0.99 * stated < 8 * len(written((symbols, numbers))) < 1.002 * stated + 64


@given(st.lists(st.tuples(st.integers(-(2**22), 2**22), st.integers(0, SCALES - 1)), max_size=60))
def test_every_symbol_can_be_written(pairs):
    symbols, numbers = np.array(pairs, np.int64).reshape(-1, 2).T
    np.testing.assert_array_equal(SymbolReader(CODER, written((symbols, numbers))).read(numbers), symbols)


def test_words_of_something_else_are_read_or_refused_but_never_crash(rng):
    for _ in range(200):
        data = rng.integers(0, 2**32, int(rng.integers(0, 40)), dtype=np.uint32).tobytes()
        try:
            SymbolReader(CODER, data).read(rng.integers(0, SCALES, 500))
        except PictureError as error:
            assert "damaged" in str(error)


def test_tables_are_whole():
    for number, table in enumerate(CODER.tables.each):
        assert int(table.sum(dtype=np.int64)) == TOTAL and table.min() >= 1
        assert len(table) == 2 * CODER.tables.reach[number] + 2
        np.testing.assert_array_equal(table[:-1], table[-2::-1]) if number == 40 else None
    flat = Tables(CODER.tables.flat, CODER.tables.lengths)
    assert all(np.array_equal(a, b) for a, b in zip(flat.each, CODER.tables.each, strict=True))


def test_frequencies_keep_every_symbol_possible():
    whole = frequencies(np.array([1.0, 0.0, 1e-30]))
    assert whole.tolist() == [TOTAL - 2, 1, 1]
    assert logistic_masses(0.5).sum() == pytest.approx(1)


def test_symbols_are_coded_table_after_table():
    order, parts = grouped(np.array([2, 0, 2, 1]))
    assert [(number, order[part].tolist()) for number, part in parts] == [(0, [1]), (1, [3]), (2, [0, 2])]
