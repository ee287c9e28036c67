"""Stacks of measurements: every page by itself, its uncertainty in the file's own numbers, and its scale on record."""

import json

import numpy as np
import pytest
import tifffile

from safelight import EnhanceSettings, Picture, Restorer, enhance, read_pages
from tests.support import BUNDLES


@pytest.fixture
def stack(tmp_path, rng):
    """Two pages of counts as ImageJ writes them, the first one darker."""
    steps = np.linspace(0, 1, 160)[:, None] * np.ones((160, 150))
    pages = [rng.poisson(100 + most * steps) for most in (200, 2000)]
    path = tmp_path / "stack.tif"
    data = np.stack(pages).astype(np.uint16)
    metadata = {"axes": "ZYX", "spacing": 0.5, "unit": "um", "min": 0, "max": 4095}
    tifffile.imwrite(path, data, imagej=True, resolution=(8, 8), metadata=metadata)
    return path


def test_the_map_of_a_stack_is_in_counts_and_keeps_its_axes(stack, tmp_path):
    asked = {"model": str(BUNDLES / "restore"), "pages": "all", "uncertainty": True}
    (outcome,) = enhance(EnhanceSettings(inputs=(stack,), output=tmp_path / "out" / "a.tif", **asked)).outcomes
    with tifffile.TiffFile(tmp_path / "out" / "a_std.tif") as file:
        maps, told = file.asarray(), file.imagej_metadata
        density = file.pages[0].tags["XResolution"].value
    assert told["spacing"] == 0.5 and told["unit"] == "um" and "max" not in told and told["slices"] == 2
    assert density[0] / density[1] == pytest.approx(8)
    restorer = Restorer.load(BUNDLES / "restore")
    for page, counts, scale in zip(read_pages(stack), maps, outcome.scales, strict=True):
        restored = restorer.enhance(page)
        np.testing.assert_allclose(counts, restored.std[..., 0] * 65535, rtol=1e-5)
        assert restored.scale == tuple(scale)
    assert maps[1].mean() > 3 * maps[0].mean(), "the scale of the second page is ten times as wide"
    assert outcome.scales[0][1] < 400 < 1500 < outcome.scales[1][1] and outcome.scale == outcome.scales[0]


def test_the_manifest_has_the_scale_of_every_page_where_they_differ(stack, tmp_path):
    asked = {"inputs": (stack.parent,), "output": tmp_path / "out", "model": str(BUNDLES / "restore"), "pages": "all"}
    for scale, number in (("auto", 2), ("90:3000", 0)):
        settings = EnhanceSettings(**asked, scale=scale, if_exists="overwrite")
        enhance(settings)
        line = json.loads((tmp_path / "out" / "manifest.jsonl").read_text().splitlines()[-1])
        assert len(line.get("scales", [])) == number and len(line["scale"]) == 2


def test_arrays_of_two_dimensions_are_grey_pictures(rng):
    array = rng.integers(0, 65536, (140, 150), dtype=np.uint16)
    picture = Picture(array)
    assert picture.pixels.shape == (140, 150, 1) and picture.grey
    assert Restorer.load(BUNDLES / "restore").enhance(picture, uncertainty=False).mean.pixels.shape == (140, 150, 1)
