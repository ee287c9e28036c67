"""A small codec, and a photograph for it."""

import numpy as np
import pytest

from safelight.picture import read
from safelight.runtime.codec import Codec
from tests.make_golden import PHOTO


@pytest.fixture(scope="session")
def codec(tiny_codec) -> Codec:
    return Codec.load(tiny_codec.folder)


@pytest.fixture(scope="session")
def photo_pixels() -> np.ndarray:
    return read(PHOTO).pixels[100:251, 200:411]
