"""A learned prior of the latents of a VAE: a flow from N(0, I) to where the latents of pictures lie.

    x_t = (1 - t) x_0 + t x_1           x_0 ~ N(0, I); x_1: latents of a picture, each channel of mean 0 and variance 1
    v(x_t, t, c)                        is trained to be x_1 - x_0: the mean of ‖v - (x_1 - x_0)‖² is minimised
    dx/dt = v(x, t, c)                  from t = 0 to t = 1 leads from noise to latents of a new picture of class c

The network is a transformer over the places of a coarse grid. A place holds the latents of all rungs that lie in it:

    rung 1 (8x8) ──► patches of 2x2 ──┐                                          ┌──► v of rung 1
                                      + ──► 4x4 places ──► blocks ──► last norm ─┤
    rung 2 (4x4) ──► patches of 1x1 ──┘                                          └──► v of rung 2

Lipman et al., "Flow matching for generative modeling", ICLR 2023; Liu et al., "Rectified flow", ICLR 2023; Vahdat,
Kreis & Kautz, "Score-based generative modeling in latent space", NeurIPS 2021 (all rungs together); Ho & Salimans,
"Classifier-free diffusion guidance", 2021 (the class "any"); Peebles & Xie, "Scalable diffusion models with
transformers", ICCV 2023 (the blocks).
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from safelight.ladder.layers import unreduced, zero_init

FREQUENCIES = 32
HIGHEST_FREQUENCY = 100.0
HEAD_WIDTH, WIDER = 64, 4
SMALLEST_STD = 1e-3


class PriorSpec(NamedTuple):
    """The latents of one rung."""

    latents: int
    """Channels."""
    cells: tuple[int, int]
    """Rows and columns. Where they do not fill the grid's places, zeros stand below and on the right."""
    patch: int
    """A place of the grid has so many cells in each direction."""


class PriorSize(NamedTuple):
    """Of the network."""

    grid: tuple[int, int]
    """Places: rows and columns."""
    width: int
    """Of a place's state, a multiple of HEAD_WIDTH."""
    depth: int
    """Blocks."""


class LatentPrior(nn.Module):
    """`specs` go from the finest rung to the coarsest. With 0 classes there is the class "any" alone."""

    def __init__(self, specs: Sequence[PriorSpec], size: PriorSize, classes: int) -> None:
        super().__init__()
        self.specs, self.size, self.classes = tuple(specs), size, classes
        (rows, columns), width, depth = size
        self.means, self.stds = (
            nn.ParameterList(
                nn.Parameter(torch.full((1, spec.latents, 1, 1), value), requires_grad=False) for spec in specs
            )
            for value in (0.0, 1.0)
        )
        self.of_time = nn.Sequential(nn.Linear(2 * FREQUENCIES, width), nn.SiLU(), nn.Linear(width, width))
        self.of_class = nn.Parameter(torch.randn(1, classes + 1, width))
        self.places = nn.Parameter(0.02 * torch.randn(1, rows * columns, width))
        self.read = nn.ModuleList(nn.Conv2d(spec.latents, width, spec.patch, stride=spec.patch) for spec in specs)
        self.blocks = nn.ModuleList(PriorBlock(width) for _ in range(depth))
        self.last = Modulation(width, 2)
        self.write = nn.ModuleList(
            zero_init(nn.ConvTranspose2d(width, spec.latents, spec.patch, stride=spec.patch)) for spec in specs
        )

    @property
    def shapes(self) -> list[tuple[int, int, int]]:
        """Channels, height and width of the latents of each rung."""
        return [(spec.latents, *spec.cells) for spec in self.specs]

    @property
    def any_class(self) -> int:
        """The label of a picture of which no class is asked."""
        return self.classes

    def learn(self) -> None:
        """Make all weights trainable; the units are not."""
        self.requires_grad_(True)
        self.means.requires_grad_(False)
        self.stds.requires_grad_(False)

    @torch.no_grad()
    def fit_units(self, latents: Sequence[Tensor]) -> None:
        """Take mean and spread of each channel from latents of many pictures, (N, C, h, w) for each rung."""
        for values, mean, std in zip(latents, self.means, self.stds, strict=True):
            mean.copy_(values.mean((0, 2, 3), keepdim=True))
            std.copy_(values.std((0, 2, 3), keepdim=True).clamp(min=SMALLEST_STD))

    def to_units(self, latents: Sequence[Tensor]) -> list[Tensor]:
        """Latents of a VAE, one tensor for each rung, fine to coarse → what the flow ends at."""
        return [(z - mean) / std for z, mean, std in zip(latents, self.means, self.stds, strict=True)]

    def from_units(self, flow: Sequence[Tensor]) -> list[Tensor]:
        """The inverse of `to_units`."""
        return [x * std + mean for x, mean, std in zip(flow, self.means, self.stds, strict=True)]

    def forward(self, x: Sequence[Tensor], time: Tensor, label: Tensor) -> list[Tensor]:
        """The velocity of each rung, as `x`: (B, C, h, w), fine to coarse. `time` (B,) in [0, 1], `label` (B,)."""
        about = F.silu(self.of_time(waves(time)) + self.of_class.index_select(1, label)[0])
        h = self.places
        for read, rung, spec in zip(self.read, x, self.specs, strict=True):
            h = h + read(self._filled(rung, spec)).flatten(2).transpose(1, 2)  # (B, places, width)
        for block in self.blocks:
            h = block(h, about)
        scale, shift = self.last(about)
        h = (normalised(h) * (1 + scale) + shift).transpose(1, 2).reshape(-1, self.size.width, *self.size.grid)
        whole = [unreduced(write(h)) for write in self.write]
        return [
            velocity[:, :, : spec.cells[0], : spec.cells[1]] for velocity, spec in zip(whole, self.specs, strict=True)
        ]

    def _filled(self, rung: Tensor, spec: PriorSpec) -> Tensor:
        """With zeros up to the grid's places."""
        below, right = (spec.patch * g - c for g, c in zip(self.size.grid, spec.cells, strict=True))
        return F.pad(rung, (0, right, 0, below)) if below or right else rung


