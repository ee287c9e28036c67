"""Which number the model sees as white."""

import numpy as np

from safelight.picture import Picture
from safelight.runtime.restore.canvas import Canvas


def test_noise_alone_does_not_make_another_scale(rng):
    """Unclipped noise lifts a white wall's brightest values over 1.5, and yet its white is 1."""
    noisy = 0.9 + 50 / 255 * rng.standard_normal((200, 200, 3)).astype(np.float32)
    assert np.percentile(noisy, 99.9) > 1.5
    assert Canvas.of(Picture(noisy)).white == 1
    assert Canvas.of(Picture(noisy * 100)).white > 100
    for height in (900, 1100):  # more than a million values, of which some are looked at
        one_channel = np.full((height, 1000, 3), 0.5, np.float32)
        one_channel[..., 2] = 100
        assert Canvas.of(Picture(one_channel)).white == 100
