"""What an arm sees at each step: a function of its seed and the step."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from safelight import randomness
from safelight.augmentation import Augment, Sample, apply, draw
from safelight.dataset.form import unit
from safelight.downstream.arms import Arm, Bytes

BATCH, POOL_BATCH = 32, 64
"""Labelled and unlabelled pictures of a step."""


class Batches:
    """The batches of one arm."""

    def __init__(self, arm: Arm) -> None:
        self.arm = arm
        self.augment = Augment.of(arm.classic, border=arm.border) if arm.classic else None
        self.one_hot = np.eye(arm.classes, dtype=np.float32)

    def labelled(self, step: int) -> tuple[Tensor, Tensor]:
        """(B, C, H, W) and (B, classes)."""
        arm = self.arm
        rng = randomness.generator(arm.seed, "batch", step, *(["again"] if arm.name == "duplicates" else []))
        chosen = rng.integers(arm.copies * len(arm.train), size=BATCH) // arm.copies
        pixels, targets = arm.train[chosen].copy(), self.one_hot[arm.labels[chosen]]
        if arm.variants is not None:
            half, which = chosen[::2], rng.integers(arm.variants.pixels.shape[1], size=BATCH // 2)
            pixels[::2] = arm.variants.pixels[half, which]
            targets[::2] = arm.variants.targets[half, which]
        return torch.from_numpy(unit(self._moved(pixels, step, "labelled"))), torch.from_numpy(targets)

    def unlabelled(self, step: int) -> tuple[Tensor, Tensor]:
        """Pictures of the pool as they are, and moved; (B, C, H, W) each."""
        variants = self.arm.pool_variants
        pixels, chosen, rng = self._of_pool(step)
        other = pixels
        if variants is not None:
            other = variants.pixels[chosen, rng.integers(variants.pixels.shape[1], size=POOL_BATCH)]
        return torch.from_numpy(unit(pixels)), torch.from_numpy(unit(self._moved(other, step, "pool")))

    def taught(self, step: int) -> tuple[Tensor, list[Tensor]]:
        """Pictures of the pool, moved, (B, C, H, W), and what is to be predicted of them, (B, D) for each lesson."""
        pixels, chosen, _ = self._of_pool(step)
        targets = [torch.from_numpy(lesson[chosen]) for lesson in self.arm.lessons]
        return torch.from_numpy(unit(self._moved(pixels, step, "pool"))), targets

    def _of_pool(self, step: int) -> tuple[Bytes, NDArray[np.int64], np.random.Generator]:
        assert self.arm.pool is not None
        rng = randomness.generator(self.arm.seed, "pool", step)
        chosen = rng.integers(len(self.arm.pool), size=POOL_BATCH)
        return self.arm.pool[chosen], chosen, rng

    def _moved(self, pixels: Bytes, step: int, stream: str) -> Bytes:
        """By the classic steps, if the arm has any."""
        if self.augment is None:
            return pixels
        recipe, seed = self.augment.recipe, self.arm.seed
        records = [draw(recipe, seed, (stream, step, k)) for k in range(len(pixels))]
        moved = apply([Sample(image) for image in pixels], records, border=recipe.border)
        return np.stack([sample.image for sample in moved])
