"""What must move with the pixels: boxes, polygons and points, in px from the top left corner of the picture."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safelight.classic.geometry import Matrix, Size, moved

Points = NDArray[np.float64]
"""(N, 2): x, y."""


@dataclass(frozen=True)
class Shape:
    """One object of a picture: a box, and the polygons and keypoints that it may have."""

    box: tuple[float, float, float, float]
    """x1, y1, x2, y2."""
    polygons: tuple[Points, ...] = ()
    keypoints: Points | None = None


def move(shape: Shape, matrix: Matrix, size: Size, keep_visible: float) -> Shape | None:
    """Where a shape is after the picture of `size` moved; None if less than `keep_visible` of its area is inside.

    A box becomes the smallest one about its four moved corners, or about its polygons, cut at the edges of the picture.
    """
    keypoints = None if shape.keypoints is None else moved(shape.keypoints, matrix)
    polygons = tuple(moved(polygon, matrix) for polygon in shape.polygons)
    inside = tuple(cut for polygon in polygons if len(cut := clipped(polygon, size)))
    corners = moved(_corners(shape.box), matrix)
    seen = inside if polygons else tuple(cut for cut in (clipped(corners, size),) if len(cut))
    whole = sum(map(polygon_area, polygons)) if polygons else polygon_area(corners)
    part = sum(map(polygon_area, seen))
    if not seen or part <= 0 or part < keep_visible * whole:
        return None
    return Shape(_around(np.concatenate(seen).clip(0, size)), inside, keypoints)


def clipped(polygon: Points, size: Size) -> Points:
    """The part inside the picture; empty if there is none (Sutherland & Hodgman, CACM 1974)."""
    for axis, limit, sign in ((0, 0.0, 1), (0, float(size[0]), -1), (1, 0.0, 1), (1, float(size[1]), -1)):
        if not len(polygon):
            break
        distance = sign * (polygon[:, axis] - limit)
        kept: list[Points] = []
        for here in range(len(polygon)):
            before = here - 1
            if (distance[here] >= 0) != (distance[before] >= 0):
                share = distance[before] / (distance[before] - distance[here])
                kept.append(polygon[before] + share * (polygon[here] - polygon[before]))
            if distance[here] >= 0:
                kept.append(polygon[here])
        polygon = np.array(kept).reshape(-1, 2)
    return polygon


def polygon_area(polygon: Points) -> float:
    """px², by the shoelace formula."""
    x, y = polygon[:, 0], polygon[:, 1]
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def box_area(box: tuple[float, float, float, float]) -> float:
    """px²."""
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def are_inside(points: Points, size: Size) -> NDArray[np.bool_]:
    """(N,): whether each point is in the picture."""
    inside: NDArray[np.bool_] = np.all((points >= 0) & (points <= np.array(size)), axis=1)
    return inside


def _corners(box: tuple[float, float, float, float]) -> Points:
    x1, y1, x2, y2 = box
    return np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]])


def _around(points: Points) -> tuple[float, float, float, float]:
    (x1, y1), (x2, y2) = points.min(axis=0), points.max(axis=0)
    return float(x1), float(y1), float(x2), float(y2)
