"""How a picture is cut: from its size alone, so that a file need not say it.

All numbers are positions of 16x16 pixels.
"""

import itertools
from dataclasses import dataclass

BLOCK_PX = 16
"""One position of the fine rung stands for a square of this side."""
TILE = 64
"""A tile has at most so many positions a side: 1024 pixels."""
ALIGNED = 4
"""Tiles begin at multiples of this, where the coarse rung has a position."""


@dataclass(frozen=True)
class Tile:
    """A rectangle of positions."""

    top: int
    left: int
    height: int
    width: int

    def with_halo(self, halo: int, grid: tuple[int, int]) -> "Tile":
        """With so many positions more on all sides, as far as the grid reaches."""
        top, left = max(0, self.top - halo), max(0, self.left - halo)
        bottom, right = min(grid[0], self.top + self.height + halo), min(grid[1], self.left + self.width + halo)
        return Tile(top, left, bottom - top, right - left)

    def slices(self, scale: int = 1) -> tuple[slice, slice]:
        """Rows and columns, of positions or of pixels."""
        return (
            slice(scale * self.top, scale * (self.top + self.height)),
            slice(scale * self.left, scale * (self.left + self.width)),
        )

    def inside(self, outer: "Tile") -> "Tile":
        """The same rectangle, counted from the corner of another."""
        return Tile(self.top - outer.top, self.left - outer.left, self.height, self.width)

    def touches(self, other: "Tile") -> bool:
        """Whether they have a position in common."""
        return (
            self.top < other.top + other.height
            and other.top < self.top + self.height
            and self.left < other.left + other.width
            and other.left < self.left + self.width
        )


def grid_of(width: int, height: int) -> tuple[int, int]:
    """Rows and columns of positions of a picture of so many pixels."""
    return -(-height // BLOCK_PX), -(-width // BLOCK_PX)


def tiles(grid: tuple[int, int]) -> list[Tile]:
    """All tiles of a grid, row by row; along a side their sizes differ as little as the alignment allows."""
    rows, columns = (_cuts(side) for side in grid)
    return [Tile(top, left, height, width) for top, height in rows for left, width in columns]


def _cuts(side: int) -> list[tuple[int, int]]:
    """(start, length) of each part."""
    parts = -(-side // TILE)
    units = -(-side // ALIGNED)
    starts = [units * k // parts * ALIGNED for k in range(parts)] + [side]
    return [(start, stop - start) for start, stop in itertools.pairwise(starts)]
