"""Finds the quality that meets a rule: so many bits per pixel, so many bytes at most, or a PSNR.

Bytes rise with the quality, by about 4 percent a step. Between two steps the weight of the rate fills in: how much bits
count beside errors when symbols are chosen.
"""

import math
from typing import NamedTuple

import numpy as np

from safelight.errors import PictureError
from safelight.picture import Picture
from safelight.runtime.codec.encoding import RATE_WEIGHT, Coded, Compressed, Encoding

LOWEST, HIGHEST = 1, 100
LARGEST_WEIGHT = 4.0
HALVINGS = 10
STRIP_ROWS = 256
CLOSE = 0.01
"""A file this much smaller than asked, as a share, is near enough."""


def psnr_of(made: Compressed, picture: Picture) -> float:
    """Of what a file decodes to, in dB; inf if nothing was lost. A strip at a time, since pictures may be large."""
    total = 0
    for top in range(0, len(made.decoded), STRIP_ROWS):
        rows = np.s_[top : top + STRIP_ROWS]
        total += int(np.square(made.decoded[rows].astype(np.int64) - picture.pixels[rows]).sum())
    error = total / made.decoded.size / picture.full_scale**2
    return -10 * math.log10(error) if total else math.inf


def under(largest: int, encoding: Encoding) -> Compressed:
    """The largest file of at most so many bytes. Raises PictureError if none is so small."""
    low, high = LOWEST - 1, HIGHEST + 1
    best: Tried | None = None
    while high - low > 1:
        middle = (low + high) // 2
        tried = _try(encoding, middle, RATE_WEIGHT)
        if tried.size <= largest:
            low, best = middle, tried
        else:
            high = middle
    if high <= HIGHEST or best is None:
        best = _filled(high, largest, best, encoding)
    if best is None:
        least = _try(encoding, LOWEST, LARGEST_WEIGHT).size
        raise PictureError(f"needs {least} bytes at the least, and {largest} were asked for")
    return encoding.finished(best.coded)


class Tried(NamedTuple):
    """A picture at one quality, and the size of its file in bytes."""

    size: int
    coded: Coded


def _try(encoding: Encoding, quality: int, weight: float) -> Tried:
    coded = encoding.coded(quality, weight)
    return Tried(encoding.size(coded), coded)


def _filled(quality: int, largest: int, best: Tried | None, encoding: Encoding) -> Tried | None:
    """The largest file of that quality with fewer bits, or of the best that is known; None if all are too large."""
    lightest, heaviest = RATE_WEIGHT, 2 * LARGEST_WEIGHT - RATE_WEIGHT  # the first one tried is LARGEST_WEIGHT
    for _ in range(HALVINGS):
        if best is not None and best.size >= (1 - CLOSE) * largest:
            break
        weight = (lightest + heaviest) / 2
        tried = _try(encoding, quality, weight)
        if tried.size > largest:
            lightest = weight
            continue
        heaviest = weight
        best = tried if best is None or tried.size > best.size else best
    return best


def at_least(picture: Picture, psnr: float, encoding: Encoding) -> Compressed:
    """The smallest file of at least such a PSNR. Raises PictureError if none is so good."""
    low, high, best = LOWEST - 1, HIGHEST + 1, None
    while high - low > 1:
        middle = (low + high) // 2
        made = encoding.finished(encoding.coded(middle))
        if psnr_of(made, picture) >= psnr:
            high, best = middle, made
        else:
            low = middle
    if best is None:
        best = encoding.finished(encoding.coded(HIGHEST, 0.0))
        if psnr_of(best, picture) < psnr:
            found = f"reaches {psnr_of(best, picture):.2f} dB at the most, and {psnr:g} were asked for"
            raise PictureError(f"{found}; fine noise is not stored: try --restore, or ask for less")
    return best
