"""Mean-first restoration: p(x | y) as a mean, a scale and a ladder of the standardised residual.

    x = m(y) + s(y) · u          m: the trunk     s: the scale     u ~ ladder VAE given the trunk's features

The mean carries the PSNR and is the default output; the ladder adds back what a mean must leave out. A
draw takes noise for the likelihood N(decoded(z), σ_obs²) and for every rung's prior; a temperature t
multiplies them all, and t = 1 is a draw from the model itself.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from safelight.ladder.ladder import Ladder, LadderOutput, RungSpec
from safelight.ladder.scale import Scale
from safelight.ladder.trunk import Trunk

SIGMA_OBS = 0.3
"""Fixed scale of the likelihood of u. Learned scales let the likelihood explain everything as white
noise, and the latents stay unused (measured: docs/lab-notebook.md)."""


class Estimate(NamedTuple):
    """What is known of p(x | y) before anything is drawn."""

    mean: Tensor
    """m(y), (B, 3, H, W)."""
    log_scale: Tensor
    """log s(y), (B, 3, H, W)."""
    features: tuple[Tensor, ...]
    """See `TrunkOutput`."""


class PosteriorOutput(NamedTuple):
    """What the second stage of training sees."""

    estimate: Estimate
    residual: Tensor
    """u = (x - m) / s, (B, 3, H, W); the target, free of gradients."""
    ladder: LadderOutput


class RestorerNet(nn.Module):
    """A trunk, and a scale and a ladder on it."""

    def __init__(self, trunk: Trunk, scale: Scale, ladder: Ladder) -> None:
        super().__init__()
        self.trunk = trunk
        self.scale = scale
        self.ladder = ladder

    @property
    def noise_inputs(self) -> tuple[tuple[int, int], ...]:
        """Channels and stride of the noise that `draw` takes: the likelihood's, then each rung's, fine to coarse."""
        return ((3, 1), *((channels, 2 << k) for k, channels in enumerate(self.ladder.latents)))

    @property
    def mean_reach_px(self) -> int:
        """No mean or scale depends on input farther away than this."""
        return self.trunk.reach_px + self.scale.reach_px

    @property
    def sample_reach_px(self) -> int:
        """The same for samples."""
        return max(self.mean_reach_px, self.trunk.reach_px + self.ladder.reach_px)

    def forward(self, y: Tensor, sigma_01: Tensor) -> Estimate:
        """Mean, scale and features; see `Trunk.forward`."""
        mean, features = self.trunk(y, sigma_01)
        return Estimate(mean, self.scale(features[0], y - mean), features)

    def posterior(self, x: Tensor, y: Tensor, sigma_01: Tensor, noise: Sequence[Tensor]) -> PosteriorOutput:
        """One draw from q for a known clean picture `x`; `noise` as for `draw`, of which the rungs' part is used."""
        estimate = self(y, sigma_01)
        features = [f.detach() for f in estimate.features]
        residual = ((x - estimate.mean) / estimate.log_scale.exp()).detach()
        return PosteriorOutput(estimate, residual, self.ladder(residual, features, noise[1:]))

    @torch.no_grad()
    def initialise_from_data(self, x: Tensor, y: Tensor, sigma_01: Tensor, generator: torch.Generator) -> None:
        """Before the ladder is trained: see `Rung.initialise_from_data`."""
        estimate = self(y, sigma_01)
        self.ladder.initialise_from_data((x - estimate.mean) / estimate.log_scale.exp(), estimate.features, generator)

    def draw(self, mean: Tensor, scale: Tensor, features: Sequence[Tensor], noise: Sequence[Tensor]) -> Tensor:
        """One sample of x; `noise` is N(0, 1) times the temperature, as `noise_inputs` says."""
        return mean + scale * (self.ladder.sample(features, noise[1:]) + SIGMA_OBS * noise[0])


class Experts(nn.ModuleDict):
    """Name → restorer, all of the same sizes, each for some of the ways in which pictures go bad.

    Which one serves a picture is decided outside, by a first look at it (`runtime.restore.look`).
    """

    def __getitem__(self, name: str) -> RestorerNet:
        restorer = super().__getitem__(name)
        assert isinstance(restorer, RestorerNet)
        return restorer

    @property
    def first(self) -> RestorerNet:
        """The one that looks first, and from which the others part."""
        return self[next(iter(self))]

    def part(self) -> None:
        """All others become what the first is."""
        for name in self:
            self[name].load_state_dict(self.first.state_dict())


def build_restorer(
    widths: Sequence[int],
    blocks_down: Sequence[int],
    blocks_up: Sequence[int],
    ladder_widths: Sequence[int],
    latents: Sequence[int],
    ladder_blocks: Sequence[int],
) -> RestorerNet:
    """A restorer from free sizes, each listed from fine (1/2) to coarse."""
    sizes = zip(ladder_widths, latents, ladder_blocks, widths, strict=True)
    ladder = Ladder([RungSpec(*size) for size in sizes])
    return RestorerNet(Trunk(widths, blocks_down, blocks_up), Scale(widths[0]), ladder)


def build_experts(names: Sequence[str], sizes: Mapping[str, Sequence[int]]) -> Experts:
    """An expert of each name; `sizes` as `build_restorer` takes them."""
    return Experts({name: build_restorer(**sizes) for name in names})
