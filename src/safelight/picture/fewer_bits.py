"""Values of a measurement in fewer bits: which numbers become black and white."""

from typing import NamedTuple

import numpy as np

from safelight.picture.picture import OVERSHOOT, Picture, convert
from safelight.picture.scale import Scale, ScaleChoice, measure_scale

UNDERSHOOT = 0.05
"""Float values down to here are black and a little less: noise of dark parts."""


class Depth(NamedTuple):
    """How many bits a file gets, and how values get there."""

    bits: int | None = None
    """8, 10, 12, 16, or 32 for float; None: those of the picture."""
    scale: ScaleChoice = "auto"
    """Which numbers become black and white, where there are fewer bits (`picture.scale`)."""


def in_range(picture: Picture, target: str, choice: ScaleChoice) -> tuple[Picture, list[str]]:
    """For fewer bits: black and white as they are, or those of the picture's own scale, which uses few of its numbers.

    The values are floats then, if the scale is not the full one.
    """
    told: list[str] = []
    values, is_finite = picture.pixels, np.isfinite(picture.pixels)
    if not is_finite.all():
        told.append(f"{np.count_nonzero(~is_finite)} values are not finite and became black, in {target}")
    full = Scale(0.0, picture.full_scale)
    scale = measure_scale(picture, choice).scale if is_finite.any() else full
    if scale != full:
        told.append(f"values from {scale.low:g} to {scale.high:g} became black to white, for {target}")
        values = np.clip((values.astype(np.float32) - np.float32(scale.low)) / np.float32(scale.width), 0, 1)
    elif picture.bits < 32:
        return picture, told
    values = np.where(is_finite, values, np.float32(0))
    if (top := float(values.max())) > OVERSHOOT:
        told.append(f"values up to {top:g} were scaled so that {top:g} is white")
        values = values / np.float32(top)
    if (least := float(values.min())) < -UNDERSHOOT:
        told.append(f"values down to {least:g} were cut at 0, which is black in {target}")
    alpha = None if picture.alpha is None else convert(picture.alpha, np.float32)
    return picture.with_(pixels=values, alpha=alpha, bits=32), told
