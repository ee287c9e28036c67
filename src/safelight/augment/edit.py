"""The classic operations on one photograph, as they are asked for on a command line: `contrast=1.2`, `rotate=0.7`."""

import itertools
from collections.abc import Sequence

from safelight import randomness
from safelight.augment.catalog import OPERATIONS, parse
from safelight.augment.chain import product
from safelight.classic.colour import recolour
from safelight.classic.geometry import warp
from safelight.picture import Picture


def edit(picture: Picture, operations: Sequence[str], seed: int = 0) -> Picture:
    """One after another, geometry in a row resampled once; alpha moves along. Depth and metadata are kept.

    Raises RecipeError for what is no operation.
    """
    pixels, alpha = picture.pixels, picture.alpha
    width, height = picture.size
    steps = [(position, *parse(text)) for position, text in enumerate(operations)]
    for kind, group in itertools.groupby(steps, lambda step: OPERATIONS[step[1]].kind):
        row = list(group)
        if kind == "geometry":
            whole = product(OPERATIONS[name].function((width, height), **numbers) for _, name, numbers in row)
            pixels = warp(pixels, whole)
            alpha = alpha if alpha is None else warp(alpha, whole, "constant")
        elif kind == "colour":
            pixels = recolour(pixels, product(OPERATIONS[name].function(**numbers) for _, name, numbers in row))
        else:
            for position, name, numbers in row:
                pixels = OPERATIONS[name].function(pixels, randomness.generator(seed, "edit", position), **numbers)
    return picture.with_(pixels=pixels, alpha=alpha)
