"""The picture of the uncertainty: its colours rise with the deviation, and its scale tells which is which."""

import numpy as np
import pytest

from safelight.evaluation.uncertainty_view import BRIGHTEST, TICKS_255, glow, scale_colours, with_scale


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


def test_ticks_stand_in_equal_steps():
    roots = np.sqrt(np.array(TICKS_255) / 255 / BRIGHTEST)
    assert roots == pytest.approx(np.linspace(0, 1, len(TICKS_255)), abs=0.003)


def test_colours_for_a_page():
    colours = scale_colours(4)
    assert colours[0] == "rgb(0,0,0)" and colours[-1] == "rgb(255,255,255)" and len(colours) == 5
