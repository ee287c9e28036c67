"""The classic operations on one photograph, as they are asked for on a command line: `contrast=1.2`, `rotate=0.7`."""

from collections.abc import Sequence

from safelight.augmentation.catalog import parse_operation
from safelight.augmentation.chain import Sample, on_pixels, runs_of
from safelight.augmentation.record import AppliedStep, VariantRecord
from safelight.classic.threads import single_threaded
from safelight.picture import Picture


def edit(picture: Picture, operations: Sequence[str], seed: int = 0) -> Picture:
    """One after another, geometry in a row resampled once; alpha moves along. Depth and metadata are kept.

    Raises RecipeError for what is no operation.
    """
    parsed = [parse_operation(text) for text in operations]
    steps = tuple(AppliedStep(name, numbers, position) for position, (name, numbers) in enumerate(parsed))
    pixels, alpha = picture.pixels, picture.alpha
    with single_threaded():
        for run in runs_of(VariantRecord(seed, ("edit",), steps)):
            pixels = on_pixels(Sample(pixels), run, "reflect").image
            if alpha is not None and run.kind == "geometry":
                alpha = on_pixels(Sample(alpha), run, "constant").image
    return picture.with_(pixels=pixels, alpha=alpha)
