"""Tiling is geometry, and obeys its laws."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safelight.runtime.restore.tiling import best_tile, padded, spans, tiles

lengths = st.integers(1, 400).map(lambda n: 8 * n)
halos = st.integers(0, 12).map(lambda n: 8 * n)


@given(lengths, st.integers(1, 60).map(lambda n: 8 * n), halos)
def test_spans_cover_once_with_halo(length, tile, halo):
    if tile <= 2 * halo and length > tile:
        with pytest.raises(ValueError, match="keeps nothing"):
            spans(length, tile, halo)
        return
    plan = spans(length, tile, halo)
    assert plan[0].keep_start == 0
    assert plan[-1].keep_stop == length
    for one, following in itertools.pairwise(plan):
        assert one.keep_stop == following.keep_start
    for span in plan:
        assert span.stop - span.start == min(tile, length), "all reads have one size"
        assert 0 <= span.start <= span.keep_start < span.keep_stop <= span.stop <= length
        assert span.start == 0 or span.keep_start - span.start >= halo
        assert span.stop == length or span.stop - span.keep_stop >= halo
        assert span.start % 8 == 0


shorter = st.integers(1, 120).map(lambda n: 8 * n)


@given(shorter, shorter, halos, st.integers(1_000, 300_000))
def test_best_tile_fits_and_covers(height, width, halo, area):
    h, w = best_tile(height, width, halo, 8, area)
    assert h % 8 == w % 8 == 0
    assert h * w <= max(area, max(4 * halo, 8) ** 2)
    covered = np.zeros((height // 8, width // 8), int)
    for tile in tiles(height, width, h, w, halo):
        rows, columns = (slice(s.keep_start // 8, s.keep_stop // 8) for s in tile)
        covered[rows, columns] += 1
    assert (covered == 1).all()


@given(st.integers(1, 100), st.integers(1, 64), st.integers(0, 3))
def test_a_local_model_gives_the_same_in_tiles(length, tile_cells, reach):
    """A box filter as the model: tiles equal the whole when the halo covers its reach."""
    signal = np.sin(np.arange(8 * length) ** 1.5)

    def box(x: np.ndarray) -> np.ndarray:
        return np.convolve(np.pad(x, reach), np.ones(2 * reach + 1), "valid")

    tile, halo = 8 * (tile_cells + 2), 8
    result = np.empty_like(signal)
    for span in spans(len(signal), tile, halo):
        window = box(signal[span.start : span.stop])
        result[span.keep_start : span.keep_stop] = window[span.keep_start - span.start : span.keep_stop - span.start]
    np.testing.assert_array_equal(result, box(signal))


@given(st.integers(1, 10**6), st.integers(1, 64))
def test_padded(length, multiple):
    assert 0 <= padded(length, multiple) - length < multiple
    assert padded(length, multiple) % multiple == 0
