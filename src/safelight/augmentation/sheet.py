"""Pictures with words below them, laid out in rows: a contact sheet."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from safelight.augmentation.chain import Sample, in_bytes

CELL_PX, LINE_PX, MARGIN_PX = 168, 12, 6
MOST_LINES = 10
INK, PAPER, EDGE = (30, 30, 30), 255, (0, 120, 215)
Sheet = NDArray[np.uint8]
"""(H, W, 3)"""


def cell(sample: Sample | None, lines: Sequence[str]) -> Sheet:
    """A picture, with its mask and boxes, and lines of text below it."""
    whole = np.full((CELL_PX + (MOST_LINES + 1) * LINE_PX, CELL_PX + MARGIN_PX, 3), PAPER, dtype=np.uint8)
    if sample is not None:
        picture = _drawn(sample)
        whole[: picture.shape[0], : picture.shape[1]] = picture
    shown = list(lines) if len(lines) <= MOST_LINES else [*lines[: MOST_LINES - 1], "..."]
    for k, line in enumerate(shown):
        place = (1, CELL_PX + (k + 1) * LINE_PX)
        plain = line.encode("ascii", "replace").decode()[:28]
        cv2.putText(
            whole,
            plain,
            place,
            fontFace=cv2.FONT_HERSHEY_SIMPLEX,
            fontScale=0.33,
            color=INK,
            thickness=1,
            lineType=cv2.LINE_AA,
        )
    return whole


def _drawn(sample: Sample) -> Sheet:
    """Scaled to the cell, with its mask and its boxes."""
    image = in_bytes(sample.image)
    image = np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image
    height, width = image.shape[:2]
    factor = CELL_PX / max(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    scaled = np.ascontiguousarray(
        cv2.resize(image, size, interpolation=cv2.INTER_NEAREST if factor > 1 else cv2.INTER_AREA)
    )
    if sample.mask is not None:
        mask = cv2.resize(sample.mask[..., 0], size, interpolation=cv2.INTER_NEAREST) > 0
        scaled[mask] = (0.6 * scaled[mask] + 0.4 * np.array(EDGE)).astype(np.uint8)
    for shape in sample.shapes:
        if shape is not None:
            outlines = shape.polygons or (np.array(shape.box)[[[0, 1], [2, 1], [2, 3], [0, 3]]],)
            whole = [np.rint(outline * factor).astype(np.int32) for outline in outlines]
            cv2.polylines(scaled, whole, isClosed=True, color=EDGE, thickness=1, lineType=cv2.LINE_AA)
    return scaled.astype(np.uint8)


def stacked(rows: Sequence[Sheet]) -> Sheet:
    """Rows of any width, one below the other."""
    width = max(row.shape[1] for row in rows)
    padded = [np.pad(r, ((0, 0), (0, width - r.shape[1]), (0, 0)), constant_values=PAPER) for r in rows]
    return np.concatenate(padded).astype(np.uint8)


def joined(cells: Sequence[Sheet]) -> Sheet:
    """Side by side, without the empty lines below all of them."""
    row = np.concatenate(cells, axis=1)
    used = np.flatnonzero((row != PAPER).any(axis=(1, 2)))
    return row[: max(int(used[-1]), CELL_PX) + LINE_PX]
