"""A page that shows results beside their inputs, read back from the files."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from safelight.errors import PictureError
from safelight.evaluation.compare_page import Array, Compared, compare_html
from safelight.evaluation.uncertainty_view import glow
from safelight.jobs.enhance.outcome import EnhanceOutcome
from safelight.picture import Picture, read
from safelight.picture.scale import Scale, measure_scale
from safelight.work import write_whole

MOST_PICTURES = 24
CLEAR = 0.8
"""The grey that stands for what alpha hides."""


def write_comparison(outcomes: Sequence[EnhanceOutcome], path: Path) -> int:
    """The first pictures that have results, as one HTML file; returns how many. None is written of none.

    Raises OutputError.
    """
    shown: list[Compared] = []
    folders = [Path.cwd() / Path(outcome.source).parent for outcome in outcomes]
    common = os.path.commonpath(folders) if folders else "."
    for outcome in outcomes:
        if outcome.outputs and outcome.status != "failed" and len(shown) < MOST_PICTURES:
            try:
                shown.append(_compared(outcome, os.path.relpath(outcome.source, common)))
            except PictureError:
                continue  # what was in the way of a result need not be a picture
    if shown:
        write_whole(path, compare_html("Before and after", shown))
    return len(shown)


def _compared(outcome: EnhanceOutcome, name: str) -> Compared:
    """Raises PictureError."""
    before = read(outcome.source)
    scale = Scale(*outcome.scale) if outcome.scale else measure_scale(before).scale
    main = Path(outcome.outputs[0]).stem
    layers: dict[str, Array] = {}
    for output in outcome.outputs:
        beside = Path(output).stem.removeprefix(main)
        if beside == "_std":
            if Path(output).suffix == ".png":
                continue  # the same, to look at
            layers["uncertainty"] = glow(read(output).pixels / np.float32(scale.width))
        else:
            label = "sample " + beside.removeprefix("_sample") if beside else "restored"
            layers[label] = _seen(read(output), before, scale)
    warnings = "; ".join(outcome.warnings)
    return Compared(name, warnings, _seen(before, before, scale), layers)


def _seen(picture: Picture, like: Picture, scale: Scale) -> Array:
    """Between black and white of the input's scale, whatever the picture's own depth is; on grey where it is clear."""
    values = picture.as_float() * like.full_scale
    seen: Array = (values - scale.low) / scale.width
    if picture.alpha is None:
        return seen
    alpha = picture.alpha
    opaque = alpha if np.issubdtype(alpha.dtype, np.floating) else alpha / np.float32(np.iinfo(alpha.dtype).max)
    return seen * opaque + CLEAR * (1 - opaque)
