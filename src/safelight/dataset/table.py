"""A set's pictures in one form, each decoded when it is first asked for and kept in a file from then on.

The file is read, not mapped: what the system keeps of it in memory does not count as the program's.
"""

import errno
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from safelight import randomness
from safelight.dataset.form import Form, fitted
from safelight.dataset.images import ImageSet, Pixels
from safelight.errors import PictureError, UsageError
from safelight.work import json_sha256

UNKNOWN, DECODED, BROKEN = 0, 1, 2
"""States of a row, one byte each at the end of the file."""


class PixelTable:
    """(N, H, W, C) of uint8 in a file; `form` and `binarise_seed` say what is done to each picture."""

    def __init__(
        self,
        images: ImageSet,
        identities: Sequence[str],
        form: Form,
        cache: Path,
        binarise_seed: int | None = None,
        workers: int = 1,
    ) -> None:
        """`identities`: see `split.identities`. Raises UsageError if the cache cannot be written."""
        self.images, self.form, self.binarise_seed, self.identities = images, form, binarise_seed, identities
        self.name = json_sha256([list(identities), list(form), binarise_seed])[:16]
        self._workers = workers
        size = len(images) * (form.values + 1)
        self._path = path = cache / f"{self.name}.rows"
        try:
            cache.mkdir(parents=True, exist_ok=True)
            there = path.stat().st_blocks * 512 if path.exists() else 0
            free = shutil.disk_usage(cache).free
            if size - there > free:
                sizes = f"needs {size / 1e9:.1f} GB, and {free / 1e9:.1f} are free"
                raise UsageError(f"{path}: {sizes}; make room or choose another --cache")
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            os.truncate(self._file, size)
        except OSError as error:
            raise UsageError(f"{path}: cannot be written ({error.strerror}); choose another --cache") from None
        self._states_at = len(images) * form.values
        self._states = np.frombuffer(os.pread(self._file, len(images), self._states_at), dtype=np.uint8).copy()

    def __len__(self) -> int:
        return len(self.images)

    @property
    def broken(self) -> list[str]:
        """Names of the pictures that this table was asked for and could not read."""
        return [self.images.items[k].name for k in np.flatnonzero(self._states == BROKEN)]

    def sound(self, positions: Sequence[int]) -> NDArray[np.bool_]:
        """Which of them can be read; decodes what was not decoded before."""
        missing = [k for k in dict.fromkeys(positions) if self._states[k] == UNKNOWN]
        if missing:
            with ThreadPoolExecutor(self._workers) as pool:
                list(pool.map(self._decode, missing))
        return np.asarray(self._states[list(positions)] == DECODED)

    def rows(self, positions: Sequence[int]) -> NDArray[np.uint8]:
        """(B, H, W, C) of pictures that are sound."""
        assert self.sound(positions).all()
        size = self.form.values
        read = b"".join(os.pread(self._file, size, k * size) for k in positions)
        return np.frombuffer(read, dtype=np.uint8).reshape(-1, self.form.height, self.form.width, self.form.channels)

    def _decode(self, position: int) -> None:
        try:
            pixels = fitted(self.images.load(position).pixels, self.form)
            if self.binarise_seed is not None:
                pixels = binarised(pixels, self.binarise_seed, self.identities[position])
        except PictureError:  # which may be mended by the next time: the file does not remember it
            self._states[position] = BROKEN
            return
        written = os.pwrite(self._file, pixels.tobytes(), position * self.form.values)
        if written < self.form.values:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))
        os.pwrite(self._file, bytes([DECODED]), self._states_at + position)
        self._states[position] = DECODED

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            os.close(self._file)


def binarised(pixels: Pixels, seed: int, identity: str) -> Pixels:
    """Each value becomes 255 with the probability grey / 255, else 0 (Salakhutdinov & Murray, 2008).

    Equal seeds and identities give equal pictures.
    """
    uniform = randomness.generator(seed, "binarise", identity).random(pixels.shape)
    return np.where(255 * uniform < pixels, np.uint8(255), np.uint8(0))
