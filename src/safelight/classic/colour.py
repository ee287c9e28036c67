"""What colours become: each operation is a matrix over (R, G, B, 1) in [0, 1], and a chain of them is one.

Nothing is clipped between the operations of a chain. On grey pictures those that only move colours do nothing.
Haeberli, "Matrix operations for image processing", 1993; luma and chroma as in ITU-R BT.601.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from safelight.classic.formats import LUMA, Pixels, as_picture, full_scale
from safelight.picture.luma import BT601

ColourMatrix = NDArray[np.float64]
"""(4, 4), the last row 0 0 0 1."""
_YIQ = np.array([BT601, [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])


def contrast(*, factor: float) -> ColourMatrix:
    """Away from mid grey, or towards it."""
    return _matrix(np.eye(3) * factor, 0.5 * (1 - factor))


def brightness(*, shift: float) -> ColourMatrix:
    """Added to every value; white is 1."""
    return _matrix(np.eye(3), shift)


def saturation(*, factor: float) -> ColourMatrix:
    """Away from grey of the same luma, or towards it; 0 is grey."""
    return _matrix(factor * np.eye(3) + (1 - factor) * np.repeat(LUMA, 3, axis=0).astype(np.float64))


def hue(*, degrees: float) -> ColourMatrix:
    """Turned about the grey axis, luma kept."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return _matrix(np.linalg.inv(_YIQ) @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ _YIQ)


def white_balance(*, red: float, blue: float) -> ColourMatrix:
    """Red and blue multiplied, and all so that the luma of white stays."""
    gains = np.array([red, 1.0, blue])
    return _matrix(np.diag(gains / float(LUMA[0] @ gains)))


def temperature(*, stops: float) -> ColourMatrix:
    """Warmer above 0: so many stops between red and blue."""
    return white_balance(red=2 ** (stops / 2), blue=2 ** (-stops / 2))


def recolour(pixels: Pixels, matrix: ColourMatrix) -> Pixels:
    """(H, W, C) through one matrix; whole numbers are rounded and clipped."""
    shift = matrix[:3, 3] * full_scale(pixels)
    if pixels.shape[2] == 1:
        weights = LUMA[0].astype(np.float64)
        row = np.array([[weights @ matrix[:3, :3].sum(axis=1), weights @ shift]])
        return as_picture(cv2.transform(pixels, row)).reshape(pixels.shape)
    return np.asarray(cv2.transform(pixels, np.column_stack([matrix[:3, :3], shift])))


def _matrix(linear: NDArray[np.float64], shift: float = 0.0) -> ColourMatrix:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = linear, shift
    return matrix
