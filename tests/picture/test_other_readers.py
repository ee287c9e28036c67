"""What Safelight writes, other programs open, and find the same pixels."""

from pathlib import Path

import numpy as np
import pytest
import pyvips
import tifffile
from PIL import Image

from safelight.picture import Picture, read, write
from tests.support import needs_exiftool, tags_by_exiftool

KINDS = [
    (np.uint8, 3, ("png", "tif", "jpg", "webp", "avif")),
    (np.uint8, 1, ("png", "tif", "jpg", "webp", "avif")),
    (np.uint16, 3, ("png", "tif", "avif")),
    (np.uint16, 1, ("png", "tif")),
    (np.float32, 3, ("tif",)),
    (np.float32, 1, ("tif",)),
]
CASES = [
    pytest.param(dtype, channels, suffix, has_alpha, id=f"{np.dtype(dtype)}-{channels}-{suffix}-{has_alpha}")
    for dtype, channels, suffixes in KINDS
    for suffix in suffixes
    for has_alpha in (False, True)
    if not (has_alpha and suffix == "jpg")
]


@pytest.fixture
def written(tmp_path, rng):
    """A smooth picture as a file, and its values as Safelight itself reads them, (H, W, C)."""

    def write_one(dtype, channels, suffix, has_alpha) -> tuple[Path, np.ndarray]:
        y, x = np.mgrid[0:40, 0:64] / 64
        values = np.stack([(x + y) / 2, x, y][:channels], axis=-1)
        scale = 1 if dtype is np.float32 else np.iinfo(dtype).max
        pixels = (values * scale).astype(dtype)
        alpha = np.full((40, 64, 1), scale // 2, dtype) if has_alpha else None
        path = tmp_path / f"a.{suffix}"
        write(Picture(pixels, alpha=alpha), path)
        again = read(path)
        return path, again.pixels if again.alpha is None else np.concatenate([again.pixels, again.alpha], axis=2)

    return write_one


def channels_of(values: np.ndarray) -> np.ndarray:
    return values if values.ndim == 3 else values[..., None]


@pytest.mark.parametrize(("dtype", "channels", "suffix", "has_alpha"), CASES)
def test_libvips_pillow_and_tifffile_agree(written, dtype, channels, suffix, has_alpha):
    path, own = written(dtype, channels, suffix, has_alpha)
    found = {"libvips": channels_of(pyvips.Image.new_from_file(str(path)).numpy())}
    if dtype is np.uint8:
        with Image.open(path) as image:
            found["Pillow"] = channels_of(np.asarray(image))
    if suffix == "tif":
        found["tifffile"] = channels_of(tifffile.imread(path))
    for reader, values in found.items():
        if own.shape[2] <= 2 and values.shape[2] >= 3:  # grey that is stored as colour
            values = np.concatenate([values[..., :1], values[..., 3:]], axis=2)
        assert values.shape[:2] == own.shape[:2], reader
        own_scale, their_scale = (1 if v.dtype.kind == "f" else np.iinfo(v.dtype).max for v in (own, values))
        away = np.abs(own / own_scale - values[..., : own.shape[2]] / their_scale)
        # decoders of lossy files round in their own ways
        assert away.max() <= (0.02 if suffix in ("jpg", "webp", "avif") else 0), reader


def test_tifffile_reads_pages(tmp_path, rng):
    pages = [Picture(rng.integers(0, 65536, (20, 30, 1), dtype=np.uint16)) for _ in range(3)]
    write(pages, tmp_path / "a.tif")
    stack = tifffile.imread(tmp_path / "a.tif")
    assert np.array_equal(stack, np.stack([page.pixels[..., 0] for page in pages]))


@pytest.mark.slow
@needs_exiftool
@pytest.mark.parametrize(("dtype", "channels", "suffix", "has_alpha"), CASES)
def test_exiftool_has_nothing_to_say(written, dtype, channels, suffix, has_alpha):
    path, own = written(dtype, channels, suffix, has_alpha)
    told = tags_by_exiftool(path)
    assert (told["ImageHeight"], told["ImageWidth"]) == own.shape[:2] and not {"Warning", "Error"} & told.keys()
