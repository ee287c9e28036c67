"""Arrays come back as they were saved; anything else is refused in one line."""

from dataclasses import dataclass

import numpy as np
import pytest

from safelight.bundle.arrays import load_arrays, save_arrays
from safelight.errors import BundleError


@dataclass(frozen=True)
class Pair:
    one: np.ndarray
    other: np.ndarray


def test_arrays_come_back(tmp_path, rng):
    before = Pair(rng.random((2, 3)).astype(np.float32), np.arange(4, dtype=np.float32))
    save_arrays(before, tmp_path / "a.npz")
    after = load_arrays(Pair, tmp_path / "a.npz")
    np.testing.assert_array_equal(after.one, before.one)
    np.testing.assert_array_equal(after.other, before.other)


@pytest.mark.parametrize("content", [b"", b"no arrays", b"PK\x03\x04"])
def test_a_broken_file_is_one_line(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(BundleError, match="export the bundle again") as caught:
        load_arrays(Pair, tmp_path / "a.npz")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "arrays",
    [
        {"one": np.zeros(1)},
        {"one": np.zeros(1), "other": np.array([object()], dtype=object)},
        {"one": np.zeros(1), "other": np.zeros(1), "third": np.zeros(1)},
    ],
)
def test_other_arrays_and_pickles_are_refused(tmp_path, arrays):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(BundleError, match="export the bundle again"):
        load_arrays(Pair, tmp_path / "a.npz")
