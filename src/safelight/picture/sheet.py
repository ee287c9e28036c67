"""Rows of small pictures, each row below its name: for people who watch a training."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np
import pyvips
from numpy.typing import NDArray

from safelight.errors import on_one_line, shown
from safelight.picture.vips import to_vips

Array = NDArray[np.floating]
GAP_PX, LEAST_WIDTH_PX, LETTERS = 2, 480, 40
"""Between pictures; of the sheet; and how many letters of a name stand side by side in its width."""


def save_rows(rows: Sequence[tuple[str, Array]], path: Path) -> None:
    """Name and pictures, (N, H, W, C) in [0, 1], of each row; C is 1 or 3. A row without a name follows the one above.

    Small pictures are enlarged. Raises what libvips raises for a file that cannot be written.
    """
    widest = max(len(pictures) * (pictures.shape[2] + GAP_PX) - GAP_PX for _, pictures in rows)
    factor = -(-LEAST_WIDTH_PX // widest)
    width = factor * widest
    strips = [part for name, pictures in rows for part in (_name(name, width), _strip(pictures, factor, width))]
    to_vips(np.concatenate(strips)).pngsave(str(path))


def _strip(pictures: Array, factor: int, width: int) -> NDArray[np.uint8]:
    """(H + gap, width, 3)"""
    _, height, side, _ = pictures.shape
    strip = np.full((height + GAP_PX, width // factor, 3), 255, np.uint8)
    for k, picture in enumerate(np.rint(255 * pictures.clip(0, 1)).astype(np.uint8)):
        left = k * (side + GAP_PX)
        strip[:height, left : left + side] = picture
    return strip.repeat(factor, axis=0).repeat(factor, axis=1)


def _name(name: str, width: int) -> NDArray[np.uint8]:
    """(h, width, 3): black on white; nothing where the system has no font, or for no name."""
    none = np.full((0, width, 3), 255, np.uint8)
    if not name:
        return none
    try:
        text = pyvips.Image.text(escape(on_one_line(shown(name))), font="sans", dpi=width // LETTERS * 6)
        ink = np.asarray(text.numpy())[:, :width]
    except pyvips.Error:
        return none
    page = np.full((len(ink) + 4 * GAP_PX, width, 3), 255, np.uint8)
    page[2 * GAP_PX : 2 * GAP_PX + len(ink), : ink.shape[1]] -= ink.reshape(len(ink), -1, 1)
    return page
