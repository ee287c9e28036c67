"""Geometry by law: places and pixels agree, chains are one matrix, and what leaves comes back."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safelight.classic import geometry
from safelight.classic.geometry import moved, warp

SIZE = (40, 30)
angles = st.floats(-180, 180)


@given(angles, angles)
def test_rotations_add_up(a, b):
    once = geometry.rotate(SIZE, degrees=a) @ geometry.rotate(SIZE, degrees=b)
    assert np.allclose(once, geometry.rotate(SIZE, degrees=a + b))


@given(angles, st.floats(0, 40), st.floats(0, 30))
def test_rotation_is_anticlockwise_about_the_centre(degrees, x, y):
    centre = np.array(SIZE) / 2
    after = moved(np.array([[x, y]]), geometry.rotate(SIZE, degrees=degrees))[0] - centre
    before = complex(x - centre[0], -(y - centre[1]))  # upwards is positive
    turned = before * complex(math.cos(math.radians(degrees)), math.sin(math.radians(degrees)))
    assert np.allclose(after, [turned.real, -turned.imag], atol=1e-9)


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        (geometry.flip_horizontal(SIZE), lambda a: a[:, ::-1]),
        (geometry.flip_vertical(SIZE), lambda a: a[::-1]),
        (geometry.translate(SIZE, x_share=0.25, y_share=0), lambda a: np.roll(a, 10, axis=1)),
        (geometry.rotate(SIZE, degrees=180), lambda a: a[::-1, ::-1]),
    ],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 3])
def test_whole_pixels_stay_whole(matrix, expected, dtype, channels):
    pixels = (np.random.default_rng(0).random((30, 40, channels)) * (1 if dtype == np.float32 else 200)).astype(dtype)
    after, wanted = warp(pixels, matrix), expected(pixels)
    assert after.dtype == dtype and after.shape == pixels.shape
    kept = slice(10, None)  # beyond it a shift shows what was outside
    assert np.allclose(after[:, kept], wanted[:, kept], atol=1e-5)


@given(st.floats(0.2, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_crop_is_a_window_of_the_picture(share, x, y):
    corners = np.array([[0, 0], SIZE], dtype=float)
    after = geometry.crop(SIZE, share=share, x=x, y=y)
    window = moved(corners, np.linalg.inv(after))
    assert np.allclose(window[1] - window[0], share * np.array(SIZE))
    assert (window > -1e-9).all() and (window < np.array(SIZE) + 1e-9).all()


def test_a_chain_is_resampled_once():
    pixels = np.random.default_rng(1).integers(0, 255, (30, 40, 3), dtype=np.uint8)
    there = geometry.rotate(SIZE, degrees=33) @ geometry.scale(SIZE, factor=1.4)
    assert np.array_equal(warp(pixels, np.linalg.inv(there) @ there @ np.eye(3)), pixels) or np.allclose(
        warp(pixels, np.linalg.inv(there) @ there), pixels, atol=1
    )


def test_shrinking_does_not_alias():
    stripes = np.tile(np.array([0, 255], dtype=np.uint8), 64)[None, :, None].repeat(64, axis=0)
    after = warp(stripes, geometry.scale((128, 64), factor=0.4))
    assert after[30:34, 40:88].astype(float).std() < 30
