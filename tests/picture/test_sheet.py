"""Sheets of rows with names."""

import numpy as np
import pytest

from safelight.picture import read
from safelight.picture.sheet import GAP_PX, LEAST_WIDTH_PX, save_rows


def test_pictures_stand_below_their_name_with_gaps(tmp_path, rng):
    first, second = rng.random((12, 64, 64, 3)), rng.random((5, 40, 64, 1))
    save_rows([("One", first), ("", second)], tmp_path / "a.png")
    sheet = read(tmp_path / "a.png").pixels
    height, width, _ = sheet.shape
    name_px = height - (64 + 40 + 2 * GAP_PX)
    assert width == 12 * 66 - GAP_PX and 10 < name_px < 40
    assert 0 < (sheet[:name_px] < 128).mean() < 0.2, "there is ink on white"
    for k in (0, 11):
        shown = sheet[name_px : name_px + 64, 66 * k : 66 * k + 64]
        np.testing.assert_array_equal(shown, np.rint(255 * first[k]))
    grey = sheet[name_px + 66 : name_px + 106, :64]
    np.testing.assert_array_equal(grey, np.rint(255 * second[0]).repeat(3, axis=2))
    assert (sheet[name_px : name_px + 64, 64:66] == 255).all() and (sheet[name_px + 66 :, 5 * 66 :] == 255).all()


def test_small_pictures_are_enlarged(tmp_path, rng):
    save_rows([("", rng.random((3, 16, 16, 1)))], tmp_path / "a.png")
    assert read(tmp_path / "a.png").size[0] >= LEAST_WIDTH_PX


@pytest.mark.parametrize("name", ["a < b & c", "</span>", "line\nline", "\x00", "caf\udce9", "雪", "x" * 500])
def test_any_name_of_a_class_can_be_shown(tmp_path, rng, name):
    save_rows([(name, rng.random((12, 28, 28, 1)))], tmp_path / "a.png")
    assert read(tmp_path / "a.png").size[0] > 300
