"""Whether pictures of 16 bits use their range: a camera's 12 bits in 16 would be nearly black as 8 bits."""

from collections.abc import Sequence
from pathlib import Path

from safelight.errors import PictureError, UsageError, shown
from safelight.picture import keeps_numbers, read

LOOKED_AT = 16
"""Pictures of a set, evenly chosen."""
DARK_BITS = 14
"""Pictures of which none uses more bits are on another scale."""


def check_levels(folder: Path, names: Sequence[str]) -> None:
    """Raises UsageError for a set whose pictures have 16 bits and use a quarter of their range at most."""
    largest = 0
    for name in names[:: max(1, len(names) // LOOKED_AT)][:LOOKED_AT]:
        try:
            if not keeps_numbers(folder / name):
                continue
            picture = read(folder / name)
        except PictureError:
            continue  # it is told when the set is read
        if picture.bits == 16:
            largest = max(largest, int(picture.pixels.max()))
    refuse_dark(largest, shown(folder))


def refuse_dark(largest: int, name: str) -> None:
    """Raises UsageError if `largest`, of all values of 16 bits, uses a quarter of the range at most."""
    bits = largest.bit_length()
    if largest and bits <= DARK_BITS:
        raise UsageError(
            f"{name}: its pictures of 16 bits use values up to {largest} of 65535 ({bits} of 16 bits), so they would "
            f"be nearly black; multiply their values by {2 ** (16 - bits)} first"
        )
