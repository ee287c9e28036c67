"""Where pixels go: each operation is a matrix, a chain of them is one, and a picture is resampled once.

Matrices are 3x3 in continuous coordinates: (0, 0) is the top left corner of the picture, (width, height) the bottom
right one, centres of pixels lie at halves. They take a place before to the place after.
"""

import math
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from safelight.classic.formats import Pixels, as_picture

Matrix = NDArray[np.float64]
Size = tuple[int, int]
"""Width, height."""
Border = Literal["reflect", "constant"]
SOFTEN_BELOW = 0.75
"""Pictures that shrink to less than this are blurred before, so that what is too fine does not alias."""


def rotate(size: Size, *, degrees: float) -> Matrix:
    """About the centre, anticlockwise."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return _about_centre(size, np.array([[c, s], [-s, c]]))


def scale(size: Size, *, factor: float) -> Matrix:
    """About the centre; above 1 things grow."""
    return _about_centre(size, np.eye(2) * factor)


def stretch(size: Size, *, factor: float) -> Matrix:
    """About the centre: wider by the root of `factor`, lower by it."""
    return _about_centre(size, np.diag([math.sqrt(factor), 1 / math.sqrt(factor)]))


def shear(size: Size, *, degrees: float) -> Matrix:
    """About the centre: verticals lean to the right."""
    return _about_centre(size, np.array([[1.0, -math.tan(math.radians(degrees))], [0.0, 1.0]]))


def translate(size: Size, *, x_share: float, y_share: float) -> Matrix:
    """To the right and downwards, in shares of width and height."""
    return _affine(np.eye(2), np.array([x_share * size[0], y_share * size[1]]))


def crop(size: Size, *, share: float, x: float, y: float) -> Matrix:
    """A window of `share` of each side, enlarged to the whole; x and y are its place, from 0 (left, top) to 1."""
    corner = np.array([x * size[0], y * size[1]]) * (1 - share)
    return _affine(np.eye(2) / share, -corner / share)


def flip_horizontal(size: Size) -> Matrix:
    """Left becomes right."""
    return _about_centre(size, np.diag([-1.0, 1.0]))


def flip_vertical(size: Size) -> Matrix:
    """Top becomes bottom."""
    return _about_centre(size, np.diag([1.0, -1.0]))


def warp(
    pixels: Pixels, matrix: Matrix, border: Border = "reflect", nearest: bool = False, fill: float = 0.0
) -> Pixels:
    """(H, W, C) resampled once, bilinearly or by the nearest pixel; `fill` is what comes in at a constant border."""
    if np.array_equal(matrix, np.eye(3)):
        return pixels
    height, width = pixels.shape[:2]
    smallest = float(np.linalg.svd(matrix[:2, :2], compute_uv=False)[-1])
    if smallest < SOFTEN_BELOW and not nearest:
        pixels = as_picture(cv2.GaussianBlur(pixels, (0, 0), 0.5 * (1 / smallest - 1), borderType=cv2.BORDER_REFLECT))
    half = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])  # OpenCV counts from the centre of the first pixel
    of_centres = half @ matrix @ np.linalg.inv(half)
    options: dict[str, Any] = {
        "flags": cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR,
        "borderMode": cv2.BORDER_REFLECT if border == "reflect" else cv2.BORDER_CONSTANT,
        "borderValue": [fill] * 4,
    }
    return as_picture(cv2.warpAffine(pixels, of_centres[:2], (width, height), **options))


def moved(points: NDArray[np.float64], matrix: Matrix) -> NDArray[np.float64]:
    """(N, 2) places before → after."""
    after: NDArray[np.float64] = points @ matrix[:2, :2].T + matrix[:2, 2]
    return after


def _affine(linear: NDArray[np.float64], shift: NDArray[np.float64]) -> Matrix:
    matrix = np.eye(3)
    matrix[:2, :2], matrix[:2, 2] = linear, shift
    return matrix


def _about_centre(size: Size, linear: NDArray[np.float64]) -> Matrix:
    centre = np.array(size) / 2
    return _affine(linear, centre - linear @ centre)
