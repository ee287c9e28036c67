"""Mean-first restoration: p(x | y) as a mean, a scale and a ladder of the standardised residual.

    x = m(y) + s(y) · u          m, s: the trunk          u ~ ladder VAE given the trunk's features

The mean carries the PSNR and is the default output; the ladder adds back what a mean must leave out.
A temperature t multiplies every latent draw: t = 1 is an honest posterior sample.
"""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from safelight.ladder.ladder import Ladder, LadderOutput, RungSpec
from safelight.ladder.trunk import Trunk, TrunkOutput

SIGMA_OBS = 0.3
"""Fixed scale of the likelihood of u. Learned scales let the likelihood explain everything as white
noise, and the latents stay unused (measured: docs/lab-notebook.md)."""


class PosteriorOutput(NamedTuple):
    """What the second stage of training sees."""

    trunk: TrunkOutput
    residual: Tensor
    """u = (x - m) / s, (B, 3, H, W); the target, free of gradients."""
    ladder: LadderOutput


class Restorer(nn.Module):
    """A trunk and a ladder on it."""

    def __init__(self, trunk: Trunk, ladder: Ladder) -> None:
        super().__init__()
        self.trunk = trunk
        self.ladder = ladder

    def forward(self, y: Tensor, sigma_01: Tensor) -> TrunkOutput:
        """Mean, scale and features; see `Trunk.forward`."""
        output: TrunkOutput = self.trunk(y, sigma_01)
        return output

    def posterior(self, x: Tensor, y: Tensor, sigma_01: Tensor, noise: Sequence[Tensor]) -> PosteriorOutput:
        """One posterior draw of the ladder for a known clean picture `x`; the trunk is left alone."""
        trunk = self(y, sigma_01)
        features = [f.detach() for f in trunk.features]
        residual = ((x - trunk.mean) / trunk.log_scale.exp()).detach()
        return PosteriorOutput(trunk, residual, self.ladder(residual, features, noise))

    def draw(self, mean: Tensor, scale: Tensor, features: Sequence[Tensor], noise: Sequence[Tensor]) -> Tensor:
        """One sample of x; `noise` is N(0, 1) times the temperature, one tensor a rung."""
        return mean + scale * self.ladder.sample(features, noise)


def build_restorer(
    widths: Sequence[int],
    blocks_down: Sequence[int],
    blocks_up: Sequence[int],
    ladder_widths: Sequence[int],
    latents: Sequence[int],
    ladder_blocks: Sequence[int],
) -> Restorer:
    """A restorer from free sizes, each listed from fine (1/2) to coarse."""
    sizes = zip(ladder_widths, latents, ladder_blocks, widths, strict=True)
    return Restorer(Trunk(widths, blocks_down, blocks_up), Ladder([RungSpec(*size) for size in sizes]))