class Modulation(nn.Module):
    """Time and class, (B, width) → so many tensors (B, 1, width), 0 as built."""

    def __init__(self, width: int, count: int) -> None:
        super().__init__()
        self.count, self.layer = count, zero_init(nn.Linear(width, count * width))

    def forward(self, about: Tensor) -> tuple[Tensor, ...]:
        parts: tuple[Tensor, ...] = self.layer(about)[:, None].chunk(self.count, dim=2)
        return parts


class PriorBlock(nn.Module):
    """h + gate · attention(h), then h + gate · layers(h), each on h scaled and shifted; gates are 0 as built."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.modulation = Modulation(width, 6)
        self.attention = Attention(width)
        self.layers = nn.Sequential(OfPlaces(width, WIDER * width), nn.GELU(), OfPlaces(WIDER * width, width))

    def forward(self, h: Tensor, about: Tensor) -> Tensor:
        scale, shift, gate, scale_2, shift_2, gate_2 = self.modulation(about)
        h = h + gate * self.attention(normalised(h) * (1 + scale) + shift)
        changed: Tensor = h + gate_2 * self.layers(normalised(h) * (1 + scale_2) + shift_2)
        return changed


class Attention(nn.Module):
    """Of every place to all places: (B, places, width) → the same (Vaswani et al., NIPS 2017)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query_key_value, self.out = OfPlaces(width, 3 * width), OfPlaces(width, width)

    def forward(self, h: Tensor) -> Tensor:
        places, width = h.shape[1:]
        split = self.query_key_value(h).reshape((-1, places, 3, width // HEAD_WIDTH, HEAD_WIDTH))
        query, key, value = split.permute((2, 0, 3, 1, 4))  # (B, heads, places, HEAD_WIDTH)
        weights = (query @ key.transpose(2, 3) / math.sqrt(HEAD_WIDTH)).softmax(dim=3)
        result: Tensor = self.out((weights @ value).transpose(1, 2).reshape(-1, places, width))
        return result


class OfPlaces(nn.Linear):
    """(B, places, width) → (B, places, other width). All places are rows of one matrix: exporters keep that product."""

    def forward(self, h: Tensor) -> Tensor:
        return super().forward(h.flatten(0, 1)).reshape((-1, h.shape[1], self.out_features))


def normalised(h: Tensor) -> Tensor:
    """Mean 0 and variance 1 over the last dimension."""
    return F.layer_norm(h, h.shape[-1:])


def flow_time(batch: int, generator: torch.Generator) -> Tensor:
    """(B,) in (0, 1), most often in the middle: logit-normal (Esser et al., "Scaling rectified flow", ICML 2024)."""
    return torch.sigmoid(torch.randn(batch, generator=generator))


def on_the_path(noise: Sequence[Tensor], ends: Sequence[Tensor], time: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """x_t, and the velocity that leads from x_0 to x_1."""
    share = time[:, None, None, None]
    places = [(1 - share) * start + share * end for start, end in zip(noise, ends, strict=True)]
    return places, [end - start for start, end in zip(noise, ends, strict=True)]


def waves(time: Tensor) -> Tensor:
    """(B,) in [0, 1] → (B, 2 · FREQUENCIES): sines and cosines, as of positions in a sentence."""
    rates = torch.exp(-torch.arange(FREQUENCIES, device=time.device) * (math.log(HIGHEST_FREQUENCY) / FREQUENCIES))
    angles = HIGHEST_FREQUENCY * time[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)
