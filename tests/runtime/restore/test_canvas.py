"""Which numbers the model sees as black and white, and what becomes of those that are no light."""

from pathlib import Path

import numpy as np
import pytest

from safelight.errors import PictureError, UsageError
from safelight.jobs.enhance.settings import EnhanceSettings
from safelight.picture import Picture
from safelight.picture.scale import Scale, filled, measure_scale
from safelight.runtime.restore.canvas import Canvas

FULL = {8: Scale(0, 255), 16: Scale(0, 65535), 32: Scale(0, 1)}


def scene(rng: np.random.Generator) -> np.ndarray:
    """(96, 128, 1) in [0, 1]: a ramp with some noise."""
    ramp = np.add.outer(np.linspace(0, 0.5, 96), np.linspace(0, 0.5, 128))
    return (ramp + 0.02 * rng.standard_normal(ramp.shape)).clip(0, 1)[..., None]


def test_noise_alone_does_not_make_another_scale(rng):
    """Unclipped noise lifts a white wall's brightest values over 1.5, and those of a black one below 0."""
    for level in (0.9, 0.02):
        noisy = level + 50 / 255 * rng.standard_normal((200, 200, 3)).astype(np.float32)
        noisy[:100] = 0.5  # some light in the picture
        assert Canvas.of(Picture(noisy)).scale == FULL[32]
    assert Canvas.of(Picture(noisy * 100)).scale.high > 30
    for height in (900, 1100):  # more than a million values, of which some are looked at
        one_channel = np.full((height, 1000, 3), 0.5, np.float32)
        one_channel[..., 2] = 100
        assert Canvas.of(Picture(one_channel)).scale == Scale(0.5, 100)


def test_photographs_have_the_full_scale(rng):
    dark = scene(rng) * 0.1
    assert measure_scale(Picture(np.rint(255 * dark).astype(np.uint8))).scale == FULL[8]
    assert measure_scale(Picture(np.rint(65535 * scene(rng)).astype(np.uint16))).scale == FULL[16]
    assert measure_scale(Picture(scene(rng).astype(np.float32))).scale == FULL[32]


@pytest.mark.parametrize(
    ("low", "high", "dtype"),
    [
        (0, 4095, np.uint16),  # 12 bits
        (100, 160, np.uint16),  # a camera's counts above its offset
        (0, 1e-4, np.float32),
        (-80, -20, np.float32),  # decibels
        (-3, 5, np.float32),
        (0, 16383, np.uint16),
        (200, 2500, np.float32),  # heights
    ],
)
def test_measurements_have_their_own(rng, low, high, dtype):
    values = low + (high - low) * scene(rng)
    values = (np.rint(values) if dtype == np.uint16 else values).astype(dtype)
    found = measure_scale(Picture(values))
    assert found.holes is None
    assert abs(found.scale.low - low) < 0.06 * (high - low) and abs(found.scale.high - high) < 0.06 * (high - low)
    canvas = Canvas.of(Picture(values))
    seen = canvas.take((0, 96), (0, 128))
    assert seen.min() > -0.1 and seen.max() < 1.1 and np.ptp(seen) > 0.9
    back = canvas.pixels(seen, (0, 96), (0, 128))
    np.testing.assert_allclose(back, values, rtol=1e-6, atol=1e-6 * (high - low))


def test_the_scale_can_be_asked_for(rng):
    values = np.rint(4095 * scene(rng)).astype(np.uint16)
    assert measure_scale(Picture(values), "full").scale == FULL[16]
    assert measure_scale(Picture(values), (10.0, 4000.0)).scale == Scale(10, 4000)
    given = {"inputs": [Path("a")], "output": Path("b")}
    for text, choice in {"10:4e3": (10.0, 4000.0), "auto": "auto", "full": "full"}.items():
        assert EnhanceSettings.of(**given, scale=text).scale_choice == choice
    for text in ("", "1", "5:1", "0:inf", "a:b", "nan:1", "1:2:3"):
        with pytest.raises(UsageError, match="scale"):
            EnhanceSettings.of(**given, scale=text)


def test_missing_values_stay_and_spoil_nothing(rng):
    """NaN, a marked value and a repeated one far outside: heights with -9999 where nothing was measured."""
    heights = (200 + 2300 * scene(rng)).astype(np.float32)
    for hole, missing in ((np.nan, None), (-9999, None), (-9999, -9999.0), (0.0, 0.0), (np.inf, None)):
        values = heights.copy()
        values[20:40, 30:70] = hole
        canvas = Canvas.of(Picture(values, missing=missing))
        assert canvas.holes is not None and canvas.holes.sum() == 20 * 40
        assert canvas.scale.low > 150 and canvas.scale.high < 2600
        seen = canvas.take((0, 96), (0, 128))
        assert np.isfinite(seen).all() and seen.min() > -0.1 and seen.max() < 1.1
        back = canvas.pixels(np.full_like(seen, 0.5), (0, 96), (0, 128))
        np.testing.assert_array_equal(back[20:40, 30:70], values[20:40, 30:70])
        assert np.ptp(back[:20]) == 0
    with pytest.raises(PictureError, match="holds no values"):
        measure_scale(Picture(np.full((9, 9, 1), np.nan, np.float32)))


def test_flat_pictures_have_a_scale():
    for values in (np.full((9, 9, 1), 7, np.uint16), np.full((9, 9, 3), -2.5, np.float32)):
        canvas = Canvas.of(Picture(values))
        seen = canvas.take((0, 9), (0, 9))
        np.testing.assert_allclose(canvas.pixels(seen, (0, 9), (0, 9)), values, atol=1e-5)


def test_holes_are_filled_by_what_is_around_them(rng):
    values = np.tile(np.linspace(0, 1, 64, dtype=np.float32)[:, None, None], (1, 64, 1))
    holes = np.zeros(values.shape, bool)
    holes[30:34, 20:40] = True
    found = filled(values, holes)
    np.testing.assert_array_equal(found[~holes], values[~holes])
    assert np.abs(found - values).max() < 0.1
    holes[:] = True
    holes[5, 5] = False
    np.testing.assert_allclose(filled(values, holes), values[5, 5, 0], atol=1e-6)
