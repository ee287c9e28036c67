"""One rung: a prior, a posterior beside it, their divergence, and the merge.

    p(z | h)     = N(μ_p, σ_p²)
    q(z | h, e)  = N(μ_p + σ_p Δμ, (σ_p δσ)²)         Δμ = 0, δσ = 1 at the start, so q = p
    KL(q ‖ p)    = ½ (Δμ² + δσ² - 1) - log δσ          per dimension, in nats
    merge        h ← blocks(h + W z)

The relative posterior is NVAE's (Vahdat & Kautz, NeurIPS 2020, §3.2), here with Δμ in units of
σ_p, which makes KL free of σ_p; the top-down merge is Sønderby et al.'s ladder (NIPS 2016).
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from safelight.ladder.layers import blocks, bounded, unreduced, zero_init

LOG_SIGMA_REACH = 5.0


class RungOutput(NamedTuple):
    """What one rung hands on."""

    h: Tensor
    """The state after the merge, (B, width, H, W)."""
    kl_nats: Tensor
    """KL(q ‖ p) of every latent dimension, (B, latents, H, W)."""


class Rung(nn.Module):
    """`latents` channels of z on a state of `width` channels."""

    def __init__(self, width: int, latents: int, block_count: int) -> None:
        super().__init__()
        self.prior = zero_init(nn.Conv2d(width, 2 * latents, 3, padding=1))
        self.posterior = nn.Sequential(
            nn.Conv2d(2 * width, width, 3, padding=1), nn.ReLU(), zero_init(nn.Conv2d(width, 2 * latents, 3, padding=1))
        )
        self.merge = nn.Conv2d(latents, width, 1)
        self.blocks = blocks(width, block_count)

    def forward(self, h: Tensor, evidence: Tensor, noise: Tensor) -> RungOutput:
        """One draw from q, with `noise` ~ N(0, 1) of shape (B, latents, H, W) chosen by the caller."""
        mean_p, log_sigma_p = self._prior(h)
        delta_mean, log_delta_sigma = unreduced(self.posterior(torch.cat([h, evidence], dim=1))).chunk(2, dim=1)
        log_delta_sigma = bounded(log_delta_sigma, LOG_SIGMA_REACH)
        z = mean_p + log_sigma_p.exp() * (delta_mean + log_delta_sigma.exp() * noise)
        return RungOutput(self._merge(h, z), kl_relative(delta_mean, log_delta_sigma))

    def sample(self, h: Tensor, noise: Tensor) -> Tensor:
        """The state after a draw from p; `noise` is N(0, 1) times the temperature."""
        mean_p, log_sigma_p = self._prior(h)
        return self._merge(h, mean_p + log_sigma_p.exp() * noise)

    def _prior(self, h: Tensor) -> tuple[Tensor, Tensor]:
        mean_p, log_sigma_p = unreduced(self.prior(h)).chunk(2, dim=1)
        return mean_p, bounded(log_sigma_p, LOG_SIGMA_REACH)

    def _merge(self, h: Tensor, z: Tensor) -> Tensor:
        merged: Tensor = self.blocks(h + self.merge(z))
        return merged


def kl_relative(delta_mean: Tensor, log_delta_sigma: Tensor) -> Tensor:
    """KL(N(μ + σΔμ, (σδσ)²) ‖ N(μ, σ²)) in nats, elementwise.

    `expm1` keeps the precision near q = p, where δσ² - 1 would cancel.
    """
    return 0.5 * (delta_mean.square() + torch.expm1(2 * log_delta_sigma)) - log_delta_sigma
