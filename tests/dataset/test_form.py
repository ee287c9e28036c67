"""How much detail pictures have, whatever their number of pixels."""

import numpy as np
import pytest

from safelight.dataset import Form, finest_px
from safelight.dataset.images import ImageSet, Item, Loaded, content_hash
from safelight.errors import PictureError

SIDE = 128


def image_set(pictures):
    def load(k):
        if pictures[k] is None:
            raise PictureError(f"{k}: broken")
        return Loaded(pictures[k])

    items = tuple(Item(str(k), None, None) for k in range(len(pictures)))
    return ImageSet(items, load, lambda k: content_hash(load(k).pixels))


def waves(rng, side):
    """128 x 128 pixels with all waves that pictures of a side can hold."""
    cosines = np.cos(np.pi * (np.arange(SIDE)[:, None] + 0.5) * np.arange(side) / SIDE)
    mixed = cosines @ rng.standard_normal((3, side, side)) @ cosines.T
    return np.clip(128 + 40 * mixed / mixed.std(), 0, 255).astype(np.uint8).transpose(1, 2, 0)


@pytest.mark.parametrize("side", [16, 32, 64, 128])
def test_enlarged_pictures_have_the_detail_that_they_had(side, rng):
    pictures = [waves(rng, side) for _ in range(3)]
    assert finest_px(image_set([*pictures, None]), Form(SIDE, SIDE, 3)) == side


def test_what_cannot_be_halved_or_read_is_as_large_as_it_is(rng):
    for side in (16, 30, 64):
        noise = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
        assert finest_px(image_set([noise]), Form(side, side, 3)) == side
    assert finest_px(image_set([None]), Form(64, 64, 3)) == 64
    assert finest_px(image_set([np.full((64, 64, 3), 9, np.uint8)]), Form(64, 64, 3)) == 16
