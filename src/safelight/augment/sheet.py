"""A contact sheet: pictures on the left, variants beside them, and under each what was done."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from safelight.augment.chain import Sample, in_bytes
from safelight.augment.draw import Record
from safelight.augment.job import plan
from safelight.augment.make import Maker, Want
from safelight.errors import OutputError
from safelight.picture import Picture, write

MARK = b"contact sheet of variants"
ROWS, COLUMNS = 6, 6
CELL_PX, LINE_PX, MARGIN_PX = 168, 12, 6
MOST_LINES = 10
INK, PAPER, EDGE = (30, 30, 30), 255, (0, 120, 215)
Sheet = NDArray[np.uint8]


def write_sheet(maker: Maker, path: Path) -> int:
    """Variants of a few pictures, evenly spread over the set; returns how many. Raises OutputError and UsageError."""
    if path.exists() and MARK not in path.read_bytes():
        raise OutputError(f"{path}: is there, and no contact sheet; choose another --preview")
    numbers = _spread(maker)
    by_number: dict[int, list[Want]] = {number: [] for number in numbers}
    for want in plan(maker):
        if want[0] in by_number and len(by_number[want[0]]) < COLUMNS - 1:
            by_number[want[0]].append(want)
    rows, count = [], 0
    for number in numbers:
        label = maker.pictures.label(number)
        cells = [cell(maker.load(number)[0], [maker.pictures.names[number], *([f"class {label}"] if label else [])])]
        for variant in maker.make(by_number[number]):
            count += 1
            if variant.sample is None or variant.record is None:
                cells.append(cell(None, ["left out:", *dict.fromkeys(variant.refusals)]))
            else:
                cells.append(cell(variant.sample, _words(variant.record, variant.sample)))
        rows.append(joined(cells))
    path.parent.mkdir(parents=True, exist_ok=True)
    write(Picture(stacked(rows)), path, provenance={"Kind": MARK.decode()})
    return count


def _spread(maker: Maker) -> list[int]:
    """Of every class in turn, if there are labels."""
    count, by_class = len(maker.pictures.names), dict[str | None, list[int]]()
    for number in range(count):
        by_class.setdefault(maker.pictures.label(number), []).append(number)
    order = [members[k] for k in range(count) for members in by_class.values() if k < len(members)]
    return order[:ROWS]


def _words(record: Record, sample: Sample) -> list[str]:
    """The operations with their numbers, one in a line."""
    lines = []
    for step in record.steps:
        numbers = " ".join(f"{round(value, 2) + 0.0:g}" for value in step.numbers.values())
        lines.append(f"{step.op} {numbers}".strip())
    lines += [" ".join(f"{name} {share:.2f}" for name, share in sample.soft_label.items())] if sample.soft_label else []
    return lines or ["as it is"]


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
        cv2.putText(whole, plain, place, cv2.FONT_HERSHEY_SIMPLEX, 0.33, INK, 1, cv2.LINE_AA)
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
            cv2.polylines(scaled, whole, True, EDGE, 1, cv2.LINE_AA)
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
