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

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from safelight.ladder.layers import blocks, down, unreduced, up, zero_init
from safelight.ladder.rung import PlainScale, Rung, RungOutput


class RungSpec(NamedTuple):
    """The size of one rung."""

    width: int
    latents: int
    """Channels of z; 0 for a scale without."""
    blocks: int
    condition: int
    """Channels of the condition's features at this scale."""


class LadderOutput(NamedTuple):
    """One pass with x at hand."""

    decoded: Tensor
    """What the likelihood of x is made of, (B, channels_out, H, W)."""
    kl_nats: tuple[Tensor, ...]
    """KL of each rung, fine to coarse; of the k-th from 0 (B, latents, H/2^(k+1), W/2^(k+1))."""
    log_ratio_nats: tuple[Tensor, ...]
    """log p(z) - log q(z) of the draw, likewise."""
    latents: tuple[Tensor, ...]
    """What was drawn, in units of the prior, likewise; `sample` takes it as its noise."""
    stds: tuple[Tensor, ...]
    """The posterior's standard deviations, in the same units."""


class Ladder(nn.Module):
    """`rungs` go from fine (1/2) to coarse (1/2^K); x has `channels_in`, and what is decoded `channels_out`."""

    def __init__(self, rungs: Sequence[RungSpec], channels_in: int = 3, channels_out: int = 3) -> None:
        super().__init__()
        steps = list(itertools.pairwise(rungs))
        self.specs = tuple(rungs)
        self.head = nn.Conv2d(4 * channels_in, rungs[0].width, 3, padding=1)
        self.encode = nn.ModuleList(blocks(r.width, 1) for r in rungs)
        self.down = nn.ModuleList(down(fine.width, coarse.width) for fine, coarse in steps)
        self.condition = nn.ModuleList(nn.Conv2d(r.condition, r.width, 1) for r in rungs)
        self.up = nn.ModuleList(up(coarse.width, fine.width) for fine, coarse in steps)
        self.rungs = nn.ModuleList(
            Rung(r.width, r.latents, r.blocks) if r.latents else PlainScale(r.width, r.blocks) for r in rungs
        )
        self.tail = zero_init(nn.Conv2d(rungs[0].width, 4 * channels_out, 3, padding=1))

    @property
    def latents(self) -> tuple[int, ...]:
        """Channels of z at each scale, fine to coarse; rung k stands at 1/2^(k+1)."""
        return tuple(spec.latents for spec in self.specs)

    @property
    def after_latents(self) -> list[nn.Module]:
        """What `decoded` depends on and no latent does: all that stands after the finest rung's merge."""
        finest = next(k for k, channels in enumerate(self.latents) if channels)
        rung = self.rungs[finest]
        assert isinstance(rung, Rung)
        return [rung.blocks, *self.rungs[:finest], *self.up[:finest], *self.condition[:finest], self.tail]

    @property
    def reach_px(self) -> int:
        """How far `sample` reaches beyond the features that it is given."""
        convs = [1 + 2 * spec.blocks for spec in self.specs]
        convs[0] += 1
        return sum(n * 2 ** (level + 1) for level, n in enumerate(convs))

    def forward(self, x: Tensor, condition: Sequence[Tensor], noise: Sequence[Tensor]) -> LadderOutput:
        """One draw from the posterior at every rung, with N(0, 1) `noise` shaped as the latents."""
        passed = self._top_down(x, condition, noise, finest=0)
        _, kl_nats, log_ratio_nats, latents, stds = zip(*passed, strict=True)
        decoded = self._decode(passed[0].h)
        return LadderOutput(decoded, kl_nats=kl_nats, log_ratio_nats=log_ratio_nats, latents=latents, stds=stds)

    def draw_latents(self, x: Tensor, condition: Sequence[Tensor], noise: Sequence[Tensor]) -> list[Tensor]:
        """The latents of `forward`, of rungs that have some, fine to coarse; nothing is decoded for it."""
        finest = next(k for k, channels in enumerate(self.latents) if channels)
        return [rung.latent for rung in self._top_down(x, condition, noise, finest) if rung.latent.shape[1]]

    def _top_down(
        self, x: Tensor, condition: Sequence[Tensor], noise: Sequence[Tensor], finest: int
    ) -> list[RungOutput]:
        """What each scale hands on, from the finest that is asked for to the coarsest."""
        evidence = self._bottom_up(x)
        passed: list[RungOutput] = []
        for k in reversed(range(finest, len(self.rungs))):
            coarser = passed[-1].h if passed else None
            passed.append(self.rungs[k](self._state(k, coarser, condition[k]), evidence[k], noise[k]))
        return passed[::-1]

    def sample(self, condition: Sequence[Tensor], noise: Sequence[Tensor]) -> Tensor:
        """What is decoded for one draw from the prior; `noise` is N(0, 1) times the temperature."""
        h = None
        for k in reversed(range(len(self.rungs))):
            h = self.rungs[k].sample(self._state(k, h, condition[k]), noise[k])  # type: ignore[operator]
        return self._decode(h)

    @torch.no_grad()
    def initialise_from_data(self, x: Tensor, condition: Sequence[Tensor], generator: torch.Generator) -> None:
        """Initialise every collapsed rung, coarse to fine, on a batch as `forward` takes it; see the rung's own."""
        evidence = self._bottom_up(x)
        h = None
        for k in reversed(range(len(self.rungs))):
            rung, state = self.rungs[k], self._state(k, h, condition[k])
            if isinstance(rung, Rung) and rung.collapsed:
                rung.initialise_from_data(state, evidence[k], generator)
            size = (len(x), self.specs[k].latents, *state.shape[2:])
            h = rung(state, evidence[k], torch.randn(size, generator=generator)).h

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
