"""The codec: a ladder of two quantised rungs, and one network for all rates.

    x ──► analysis ──► y (1/16) ────────────────► ŷ ──► synthesis ──► x̂
                        │                         ▲ p(ŷ | ẑ): pass after pass, each knows what was decoded before
                        └──► hyper-analysis ──► ẑ (1/64) ──► context

Analysis and synthesis are each a linear transform of 16x16 blocks, which starts as the Karhunen-Loève transform (KLT),
and a convolutional path whose output starts at 0. So training starts from a transform codec.

    ŷ = μ + round((y - μ) g) / g          g: gains, for each channel and level
    -log2 p(ŷ) = bits of a discretised logistic distribution with the scale s g, where μ and s come from the context

Ballé et al., "Variational image compression with a scale hyperprior", ICLR 2018; Minnen, Ballé & Toderici, NeurIPS 2018
(the mean); Cui et al., "Asymmetric gained deep image compression", CVPR 2021 (gains); He et al., "Checkerboard context
model", CVPR 2021, and "ELIC", CVPR 2022 (passes over groups of channels and two parities).
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from safelight.coding.tiling import BLOCK_PX
from safelight.ladder.layers import ResidualBlock, down, unreduced, up, zero_init
from safelight.ladder.symbols import (
    SMALLEST_LOG_SCALE,
    bound_log_scale,
    logistic_bits,
    noisy,
    parity_masks,
    rounded,
)
from safelight.ladder.transforms import LIMIT, Analysis, LevelBias, Synthesis, interpolated

HYPER_PX = 64
"""One position of the coarse rung stands for a square of this side."""
LAMBDAS = (3e-4, 0.5)
"""Price of distortion at the lowest and the highest level, in bits per pixel over squared error in (1/255)²."""
LOGISTIC_STD = math.pi / math.sqrt(3)
"""Standard deviation of the logistic distribution of scale 1."""
LARGEST_CHANGE_SCALE = 0.05
MEAN_SPEED = 0.2
"""Means move so much slower than other outputs: many steps of quantisation go into a channel's spread."""


class CodecOutput(NamedTuple):
    """What comes out of one picture at one level."""

    picture: Tensor
    """x̂, (B, 3, H, W), not clipped."""
    bits: Tensor
    """(B, 2): of the fine rung and of the coarse one."""


