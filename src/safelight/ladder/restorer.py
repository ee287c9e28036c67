"""Mean-first restoration: p(x | y) as a mean, a scale and a ladder of the standardised residual.

    x = m(y) + s(y) · u          m, s: the trunk          u ~ ladder VAE given the trunk's features

The mean carries the PSNR and is the default output; the ladder adds back what a mean must leave out. A
draw takes noise for the likelihood N(decoded(z), σ_obs²) and for every rung's prior; a temperature t
multiplies them all, and t = 1 is a draw from the model itself.
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

    @property
    def noise_inputs(self) -> tuple[tuple[int, int], ...]:
        """Channels and stride of the noise that `draw` takes: the likelihood's, then each rung's, fine to coarse."""
        return ((3, 1), *((channels, 2 << k) for k, channels in enumerate(self.ladder.latents)))

    def forward(self, y: Tensor, sigma_01: Tensor) -> TrunkOutput:
        """Mean, scale and features; see `Trunk.forward`."""
        output: TrunkOutput = self.trunk(y, sigma_01)
        return output

    def posterior(self, x: Tensor, y: Tensor, sigma_01: Tensor, noise: Sequence[Tensor]) -> PosteriorOutput:
        """One draw from q for a known clean picture `x`; `noise` as for `draw`, of which the rungs' part is used."""
        trunk = self(y, sigma_01)
        features = [f.detach() for f in trunk.features]
        residual = ((x - trunk.mean) / trunk.log_scale.exp()).detach()
        return PosteriorOutput(trunk, residual, self.ladder(residual, features, noise[1:]))

    def draw(self, mean: Tensor, scale: Tensor, features: Sequence[Tensor], noise: Sequence[Tensor]) -> Tensor:
        """One sample of x; `noise` is N(0, 1) times the temperature, as `noise_inputs` says."""
        return mean + scale * (self.ladder.sample(features, noise[1:]) + SIGMA_OBS * noise[0])


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
