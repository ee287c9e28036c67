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

from safelight.ladder.layers import ResidualBlock, blocks, down, unreduced, up, zero_init
from safelight.ladder.likelihoods import log_sigmoid

BLOCK_PX = 16
"""One position of the fine rung stands for a square of this side."""
HYPER_PX = 64
"""The same of the coarse rung."""
VALUES = 3 * BLOCK_PX**2
LAMBDAS = (3e-4, 0.5)
"""Price of distortion at the lowest and the highest level, in bits per pixel over squared error in (1/255)²."""
LOGISTIC_STD = math.pi / math.sqrt(3)
"""Standard deviation of the logistic distribution of scale 1."""
SMALLEST_LOG_SCALE, LARGEST_LOG_SCALE = math.log(0.04), math.log(400.0)
ESCAPE_NATS = 14.0
"""About what the nearest of the symbols costs that a coder has to write in another way, as an escape."""
LIMIT = 8.0
"""What convolutions see of latents, in units of a channel's spread, ends here: integers need a bound."""
CORRECTION_SPEED = 0.1
"""The linear transforms move so much slower than other parameters: a basis is all but right from the start."""


LARGEST_CHANGE_SCALE = 0.5
MEAN_SPEED = 0.2
"""Means move so much slower than other outputs: many steps of quantisation go into a channel's spread."""


class CodecOutput(NamedTuple):
    """What comes out of one picture at one level."""

    picture: Tensor
    """x̂, (B, 3, H, W), not clipped."""
    bits: Tensor
    """(B, 2): of the fine rung and of the coarse one."""


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
    """x → y; see the module. It does not know the level: with one, it ran away at levels where errors cost little."""

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


class Pass(nn.Module):
    """One step of the entropy model: reads what was decoded last, and says what is expected next.

    The context is a plain sum of what was read. A chain of blocks from pass to pass would be as deep as there are
    passes, and was unstable in training.
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
        self.hyper_analysis = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1),
            nn.ReLU(),
            down(width, width),
            nn.ReLU(),
            down(width, hyper_channels),
        )
        self.hyper_synthesis = nn.Sequential(
            up(hyper_channels, width), nn.ReLU(), up(width, width), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1)
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
        """(1, C, 1, 1): the unit of what the analysis path adds, the root of a channel's spread.

        A smaller unit asks the path for large numbers wherever it takes texture away, and that was unstable in
        training. It is bounded where the spread is many steps of quantisation: one step of training must not jump
        over them.
        """
        return self.std.sqrt().clamp(max=LARGEST_CHANGE_SCALE)[None, :, None, None]

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
        bits = logistic_bits(noisy(z - mean, generator), bound_log_scale(log_scale), escapes=False)
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


def parity_masks(y: Tensor) -> tuple[Tensor, Tensor]:
    """Two checkerboards of (1, 1, H, W): the one that is decoded first has the upper left corner."""
    rows, columns = torch.arange(y.shape[2], device=y.device), torch.arange(y.shape[3], device=y.device)
    odd = ((rows[:, None] + columns[None, :]) % 2).to(y.dtype)[None, None]
    return 1 - odd, odd


def rounded(v: Tensor) -> Tensor:
    """Nearest integers, with the gradient of the identity."""
    return v + (v.round() - v).detach()


def noisy(v: Tensor, generator: torch.Generator | None) -> Tensor:
    """Uniform noise of width 1 instead of rounding, for rates with a gradient; rounding without a generator."""
    if generator is None:
        return v.round()
    return v + torch.rand(v.shape, generator=generator) - 0.5


def bound_log_scale(log_scale: Tensor) -> Tensor:
    """Within the tables. Below, the gradient lives on, so that a scale can come back."""
    bounded = log_scale.clamp(SMALLEST_LOG_SCALE, LARGEST_LOG_SCALE)
    return bounded.detach() + 0.1 * (log_scale - log_scale.detach()) + 0.9 * (bounded - bounded.detach())


def logistic_bits(v: Tensor, log_scale: Tensor, escapes: bool = True) -> Tensor:
    """-log2 of the mass that a logistic distribution about 0 has within half a step of v, elementwise.

    Rare symbols cost as escapes do. Without escapes the cost rises in proportion to |v|: what nothing else holds back,
    as the coarse rung, must not become large for the price of an escape.
    """
    v, per_scale = v.abs(), torch.exp(-log_scale)
    upper, lower = (0.5 - v) * per_scale, (-0.5 - v) * per_scale
    log_mass = log_sigmoid(upper) + log_sigmoid(-lower) + torch.log(-torch.expm1(-per_scale))
    if escapes:
        log_mass = torch.logaddexp(log_mass, -ESCAPE_NATS - 2 * torch.log1p(v))
    return -log_mass / math.log(2)


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
