"""The classic operations on one photograph, as they are asked for on a command line: `contrast=1.2`, `rotate=0.7`."""

import itertools
from collections.abc import Sequence

from safelight.augment.catalog import parse
from safelight.augment.chain import Sample, kind_of, on_pixels
from safelight.augment.draw import Applied, Record
from safelight.picture import Picture


def edit(picture: Picture, operations: Sequence[str], seed: int = 0) -> Picture:
    """One after another, geometry in a row resampled once; alpha moves along. Depth and metadata are kept.

    Raises RecipeError for what is no operation.
    """
    parsed = [parse(text) for text in operations]
    steps = tuple(Applied(name, numbers, position) for position, (name, numbers) in enumerate(parsed))
    record, pixels, alpha = Record(seed, ("edit",), steps), picture.pixels, picture.alpha
    for kind, group in itertools.groupby(steps, kind_of):
        row = list(group)
        pixels = on_pixels(Sample(pixels), kind, row, record, "reflect").image
        if alpha is not None and kind == "geometry":
            alpha = on_pixels(Sample(alpha), kind, row, record, "constant").image
    return picture.with_(pixels=pixels, alpha=alpha)
