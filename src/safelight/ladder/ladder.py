"""A conditional ladder VAE: rungs from coarse to fine on a condition's features.

    x ──unshuffle──► e_1 ──► e_2 ──► … e_K            bottom-up, training only
                      :        :        :
         c_1 ──► h_1 ◄── h_2 ◄── … h_K ◄── c_K        top-down, one rung at each scale
                  │
                  └──► decoded (the centre of p(x | z, c))

Sønderby et al., "Ladder variational autoencoders", NIPS 2016; Child, "Very deep VAEs", ICLR 2021.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from safelight.ladder.layers import Up, blocks, down, unreduced, zero_init
from safelight.ladder.rung import Rung


class RungSpec(NamedTuple):
    """The size of one rung."""

    width: int
    latents: int
    blocks: int
    condition: int
    """Channels of the condition's features at this scale."""


class LadderOutput(NamedTuple):
    """One pass with x at hand."""

    decoded: Tensor
    """The centre of the likelihood of x, (B, 3, H, W)."""
    kl_nats: tuple[Tensor, ...]
    """KL of each rung, fine to coarse; of the k-th from 0 (B, latents, H/2^(k+1), W/2^(k+1))."""


class Ladder(nn.Module):
    """`rungs` go from fine (1/2) to coarse (1/2^K)."""

    def __init__(self, rungs: Sequence[RungSpec]) -> None:
        super().__init__()
        steps = list(itertools.pairwise(rungs))
        self.specs = tuple(rungs)
        self.head = nn.Conv2d(4 * 3, rungs[0].width, 3, padding=1)
        self.encode = nn.ModuleList(blocks(r.width, 1) for r in rungs)
        self.down = nn.ModuleList(down(fine.width, coarse.width) for fine, coarse in steps)
        self.condition = nn.ModuleList(nn.Conv2d(r.condition, r.width, 1) for r in rungs)
        self.up = nn.ModuleList(Up(coarse.width, fine.width) for fine, coarse in steps)
        self.rungs = nn.ModuleList(Rung(r.width, r.latents, r.blocks) for r in rungs)
        self.tail = zero_init(nn.Conv2d(rungs[0].width, 4 * 3, 3, padding=1))

    @property
    def latents(self) -> tuple[int, ...]:
        """Channels of z at each scale, fine to coarse; rung k stands at 1/2^(k+1)."""
        return tuple(spec.latents for spec in self.specs)

    @property
    def reach_px(self) -> int:
        """How far `sample` reaches beyond the features that it is given."""
        convs = [1 + 2 * spec.blocks for spec in self.specs]
        convs[0] += 1
        return sum(n * 2 ** (level + 1) for level, n in enumerate(convs))

    def forward(self, x: Tensor, condition: Sequence[Tensor], noise: Sequence[Tensor]) -> LadderOutput:
        """One draw from the posterior at every rung, with N(0, 1) `noise` shaped as the latents."""
        evidence = self._bottom_up(x)
        kl_nats: list[Tensor] = []
        h = None
        for k in reversed(range(len(self.rungs))):
            h, kl = self.rungs[k](self._state(k, h, condition[k]), evidence[k], noise[k])
            kl_nats.append(kl)
        return LadderOutput(self._decode(h), tuple(reversed(kl_nats)))

    def sample(self, condition: Sequence[Tensor], noise: Sequence[Tensor]) -> Tensor:
        """The centre of x for one draw from the prior; `noise` is N(0, 1) times the temperature."""
        h = None
        for k in reversed(range(len(self.rungs))):
            h = self.rungs[k].sample(self._state(k, h, condition[k]), noise[k])  # type: ignore[operator]
        return self._decode(h)

    def _bottom_up(self, x: Tensor) -> list[Tensor]:
        h = self.encode[0](self.head(F.pixel_unshuffle(x, 2)))
        evidence = [h]
        for step_down, encode in zip(self.down, self.encode[1:], strict=True):
            h = encode(step_down(h))
            evidence.append(h)
        return evidence

    def _state(self, k: int, coarser: Tensor | None, condition: Tensor) -> Tensor:
        h: Tensor = self.condition[k](condition)
        return h if coarser is None else h + self.up[k](coarser)

    def _decode(self, h: Tensor | None) -> Tensor:
        return unreduced(F.pixel_shuffle(self.tail(h), 2))