class Pass(nn.Module):
    """One step of the entropy model: reads what was decoded last, and says what is expected next.

    The context is a plain sum of what was read, so that no pass is deeper than another.
    """

    def __init__(self, reads: int, width: int, predicts: int) -> None:
        super().__init__()
        self.read = nn.Conv2d(reads, width, 3, padding=1) if reads else None
        self.block = ResidualBlock(width)
        self.hidden = nn.Conv2d(width, width, 1)
        self.head = zero_init(nn.Conv2d(width, 2 * predicts, 1))

    def forward(self, context: Tensor, decoded: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """The new context, and of the next channels the mean and the log-scale, each over its channel's spread."""
        if self.read is not None:
            context = context + self.read(decoded)
        hidden = F.relu(self.hidden(F.relu(self.block(context))))
        mean, log_scale = unreduced(self.head(hidden)).chunk(2, dim=1)
        return context, mean, log_scale


class CodecNet(nn.Module):
    """See the module. Heights and widths of pictures are multiples of 64."""

    def __init__(
        self,
        groups: Sequence[tuple[int, int]],
        widths: Sequence[int],
        depths: Sequence[int],
        context_width: int,
        hyper_channels: int,
        levels: int,
    ) -> None:
        """`groups`: (channels, 1 or 2 parities) of the fine rung; `widths` and `depths` at 1/4, 1/8 and 1/16."""
        super().__init__()
        self.groups, self.levels = tuple(groups), levels
        channels = sum(size for size, _ in groups)
        self.channels, self.hyper_channels = channels, hyper_channels
        self.analysis = Analysis(channels, widths, depths)
        self.synthesis = Synthesis(channels, widths, depths, levels)
        width = context_width
        self.hyper_analysis = _with_relus(
            [nn.Conv2d(channels, width, 3, padding=1), down(width, width), down(width, hyper_channels)]
        )
        self.hyper_synthesis = _with_relus(
            [up(hyper_channels, width), up(width, width), nn.Conv2d(width, width, 3, padding=1)]
        )
        self.context_bias = LevelBias(levels, width)
        steps = [size for size, parities in groups for _ in range(parities)]
        self.passes = nn.ModuleList(Pass(reads, width, new) for reads, new in zip([0, *steps], steps, strict=False))
        self.log_gains = nn.Parameter(torch.zeros(levels, channels))
        self.hyper_log_gains = nn.Parameter(torch.zeros(levels, hyper_channels))
        self.hyper_mean = nn.Parameter(torch.zeros(hyper_channels))
        self.hyper_log_scale = nn.Parameter(torch.zeros(levels, hyper_channels))
        self.std: Tensor
        self.register_buffer("std", torch.ones(channels))

    @torch.no_grad()
    def initialise(self, covariance: Tensor) -> None:
        """Start from the KLT of blocks, (768, 768) about 0, and the gains that are right for many bits."""
        values, vectors = torch.linalg.eigh(covariance.double())
        basis = vectors.flip(1)[:, : self.channels].T.reshape(-1, 3, BLOCK_PX, BLOCK_PX).float()
        for transform in (self.analysis.linear, self.synthesis.linear):
            transform.basis.copy_(basis)
        self.std.copy_(values.flip(0)[: self.channels].clamp(min=1e-8).sqrt())
        lambdas = self.lambdas(torch.arange(self.levels, dtype=torch.float32))
        step = torch.sqrt(36 / (2 * math.log(2) * lambdas * 255**2))  # where dD/dR is that of uniform noise
        self.log_gains.copy_(-step.log()[:, None].expand_as(self.log_gains))

    def lambdas(self, level: Tensor) -> Tensor:
        """The price of distortion at levels from 0 to `levels` - 1."""
        low, high = map(math.log, LAMBDAS)
        return torch.exp(low + (high - low) * level / (self.levels - 1))

    def level_weights(self, level: Tensor) -> Tensor:
        """(B,) → (B, levels): how much of each table's row, the two nearest ones sharing."""
        rows = torch.arange(self.levels, device=level.device)
        return (1 - (level[:, None] - rows).abs()).clamp(min=0)

    @property
    def change_scale(self) -> Tensor:
        """(1, C, 1, 1): the unit of what the analysis path adds: half of a channel's spread, and never many steps.

        Muon moves all channels by equally many units, however little a channel matters.
        """
        return (0.5 * self.std).clamp(max=LARGEST_CHANGE_SCALE)[None, :, None, None]

    def spread(self, weights: Tensor) -> Tensor:
        """(B, C, 1, 1): by what latents are divided before convolutions read them: their spread and one step."""
        step = torch.exp(-interpolated(weights, self.log_gains)).detach()
        return torch.sqrt(self.std[None, :, None, None].square() + step.square())

    def base_log_scale(self, weights: Tensor) -> Tensor:
        """(B, C, 1, 1): the scale of a channel's symbols before the context says more."""
        log_gains = interpolated(weights, self.log_gains)
        return ((self.std[None, :, None, None] / LOGISTIC_STD).log() + log_gains).clamp(min=SMALLEST_LOG_SCALE)

    def forward(self, x: Tensor, level: Tensor, generator: torch.Generator | None = None) -> CodecOutput:
        """`x` (B, 3, H, W) in [0, 1], `level` (B,). With a generator rates are those of noise, as in training."""
        weights = self.level_weights(level)
        y = self.analysis(x - 0.5, self.change_scale)
        context, hyper_bits = self._code_hyper(y, weights, generator)
        latents, bits = self._code(y, context, weights, generator)
        picture = self.synthesis(latents, self.spread(weights), weights) + 0.5
        return CodecOutput(picture, torch.stack([bits, hyper_bits], dim=1))

    def _code_hyper(self, y: Tensor, weights: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """The context that the coarse rung gives, (B, context_width, H/16, W/16), and its bits, (B,)."""
        gains = interpolated(weights, self.hyper_log_gains).exp()
        mean, log_scale = self.hyper_mean[None, :, None, None], interpolated(weights, self.hyper_log_scale)
        z = unreduced(self.hyper_analysis((y / self.spread(weights)).clamp(-LIMIT, LIMIT))) * gains
        bits = logistic_bits(noisy(z - mean, generator), bound_log_scale(log_scale))
        context = self.hyper_synthesis((mean + rounded(z - mean)) / gains)
        return self.context_bias(context, weights), bits.sum((1, 2, 3))

    def _code(
        self, y: Tensor, context: Tensor, weights: Tensor, generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor]:
        """ŷ and its bits, (B,)."""
        log_gains, std = interpolated(weights, self.log_gains), self.std[None, :, None, None]
        base, spread = self.base_log_scale(weights), self.spread(weights)
        masks = parity_masks(y)
        steps, latents, total, decoded = iter(self.passes), [], y.new_zeros(len(y)), None
        start = 0
        for size, parities in self.groups:
            part = slice(start, start + size)
            gains, group = log_gains[:, part].exp(), torch.zeros_like(y[:, part])
            for mask in masks if parities == 2 else (torch.ones_like(masks[0]),):
                context, mean, log_scale = next(steps)(context, decoded)
                mean = mean * MEAN_SPEED * std[:, part]
                residual = (y[:, part] - mean) * gains
                bits = logistic_bits(noisy(residual, generator), bound_log_scale(log_scale + base[:, part]))
                total = total + (bits * mask).sum((1, 2, 3))
                fresh = mask * (mean + rounded(residual) / gains)
                decoded = (fresh / spread[:, part]).clamp(-LIMIT, LIMIT)
                group = group + fresh
            latents.append(group)
            start += size
        return torch.cat(latents, dim=1), total


def _with_relus(layers: Sequence[nn.Module]) -> nn.Sequential:
    """Layers with a ReLU between neighbours."""
    between = [part for layer in layers for part in (layer, nn.ReLU())]
    return nn.Sequential(*between[:-1])
