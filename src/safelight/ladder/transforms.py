"""Analysis and synthesis of the codec, each a linear transform of blocks and a convolutional path."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from safelight.coding.tiling import BLOCK_PX
from safelight.ladder.layers import blocks, down, unreduced, up, zero_init

LIMIT = 8.0
"""What convolutions see of latents, in units of a channel's spread, ends here: integers need a bound."""
CORRECTION_SPEED = 0.1
"""The linear transforms move so much slower than other parameters: a basis is all but right from the start."""


class LevelBias(nn.Module):
    """A bias for each level, interpolated between neighbours."""

    def __init__(self, levels: int, width: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(levels, width))

    def forward(self, h: Tensor, weights: Tensor) -> Tensor:
        """`h` (B, width, H, W); `weights` (B, levels), which sum to 1."""
        return h + interpolated(weights, self.table)


class BlockTransform(nn.Module):
    """A linear transform of 16x16x3 blocks: a fixed basis, and a correction that is learned slowly."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.basis: Tensor
        self.register_buffer("basis", torch.zeros(channels, 3, BLOCK_PX, BLOCK_PX))
        self.correction = nn.Parameter(torch.zeros(channels, 3, BLOCK_PX, BLOCK_PX))

    @property
    def kernel(self) -> Tensor:
        """(channels, 3, 16, 16)"""
        return self.basis + CORRECTION_SPEED * self.correction


class Analysis(nn.Module):
    """x → y; see the module. It does not know the level: latents of different levels differ by gains alone."""

    def __init__(self, channels: int, widths: Sequence[int], depths: Sequence[int]) -> None:
        super().__init__()
        self.linear = BlockTransform(channels)
        self.head = nn.Conv2d(48, widths[0], 3, padding=1)
        self.blocks = nn.ModuleList(blocks(width, depth) for width, depth in zip(widths, depths, strict=True))
        self.down = nn.ModuleList([down(widths[0], widths[1]), down(widths[1], widths[2])])
        self.tail = zero_init(nn.Conv2d(widths[2], channels, 1))

    def forward(self, x: Tensor, scale: Tensor) -> Tensor:
        """`x` (B, 3, H, W) around 0; `scale` (1, C, 1, 1) is the unit of what the path adds."""
        h = self.head(F.pixel_unshuffle(x, 4))  # (B, w0, H/4, W/4)
        for k, stage in enumerate(self.blocks):
            h = stage(self.down[k - 1](h) if k else h)
        return _precise_conv(x, self.linear.kernel) + scale * unreduced(self.tail(h))


class Synthesis(nn.Module):
    """ŷ → x̂; see the module."""

    def __init__(self, channels: int, widths: Sequence[int], depths: Sequence[int], levels: int) -> None:
        super().__init__()
        self.linear = BlockTransform(channels)
        coarse_to_fine = widths[::-1]
        self.head = nn.Conv2d(channels, widths[2], 1)
        self.blocks = nn.ModuleList(blocks(w, n) for w, n in zip(coarse_to_fine, depths[::-1], strict=True))
        self.biases = nn.ModuleList(LevelBias(levels, width) for width in coarse_to_fine)
        self.up = nn.ModuleList([up(widths[2], widths[1]), up(widths[1], widths[0])])
        self.tail = zero_init(nn.Conv2d(widths[0], 48, 3, padding=1))

    def forward(self, latents: Tensor, spread: Tensor, weights: Tensor) -> Tensor:
        """`latents` ŷ (B, C, H/16, W/16); the root of `spread` (B, C, 1, 1) brings them to one scale for the path."""
        h = self.head((latents / spread.sqrt()).clamp(-LIMIT, LIMIT))
        for level, (stage, bias) in enumerate(zip(self.blocks, self.biases, strict=True)):
            h = stage(bias(self.up[level - 1](h) if level else h, weights))
        return _precise_transpose(latents, self.linear.kernel) + F.pixel_shuffle(unreduced(self.tail(h)), 4)


def interpolated(weights: Tensor, table: Tensor) -> Tensor:
    """(B, levels) and (levels, C) → (B, C, 1, 1): rows of the table, mixed in float32."""
    return (weights[:, :, None] * table).sum(1)[:, :, None, None]


def _precise_conv(x: Tensor, kernel: Tensor) -> Tensor:
    """Blocks → channels, always in float32: bfloat16 has too few digits for a mean of 256 values."""
    with torch.autocast(x.device.type, enabled=False):
        return F.conv2d(x, kernel, stride=BLOCK_PX)


def _precise_transpose(latents: Tensor, kernel: Tensor) -> Tensor:
    with torch.autocast(latents.device.type, enabled=False):
        return F.conv_transpose2d(latents, kernel, stride=BLOCK_PX)
