"""Tiling as pure geometry: what to read, what to keep. It knows nothing of models.

    one axis     0        tile-halo        …        length
    read         ├───────────┼──halo──┤
                       ├halo─┼───────────┼──halo──┤
    keep         ├───────────┼───────────┼─ …

All tiles of one picture have the same size, so that the engine plans its memory once. A kept pixel is at
least `halo` away from every inner border, so tiles equal the whole if the halo covers the receptive field.
"""

import itertools
import math
from typing import NamedTuple

MOST_TILES = 64
"""Along one axis, when tiles are fitted to the picture; beyond that only the smallest tile is tried."""


class Span(NamedTuple):
    """One tile on one axis: [start, stop) is read, [keep_start, keep_stop) is kept."""

    start: int
    stop: int
    keep_start: int
    keep_stop: int


class Tile(NamedTuple):
    """One tile."""

    rows: Span
    columns: Span

    @property
    def read(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Rows and columns that are read."""
        return (self.rows.start, self.rows.stop), (self.columns.start, self.columns.stop)


def padded(length: int, multiple: int) -> int:
    """The next multiple."""
    return -(-length // multiple) * multiple


def spans(length: int, tile: int, halo: int) -> list[Span]:
    """Cover [0, length) by reads of `tile`; raises ValueError if the halo leaves nothing to keep."""
    if length <= tile:
        return [Span(0, length, 0, length)]
    if tile <= 2 * halo:
        raise ValueError(f"a tile of {tile} px keeps nothing with a halo of {halo} px; use more than {2 * halo} px")
    result = []
    keep = 0
    while keep < length:
        start = min(max(keep - halo, 0), length - tile)
        stop = start + tile
        keep_stop = length if stop == length else stop - halo
        result.append(Span(start, stop, keep, keep_stop))
        keep = keep_stop
    return result


def tiles(height: int, width: int, tile_height: int, tile_width: int, halo: int) -> list[Tile]:
    """Cover a picture, row by row."""
    rows, columns = spans(height, tile_height, halo), spans(width, tile_width, halo)
    return [Tile(r, c) for r, c in itertools.product(rows, columns)]


def best_tile(height: int, width: int, halo: int, multiple: int, area_px: int) -> tuple[int, int]:
    """The tile of at most `area_px` pixels that covers the picture with the least work.

    A side is the picture's or at least four halos, so that half of it is kept; where even that is more
    than `area_px`, the smallest such tile is taken.
    """
    smallest = padded(max(4 * halo, multiple), multiple)

    def sides(length: int) -> set[int]:
        counts = range(1, min(math.ceil(length / multiple), MOST_TILES) + 1)
        fitting = (padded(math.ceil((length + 2 * halo * (n - 1)) / n), multiple) for n in counts)
        return {min(length, max(smallest, side)) for side in (smallest, *fitting)}

    def work(tile: tuple[int, int]) -> tuple[bool, int]:
        area = tile[0] * tile[1]
        too_large = area > area_px
        return too_large, area if too_large else area * _count(height, tile[0], halo) * _count(width, tile[1], halo)

    return min(itertools.product(sorted(sides(height)), sorted(sides(width))), key=work)


def _count(length: int, tile: int, halo: int) -> int:
    """How many spans there will be."""
    return 1 if length <= tile else math.ceil((length - 2 * halo) / (tile - 2 * halo))
