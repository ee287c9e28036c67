"""Classic operations on photographs: enhance --op."""

import numpy as np
import pytest
from PIL import Image

from safelight.augmentation.edit import edit
from safelight.errors import RecipeError
from safelight.picture import Picture, read, write
from tests.support import run_cli

PIXELS = np.random.default_rng(0).integers(0, 65535, (24, 32, 3), dtype=np.uint16)


def test_depth_alpha_and_metadata_are_kept():
    alpha = np.full((24, 32, 1), 65535, np.uint16)
    alpha[:, :16] = 0
    before = Picture(PIXELS, alpha, format="tiff")
    after = edit(before, ["flip_horizontal", "contrast=1.2", "sharpen=0.5"])
    assert after.pixels.dtype == np.uint16 and after.metadata is before.metadata
    assert np.array_equal(after.alpha, alpha[:, ::-1])


def test_geometry_in_a_row_is_one_resampling():
    there_and_back = edit(Picture(PIXELS), ["rotate=17", "rotate=-17"])
    assert np.abs(there_and_back.pixels.astype(int) - PIXELS).max() <= 1
    apart = edit(Picture(PIXELS), ["rotate=17", "contrast=1", "rotate=-17"])
    assert np.abs(apart.pixels.astype(int) - PIXELS).max() > 1000


def test_equal_seeds_give_equal_noise():
    one, same, other = (edit(Picture(PIXELS), ["noise=8"], seed) for seed in (1, 1, 2))
    assert np.array_equal(one.pixels, same.pixels) and not np.array_equal(one.pixels, other.pixels)


def test_what_is_no_operation_is_refused():
    with pytest.raises(RecipeError, match="did you mean 'contrast'"):
        edit(Picture(PIXELS), ["kontrast=2"])


def test_the_command_line_edits_without_restoring(tmp_path):
    write(Picture(PIXELS), tmp_path / "a.png")
    arguments = ("enhance", "a.png", "-o", "out.png", "--strength", 0, "--op", "flip_vertical", "--op", "gamma=2")
    done = run_cli(*arguments, cwd=tmp_path)
    assert not done.returncode, done.stderr
    expected = 65535 * (PIXELS[::-1] / 65535.0) ** 2
    assert np.abs(read(tmp_path / "out.png").pixels - expected).max() < 2
    assert b"flip_vertical gamma=2" in (tmp_path / "out.png").read_bytes()
    again = run_cli(*arguments, cwd=tmp_path)
    assert "1 skipped" in again.stderr
    other = run_cli(*arguments[:-1], "gamma=3", "--if-exists", "overwrite", cwd=tmp_path)
    assert "1 done" in other.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--op", "contrast"), "write contrast=1.02"),
        (("--op", "sharpen=99"), "use 0 to 10"),
        (("--op", "blur=1", "--uncertainty"), "leave one of them out"),
        (("--op", "latent_noise=1"), "needs a model"),
    ],
)
def test_bad_operations_are_one_line(tmp_path, arguments, words):
    Image.new("RGB", (32, 32), (90, 80, 70)).save(tmp_path / "a.png")
    done = run_cli("enhance", "a.png", "-o", "out", *arguments, cwd=tmp_path)
    assert done.returncode == 2 and words in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()
