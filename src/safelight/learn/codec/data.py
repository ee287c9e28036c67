"""Patches of photographs with a level each, as a pure function of (seed, stage, index)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from safelight import randomness
from safelight.coding.tiling import BLOCK_PX
from safelight.learn.codec.recipe import CodecRecipe
from safelight.learn.store import PixelStore
from safelight.picture.luma import BT601

VALUES = 3 * BLOCK_PX**2
BLOCKS_OF_EACH = 400
"""How many blocks of each entry the KLT is made of."""
CALIBRATION_PATCHES, CALIBRATION_PX = 24, 192


class Patches(NamedTuple):
    """One batch."""

    pixels: Tensor
    """(B, 3, P, P) in [0, 1]."""
    level: Tensor
    """(B,) from 0 to levels - 1."""


@dataclass(frozen=True)
class PatchStream:
    """Random squares of a store, flipped and turned, each with a random level."""

    store: PixelStore
    seed: int
    stream: str
    patch_px: int
    levels: int
    grey_share: float

    def batch(self, number: int, size: int) -> Patches:
        """Batch `number` of the stream."""
        pixels = np.empty((size, 3, self.patch_px, self.patch_px), np.float32)
        levels = np.empty(size, np.float32)
        for k in range(size):
            rng = randomness.generator(self.seed, self.stream, number * size + k)
            pixels[k] = self._patch(rng).transpose(2, 0, 1)
            levels[k] = rng.uniform(0, self.levels - 1)
        return Patches(torch.from_numpy(pixels), torch.from_numpy(levels))

    def batches(self, start: int, size: int) -> Iterator[Patches]:
        """All of them from number `start` on, without end."""
        number = start
        while True:
            yield self.batch(number, size)
            number += 1

    def _patch(self, rng: np.random.Generator) -> NDArray[np.float32]:
        entries, side = self.store.entries, self.patch_px
        entry = entries[int(rng.integers(len(entries)))]
        top, left = rng.integers(0, entry.height - side + 1), rng.integers(0, entry.width - side + 1)
        square = np.rot90(self.store.pixels(entry)[top : top + side, left : left + side], int(rng.integers(4)))
        patch = (square[:, ::-1] if rng.random() < 0.5 else square).astype(np.float32) / np.float32(255)
        if rng.random() < self.grey_share:
            patch = np.broadcast_to((patch @ BT601.astype(np.float32))[..., None], patch.shape)
        return patch


def calibration_patches(recipe: CodecRecipe, store: PixelStore, levels: int) -> Patches:
    """Patches of training pictures at all levels; units are chosen by what the network computes on them."""
    stream = PatchStream(
        store=store.at_least(CALIBRATION_PX),
        seed=recipe.seed,
        stream="calibration",
        patch_px=CALIBRATION_PX,
        levels=levels,
        grey_share=recipe.data.grey_share,
    )
    level = torch.linspace(0, levels - 1, CALIBRATION_PATCHES)
    return stream.batch(0, CALIBRATION_PATCHES)._replace(level=level)


def block_covariance(store: PixelStore, seed: int) -> Tensor:
    """(768, 768): of 16x16x3 blocks of all pictures about middle grey, planes first."""
    total, count = np.zeros((VALUES, VALUES)), 0
    for entry in store.entries:
        rng = randomness.generator(seed, "klt", entry.digest, entry.height)
        tops = rng.integers(0, entry.height - BLOCK_PX + 1, BLOCKS_OF_EACH)
        lefts = rng.integers(0, entry.width - BLOCK_PX + 1, BLOCKS_OF_EACH)
        pixels = store.pixels(entry)
        found = [pixels[t : t + BLOCK_PX, s : s + BLOCK_PX] for t, s in zip(tops, lefts, strict=True)]
        blocks = np.stack(found).transpose(0, 3, 1, 2).reshape(BLOCKS_OF_EACH, VALUES) / 255 - 0.5
        total += blocks.T @ blocks
        count += BLOCKS_OF_EACH
    return torch.from_numpy(total / count)
