"""The trunk: from a degraded picture to the posterior mean, and features for the scale and the ladder.

             y, σ?                                                      m
               │ unshuffle ×2                                          ▲ shuffle ×2
    1/2   head ▼──► blocks ─────────────── skip ──────────────► + ──► blocks ──► tail
                      │ down                                    ▲ up
    1/4               └──► blocks ──────── skip ──────► + ──► blocks
                             │ down                     ▲ up
    1/8                      └────────► blocks ─────────┘

A U-Net (Ronneberger et al., 2015) of plain residual blocks on pixel-unshuffled input (Shi et al., 2016).
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from safelight.ladder.layers import blocks, down, up, zero_init


class TrunkOutput(NamedTuple):
    """What the trunk says of p(x | y)."""

    mean: Tensor
    """m(y), (B, 3, H, W), gamma-encoded RGB around [0, 1]."""
    features: tuple[Tensor, ...]
    """Top-down features, fine to coarse: (B, widths[k], H/2^(k+1), W/2^(k+1))."""


class Trunk(nn.Module):
    """y, sigma_01 → TrunkOutput. `widths` and the block counts go from fine (1/2) to coarse."""

    def __init__(self, widths: Sequence[int], blocks_down: Sequence[int], blocks_up: Sequence[int]) -> None:
        super().__init__()
        fine_to_coarse = list(itertools.pairwise(widths))
        self.blocks_down, self.blocks_up = tuple(blocks_down), tuple(blocks_up)
        self.head = nn.Conv2d(4 * 3 + 1, widths[0], 3, padding=1)
        self.encode = nn.ModuleList(blocks(w, n) for w, n in zip(widths, blocks_down, strict=True))
        self.down = nn.ModuleList(down(fine, coarse) for fine, coarse in fine_to_coarse)
        self.up = nn.ModuleList(up(coarse, fine) for fine, coarse in fine_to_coarse)
        self.decode = nn.ModuleList(blocks(w, n) for w, n in zip(widths[:-1], blocks_up, strict=True))
        self.tail = zero_init(nn.Conv2d(widths[0], 4 * 3, 3, padding=1))

    @property
    def size_multiple(self) -> int:
        """Height and width of the input must be multiples of this."""
        return 1 << len(self.encode)

    @property
    def reach_px(self) -> int:
        """No output pixel depends on input farther away than this.

        Every 3x3 convolution at stride s reaches s pixels further, and cells of the nested grids add
        less than one coarsest cell. Head and tail are one convolution each, at stride 2.
        """
        convs = [2 * n for n in self.blocks_down]
        for level, n in enumerate(self.blocks_up):
            convs[level] += 2 * n
        convs[0] += 2
        return sum(n << (level + 1) for level, n in enumerate(convs)) + self.size_multiple - 1

    def forward(self, y: Tensor, sigma_01: Tensor) -> TrunkOutput:
        """`y` (B, 3, H, W) with H, W multiples of `size_multiple`; `sigma_01` (B,), negative if unknown."""
        h = self.head(torch.cat([F.pixel_unshuffle(y, 2), _hint_plane(sigma_01, y)], dim=1))  # (B, w0, H/2, W/2)
        skips = []
        for encode, step_down in zip(self.encode, self.down, strict=False):
            h = encode(h)
            skips.append(h)
            h = step_down(h)
        h = self.encode[-1](h)
        features = [h]
        for step_up, decode, skip in zip(reversed(self.up), reversed(self.decode), reversed(skips), strict=True):
            h = decode(step_up(h) + skip)
            features.append(h)
        return TrunkOutput(y + F.pixel_shuffle(self.tail(h), 2), tuple(reversed(features)))


def _hint_plane(sigma_01: Tensor, y: Tensor) -> Tensor:
    """(B, 1, H/2, W/2): 0 where σ is unknown, else 1/4 + 4σ."""
    hint = torch.where(sigma_01 < 0, torch.zeros_like(sigma_01), 0.25 + 4 * sigma_01)
    return hint.view(-1, 1, 1, 1).expand(-1, 1, y.shape[2] // 2, y.shape[3] // 2)
