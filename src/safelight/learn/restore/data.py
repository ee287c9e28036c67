"""Pixels → tensors: pairs (clean, degraded) as a pure function of (seed, stage, index).

There is no random state: pair number i of a stage is always the same pair. Resuming at step n is
starting at index n·batch.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from safelight import randomness
from safelight.bundle.names import SIGMA_UNKNOWN
from safelight.degrade import Chain, DegradeRecord, draw, replay
from safelight.degrade.light import Pixels
from safelight.learn.restore.recipe import ChainSettings, RestoreRecipe
from safelight.learn.store import PixelStore
from safelight.picture.luma import BT601

_LUMA = BT601.astype(np.float32)


class Pair(NamedTuple):
    """One training example, or a batch of them."""

    clean: Tensor
    """(B, 3, H, W), in [0, 1] but for the noise that belongs to it."""
    degraded: Tensor
    """(B, 3, H, W), noise not clipped unless the chain does."""
    sigma_01: Tensor
    """(B,) the noise level that the model is told, or -1."""


class Drawn(NamedTuple):
    """What a pair is made of."""

    clean: Pixels
    """(S, S, 1 or 3), the patch with its margin."""
    record: DegradeRecord
    corner: tuple[int, int]
    """Where in it the patch begins: top, left."""
    sigma_01: Tensor


@dataclass(frozen=True)
class RestorationPairs(Dataset[Pair]):
    """Random patches of a store, each degraded by one of the chains."""

    store: PixelStore
    chains: tuple[ChainSettings, ...]
    shares: tuple[float, ...]
    """How often each chain is drawn."""
    seed: int
    stream: str
    patch_px: int
    margin_px: int
    candidates: int
    aligned_share: float
    grey_share: float

    def __getitem__(self, index: int) -> Pair:
        drawn = self.drawn(index)
        degraded = replay(drawn.clean, drawn.record)
        return Pair(planar(self._window(drawn, drawn.clean)), planar(self._window(drawn, degraded)), drawn.sigma_01)

    def drawn(self, index: int) -> Drawn:
        """All of a pair but its degradation."""
        rng = randomness.generator(self.seed, self.stream, index, "patch")
        patch = self._patch(rng)
        if rng.random() < self.grey_share:  # grey noise is the same in all three channels, unlike colour noise
            patch = _grey(patch)
        chain = self._chain(rng)
        identity = (self.stream, index)
        patch = replay(patch, draw(chain.keeping, self.seed, *identity, "keep"))
        record = draw(chain.degrading, self.seed, *identity)
        corner = (0, 0) if rng.random() < self.aligned_share else rng.integers(0, self.margin_px + 1, size=2)
        is_sigma_known = rng.random() < chain.tell_sigma
        sigma_01 = dict(record.steps)["gaussian_noise"]["sigma_255"] / 255 if is_sigma_known else SIGMA_UNKNOWN
        return Drawn(patch, record, (int(corner[0]), int(corner[1])), torch.tensor(sigma_01, dtype=torch.float32))

    def _window(self, drawn: Drawn, pixels: Pixels) -> Pixels:
        top, left = drawn.corner
        return pixels[top : top + self.patch_px, left : left + self.patch_px]

    def _chain(self, rng: np.random.Generator) -> ChainSettings:
        return self.chains[int(rng.choice(len(self.chains), p=self.shares))]

    def _patch(self, rng: np.random.Generator) -> Pixels:
        """A random square of patch and margin, flipped and turned, from any picture at any of its scales."""
        squares = [self._square(rng) for _ in range(self.candidates)]
        square = max(squares, key=_detail) if len(squares) > 1 else squares[0]
        turned = np.rot90(square, int(rng.integers(4)))
        return (turned[:, ::-1] if rng.random() < 0.5 else turned).astype(np.float32) / np.float32(255)

    def _square(self, rng: np.random.Generator) -> NDArray[np.uint8]:
        entry = self.store.entries[int(rng.integers(len(self.store.entries)))]
        side = self.patch_px + self.margin_px
        top, left = rng.integers(0, entry.height - side + 1), rng.integers(0, entry.width - side + 1)
        return self.store.pixels(entry)[top : top + side, left : left + side]


def training_pairs(
    recipe: RestoreRecipe, store: PixelStore, stream: str, patch_px: int | None = None, expert: str | None = None
) -> RestorationPairs:
    """The pairs of a recipe, from pictures that are large enough; `stream` names one sequence of them.

    Degraded as one expert sees it, or as all of them do.
    """
    data = recipe.data
    return RestorationPairs(
        store=store.at_least((patch_px or data.patch_px) + data.margin_px),
        chains=recipe.degrade,
        shares=recipe.mixture(expert),
        seed=recipe.seed,
        stream=stream,
        patch_px=patch_px or data.patch_px,
        margin_px=data.margin_px,
        candidates=data.candidates,
        aligned_share=data.aligned_share,
        grey_share=data.grey_share,
    )


def validation_batch(store: PixelStore, chain: Chain, seed: int, crop_px: int, grey: bool = False) -> Pair:
    """The centre of every picture of `store`, degraded once and for all, as one batch."""
    pairs = []
    for digest, pixels in _centres(store, crop_px):
        clean = _grey(pixels) if grey else pixels
        pairs.append((clean, replay(clean, draw(chain, seed, "validation", digest))))
    return _untold(pairs)


def recipe_batch(store: PixelStore, recipe: RestoreRecipe, crop_px: int) -> Pair:
    """The same, each picture degraded by one of the recipe's chains, which are drawn as often as in training."""
    pairs, seed = [], recipe.seed
    for digest, pixels in _centres(store, crop_px):
        identity = ("validation", digest)
        rng = randomness.generator(seed, *identity, "chain")
        chain = recipe.degrade[int(rng.choice(len(recipe.degrade), p=recipe.mixture()))]
        clean = replay(pixels, draw(chain.keeping, seed, *identity, "keep"))
        pairs.append((clean, replay(clean, draw(chain.degrading, seed, *identity, "recipe"))))
    return _untold(pairs)


def _centres(store: PixelStore, crop_px: int) -> Iterator[tuple[str, Pixels]]:
    """The digest of every picture, and its centre."""
    for entry in store.entries:
        top, left = (entry.height - crop_px) // 2, (entry.width - crop_px) // 2
        square = store.pixels(entry)[top : top + crop_px, left : left + crop_px]
        yield entry.digest, square.astype(np.float32) / np.float32(255)


def _untold(pairs: Iterable[tuple[Pixels, Pixels]]) -> Pair:
    """Clean and degraded pictures as a batch; the model is told no noise level."""
    tensors = [Pair(planar(clean), planar(degraded), torch.tensor(SIGMA_UNKNOWN)) for clean, degraded in pairs]
    batch: Pair = default_collate(tensors)
    return batch


def _grey(pixels: Pixels) -> Pixels:
    """(H, W, 3) → (H, W, 1)."""
    luma: Pixels = (pixels @ _LUMA)[..., None]
    return luma


def _detail(square: NDArray[np.uint8]) -> float:
    """Mean difference of neighbours in green, of every second row."""
    green = square[::2, :, 1].astype(np.int16)
    return float(np.abs(np.diff(green, axis=1)).mean())


def planar(pixels: Pixels) -> Tensor:
    """(H, W, 1 or 3) → (3, H, W)."""
    planar = pixels.transpose(2, 0, 1)
    return torch.from_numpy(np.ascontiguousarray(np.broadcast_to(planar, (3, *planar.shape[1:]))))
