"""A learned prior of the latents of a VAE: a flow from N(0, I) to where the latents of pictures lie.

    x_t = (1 - t) x_0 + t x_1           x_0 ~ N(0, I); x_1: latents of a picture, each channel of mean 0 and variance 1
    v(x_t, t, c)                        is trained to be x_1 - x_0: the mean of ‖v - (x_1 - x_0)‖² is minimised
    dx/dt = v(x, t, c)                  from t = 0 to t = 1 leads from noise to latents of a new picture of class c

The network is a small U-Net over the scales of the ladder. Latents of a rung enter and leave at their own scale:

    rung 1 ──► blocks ─────────────────────────► blocks ──► v of rung 1
                 ▼ down                       up ▲
    rung 2 ──►   + ──► blocks, attention ───────────────► v of rung 2

Lipman et al., "Flow matching for generative modeling", ICLR 2023; Liu et al., "Rectified flow", ICLR 2023; Vahdat,
Kreis & Kautz, "Score-based generative modeling in latent space", NeurIPS 2021 (all rungs together); Ho & Salimans,
"Classifier-free diffusion guidance", 2021 (the class "any").
"""

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from safelight.ladder.layers import down, unreduced, up, zero_init

FREQUENCIES, EMBEDDING = 32, 256
HIGHEST_FREQUENCY = 100.0
GROUPS, HEADS = 8, 4
SMALLEST_STD = 1e-3


class PriorSpec(NamedTuple):
    """One scale of the network."""

    width: int
    latents: int
    """Channels of the rung's latents; 0 for a scale without."""
    cells: tuple[int, int]
    """Height and width."""
    blocks: int
    attention: bool


class LatentPrior(nn.Module):
    """`specs` go from the finest scale with latents to the coarsest. With 0 classes there is the class "any" alone."""

    def __init__(self, specs: Sequence[PriorSpec], classes: int) -> None:
        super().__init__()
        steps = list(itertools.pairwise(specs))
        self.specs, self.classes = tuple(specs), classes
        with_latents = [spec for spec in specs if spec.latents]
        self.means, self.stds = (
            nn.ParameterList(
                nn.Parameter(torch.full((1, spec.latents, 1, 1), value), requires_grad=False) for spec in with_latents
            )
            for value in (0.0, 1.0)
        )
        self.of_time = nn.Sequential(nn.Linear(2 * FREQUENCIES, EMBEDDING), nn.SiLU(), nn.Linear(EMBEDDING, EMBEDDING))
        self.of_class = nn.Embedding(classes + 1, EMBEDDING)
        self.read = nn.ModuleList(nn.Conv2d(spec.latents, spec.width, 3, padding=1) for spec in with_latents)
        self.places = nn.ParameterList(nn.Parameter(torch.zeros(1, spec.width, *spec.cells)) for spec in specs)
        self.down = nn.ModuleList(down(fine.width, coarse.width) for fine, coarse in steps)
        self.up = nn.ModuleList(up(coarse.width, fine.width) for fine, coarse in steps)
        self.before = nn.ModuleList(_blocks(spec) for spec in specs)
        self.after = nn.ModuleList(_blocks(spec) for spec in specs[:-1])
        self.write = nn.ModuleList(
            zero_init(nn.Conv2d(spec.width, spec.latents, 3, padding=1)) for spec in with_latents
        )

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
        about = self.of_time(_waves(time)) + self.of_class(label)
        states = self._down_path(x, about)
        h, *finer = reversed(states)
        outputs, k = [h], len(states) - 1
        for state in finer:
            k -= 1
            h = _run(self.after[k], state + self.up[k](h), about)
            outputs.append(h)
        outputs.reverse()
        ends = [output for output, spec in zip(outputs, self.specs, strict=True) if spec.latents]
        return [unreduced(write(F.silu(end))) for write, end in zip(self.write, ends, strict=True)]

    def _down_path(self, x: Sequence[Tensor], about: Tensor) -> list[Tensor]:
        """The state of each scale, fine to coarse."""
        given, reads = iter(x), iter(self.read)
        states: list[Tensor] = []
        for k, spec in enumerate(self.specs):
            h = self.places[k] + (next(reads)(next(given)) if spec.latents else 0.0)
            if states:
                h = h + self.down[k - 1](states[-1])
            states.append(_run(self.before[k], h, about))
        return states


class PriorBlock(nn.Module):
    """h + conv(silu(conv(silu(norm(h) scaled and shifted by time and class)))), and attention; 0 as built."""

    def __init__(self, width: int, attention: bool) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, width)
        self.film = nn.Linear(EMBEDDING, 2 * width)
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = zero_init(nn.Conv2d(width, width, 3, padding=1))
        self.attention = Attention(width) if attention else nn.Identity()

    def forward(self, h: Tensor, about: Tensor) -> Tensor:
        scale, shift = self.film(F.silu(about))[:, :, None, None].chunk(2, dim=1)
        change = self.conv2(F.silu(self.conv1(F.silu(self.norm(h) * (1 + scale) + shift))))
        result: Tensor = self.attention(h + change)
        return result


class Attention(nn.Module):
    """h + attention of every place to all places (Vaswani et al., NIPS 2017); 0 as built."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, width)
        self.query_key_value = nn.Conv2d(width, 3 * width, 1)
        self.out = zero_init(nn.Conv2d(width, width, 1))

    def forward(self, h: Tensor) -> Tensor:
        width, rows, columns = h.shape[1:]
        split = self.query_key_value(self.norm(h)).reshape((-1, 3, HEADS, width // HEADS, rows * columns))
        query, key, value = split.transpose(3, 4).unbind(1)  # (B, heads, places, width/heads)
        weights = (query @ key.transpose(2, 3) / math.sqrt(width // HEADS)).softmax(dim=3)
        heads = (weights @ value).transpose(2, 3).reshape(-1, width, rows, columns)
        changed: Tensor = h + self.out(heads)
        return changed


def flow_time(batch: int, generator: torch.Generator) -> Tensor:
    """(B,) in (0, 1), most often in the middle: logit-normal (Esser et al., "Scaling rectified flow", ICML 2024)."""
    return torch.sigmoid(torch.randn(batch, generator=generator))


def on_the_path(noise: Sequence[Tensor], ends: Sequence[Tensor], time: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """x_t, and the velocity that leads from x_0 to x_1."""
    share = time[:, None, None, None]
    places = [(1 - share) * start + share * end for start, end in zip(noise, ends, strict=True)]
    return places, [end - start for start, end in zip(noise, ends, strict=True)]


def _waves(time: Tensor) -> Tensor:
    """(B,) → (B, 2 · FREQUENCIES): sines and cosines, as of positions in a sentence."""
    rates = torch.exp(-torch.arange(FREQUENCIES, device=time.device) * (math.log(HIGHEST_FREQUENCY) / FREQUENCIES))
    angles = HIGHEST_FREQUENCY * time[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def _blocks(spec: PriorSpec) -> nn.ModuleList:
    return nn.ModuleList(PriorBlock(spec.width, spec.attention) for _ in range(spec.blocks))


def _run(stages: nn.Module, h: Tensor, about: Tensor) -> Tensor:
    assert isinstance(stages, nn.ModuleList)
    for block in stages:
        h = block(h, about)
    return h
