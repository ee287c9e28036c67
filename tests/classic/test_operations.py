"""Tone, colour and shape: against independent references, in every number format, and by law."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from skimage import exposure

from safelight.classic import CLASSIC, colour, detail
from safelight.classic.colour import recolour
from safelight.classic.formats import LUMA, luma, to_float
from safelight.picture.picture import FULL_SCALE

RNG = np.random.default_rng(0)
FORMATS = [np.uint8, np.uint16, np.float32]


def picture(dtype, channels=3, side=24):
    values = ndimage.gaussian_filter(np.random.default_rng(3).random((side, side, channels)), (2, 2, 0))
    values = (values - values.min()) / np.ptp(values)
    return (values * FULL_SCALE[np.dtype(dtype).name]).astype(dtype)


@pytest.mark.parametrize("name", [name for name, op in CLASSIC.items() if op.kind == "pixels"])
@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("channels", [1, 3])
def test_formats_are_kept_and_agree(name, dtype, channels):
    operation = CLASSIC[name]
    numbers = {p: sum(known.usual) / 2 for p, known in operation.parameters.items()}
    before = picture(dtype, channels)
    after = operation.function(before, np.random.default_rng(1), **numbers)
    assert after.dtype == dtype and after.shape == before.shape
    exact = operation.function(to_float(before), np.random.default_rng(1), **numbers)
    room = {"clahe": 0.08, "equalise": 0.03}.get(name, 0.012)
    assert np.abs(to_float(after).clip(0, 1) - exact.clip(0, 1)).max() < room


@pytest.mark.parametrize("name", [name for name, op in CLASSIC.items() if op.kind == "colour"])
@pytest.mark.parametrize("dtype", FORMATS)
def test_colours_agree_between_formats(name, dtype):
    operation = CLASSIC[name]
    matrix = operation.function(**{p: known.usual[1] for p, known in operation.parameters.items()})
    before = picture(dtype)
    exact = to_float(before) @ matrix[:3, :3].T + matrix[:3, 3]
    assert np.abs(to_float(recolour(before, matrix)).clip(0, 1) - exact.clip(0, 1)).max() < 0.004


@given(st.floats(-180, 180), st.floats(0, 3), st.floats(-2, 2))
def test_what_moves_colours_leaves_grey_and_luma(degrees, factor, stops):
    grey = picture(np.float32, 1)
    for matrix in (colour.hue(degrees=degrees), colour.saturation(factor=factor)):
        assert np.allclose(recolour(grey, matrix), grey, atol=1e-5)
        after = recolour(picture(np.float32), matrix)
        assert np.allclose(luma(after), luma(picture(np.float32)), atol=3e-4)
    white = colour.temperature(stops=stops)[:3, :3] @ np.ones(3)
    assert np.allclose(LUMA[0] @ white, 1)


def test_a_chain_of_colours_is_one_matrix():
    before = picture(np.float32)
    chain = colour.contrast(factor=1.3) @ colour.hue(degrees=20)
    assert np.allclose(
        recolour(before, chain),
        recolour(recolour(before, colour.hue(degrees=20)), colour.contrast(factor=1.3)),
        atol=1e-5,
    )


@pytest.mark.parametrize(
    ("ours", "theirs"), [(detail.erode, ndimage.grey_erosion), (detail.dilate, ndimage.grey_dilation)]
)
def test_morphology_is_scipys(ours, theirs):
    before = picture(np.uint8, 1)
    cross = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], dtype=bool)
    assert np.array_equal(
        ours(before, RNG, radius_px=1)[..., 0], theirs(before[..., 0], footprint=cross, mode="reflect")
    )


@given(st.floats(0, 3))
def test_morphology_is_ordered(radius):
    before = picture(np.uint8, 3)
    low, high = detail.erode(before, RNG, radius_px=radius), detail.dilate(before, RNG, radius_px=radius)
    assert (low <= before).all() and (before <= high).all()
    assert (detail.opening(before, RNG, radius_px=radius) <= before.astype(int) + 1).all()


def test_blur_is_scipys():
    before = picture(np.float32, 1)
    wanted = ndimage.gaussian_filter(before[..., 0], 1.3, mode="reflect", truncate=4)
    assert np.abs(detail.blur(before, RNG, sigma_px=1.3)[..., 0] - wanted).max() < 2e-3


def test_equalisation_is_scikits():
    before = picture(np.uint8, 1)
    wanted = exposure.equalize_hist(before[..., 0])
    assert np.abs(to_float(detail.equalise(before, RNG, strength=1))[..., 0] - wanted).max() < 0.01
    flat = np.full((8, 8, 3), 7, np.uint8)
    assert np.array_equal(detail.equalise(flat, RNG, strength=1), flat)


def test_sharpening_moves_luma_alone():
    before = picture(np.float32)
    after = detail.sharpen(before, RNG, amount=1, sigma_px=1)
    change = after - before
    assert np.allclose(change[..., 0], change[..., 1], atol=1e-6) and np.abs(change).max() > 0.01


def test_neutral_numbers_change_nothing():
    before = picture(np.uint8)
    for matrix in (
        colour.contrast(factor=1),
        colour.saturation(factor=1),
        colour.hue(degrees=0),
        colour.brightness(shift=0),
    ):
        assert np.array_equal(recolour(before, matrix), before)
    for done in (
        detail.gamma(before, RNG, exponent=1),
        detail.erode(before, RNG, radius_px=0),
        detail.blur(before, RNG, sigma_px=0),
        detail.sharpen(before, RNG, amount=0, sigma_px=1),
        detail.gaussian_noise(before, RNG, sigma_255=0),
    ):
        assert np.array_equal(done, before)


def test_every_usual_range_is_allowed():
    for name, operation in CLASSIC.items():
        assert operation.summary.endswith((".", ":")), name
        for known in operation.parameters.values():
            assert known.least <= known.usual[0] <= known.usual[1] <= known.most, name
