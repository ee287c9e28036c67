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

    Where even the smallest useful tile is larger than `area_px`, that one is taken.
    """
    smallest = padded(2 * halo + multiple, multiple)

    def sides(length: int) -> set[int]:
        most = max(1, math.ceil(length / multiple))
        counts = range(1, min(most, 64) + 1)
        return {
            min(length, max(smallest, padded(math.ceil((length + 2 * halo * (n - 1)) / n), multiple))) for n in counts
        }

    def work(sides: tuple[int, int]) -> tuple[bool, int]:
        h, w = sides
        too_large = h * w > area_px
        return too_large, h * w if too_large else len(spans(height, h, halo)) * len(spans(width, w, halo)) * h * w

    return min(itertools.product(sorted(sides(height)), sorted(sides(width))), key=work)
