"""A black or broken result is an error, not a success."""

import numpy as np
import pytest

from safelight.errors import OutputError
from safelight.picture import Picture
from safelight.runtime.restore import check_plausible


def test_implausible_results_are_not_written(rng):
    before = Picture(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8))
    check_plausible(before, before, "a")
    for pixels, reason in ((np.zeros_like(before.pixels), "flat"), (before.pixels // 3, "darker")):
        with pytest.raises(OutputError, match=reason):
            check_plausible(before, before.with_(pixels=pixels), "a")
    flat = np.broadcast_to(np.rint(before.pixels.mean(axis=(0, 1))).astype(np.uint8), before.pixels.shape)
    with pytest.raises(OutputError, match="flat"):
        check_plausible(before, before.with_(pixels=flat), "one colour that is no grey")
    with pytest.raises(OutputError, match="not finite"):
        check_plausible(before, Picture(np.full((16, 16, 3), np.nan, np.float32)), "a")
    dark = Picture(np.zeros((16, 16, 3), np.uint16))
    check_plausible(dark, dark, "a dark frame is all right")
