"""The picture of the uncertainty: its colours rise with the deviation, and its scale tells which is which."""

import numpy as np
import pytest

from safelight.evaluation.uncertainty_view import (
    BRIGHTEST,
    TICKS_255,
    glow,
    legend_of_measurements,
    scale_colours,
    with_scale,
)


def test_brightness_rises_with_the_deviation():
    std = np.linspace(0, BRIGHTEST, 256)[None, :, None]
    brightness = glow(std).sum(axis=2)[0]
    assert brightness[0] == 0 and brightness[-1] == 3 and (np.diff(brightness) > 0).all()
    assert (glow(2 * std)[0, 128:] == 1).all(), "more than the brightest is drawn as the brightest"


def test_channels_count_together():
    assert glow(np.full((1, 1, 3), 0.01)) == pytest.approx(glow(np.full((1, 1, 1), 0.01)))


@pytest.mark.parametrize("size", [(40, 60), (300, 500), (20, 1700)])
def test_the_scale_has_the_colours_of_its_ticks(size):
    height, width = size
    page = with_scale(np.full((height, width, 3), 8 / 255))
    assert (page[:height, :width] == page[0, 0]).all() and page.shape[1] >= width
    below = page[height:].astype(int)
    row = next(row for row in below if (row != 255).any())
    (inked,) = np.nonzero((row != 255).any(axis=1))
    place = inked[0] + round((page.shape[1] - 1 - 2 * inked[0]) * TICKS_255.index(8) / (len(TICKS_255) - 1))
    assert np.abs(row[place] - page[0, 0]).max() <= 4, "half way along the scale is 8/255"


@pytest.mark.parametrize(
    ("highest", "ticks"),
    [
        (7.7, ("0", "2", "4", "6", "8")),
        (31.0, ("0", "10", "20", "30", "40")),
        (100.0, ("0", "25", "50", "75", "100")),
        (0.013, ("0", "0.005", "0.01", "0.015", "0.02")),
        (9.1e-7, ("0", "2.5e-07", "5e-07", "7.5e-07", "1e-06")),
        (9e9, ("0", "2.5e+09", "5e+09", "7.5e+09", "1e+10")),
        (0.0, ("0", "0.25", "0.5", "0.75", "1")),
    ],
)
def test_a_measurement_has_a_scale_of_equal_steps_in_its_own_numbers(highest, ticks):
    std = np.full((60, 400, 1), highest, np.float32)
    std[:30] /= 2
    legend = legend_of_measurements(std)
    assert legend.ticks == ticks and legend.brightest == pytest.approx(float(ticks[-1]))
    page = with_scale(std, legend)
    level = 255 * min(1.0, 2 * highest / 2 / legend.brightest)
    assert abs(int(page[0, 0, 0]) - level) <= 1, "half of the highest is half as far along the scale"


def test_ticks_stand_in_equal_steps():
    roots = np.sqrt(np.array(TICKS_255) / 255 / BRIGHTEST)
    assert roots == pytest.approx(np.linspace(0, 1, len(TICKS_255)), abs=0.003)


def test_colours_for_a_page():
    colours = scale_colours(4)
    assert colours[0] == "rgb(0,0,0)" and colours[-1] == "rgb(255,255,255)" and len(colours) == 5
