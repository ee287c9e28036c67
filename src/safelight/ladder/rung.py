"""One rung: a prior, a posterior beside it, their divergence, and the merge.

    p(z | h)     = N(μ_p, σ_p²)
    q(z | h, e)  = N(μ_p + σ_p Δμ, (σ_p δσ)²)         Δμ = 0, δσ = 1 as built, so q = p; see `initialise_from_data`
    KL(q ‖ p)    = ½ (Δμ² + δσ² - 1) - log δσ          per dimension, in nats
    log p/q      = ½ (ε² - (Δμ + δσ ε)²) + log δσ      at z = μ_p + σ_p (Δμ + δσ ε); its mean over ε is -KL
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
    log_ratio_nats: Tensor
    """log p(z) - log q(z) of what was drawn, likewise."""
    latent: Tensor
    """What was drawn, in units of the prior: (z - μ_p) / σ_p = Δμ + δσ ε, which is N(0, 1) under p."""
    std: Tensor
    """δσ, in the same units."""


class Rung(nn.Module):
    """`latents` channels of z on a state of `width` channels."""

    def __init__(self, width: int, latents: int, block_count: int) -> None:
        super().__init__()
        self.latents = latents
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
        std = log_delta_sigma.exp()
        drawn = delta_mean + std * noise  # in units of the prior
        log_ratio = 0.5 * (noise.square() - drawn.square()) + log_delta_sigma
        h = self._merge(h, mean_p + log_sigma_p.exp() * drawn)
        kl_nats = kl_relative(delta_mean, log_delta_sigma)
        return RungOutput(h, kl_nats, log_ratio_nats=log_ratio, latent=drawn, std=std)

    def sample(self, h: Tensor, noise: Tensor) -> Tensor:
        """The state after a draw from p; `noise` is N(0, 1) times the temperature, or any latent in these units."""
        mean_p, log_sigma_p = self._prior(h)
        return self._merge(h, mean_p + log_sigma_p.exp() * noise)

    @property
    def collapsed(self) -> bool:
        """Whether nothing of the evidence arrives in z, as in a rung that was just built."""
        return not bool(self._last.weight[: self.latents].any())

    @torch.no_grad()
    def initialise_from_data(self, h: Tensor, evidence: Tensor, generator: torch.Generator) -> None:
        """Data-dependent initialisation: Δμ gets mean 0 and variance 1 over a batch, in random directions.

        From q = p a rung often collapses. Its z is pure noise at first, so the decoder learns to ignore z before the
        posterior has learned to carry anything. Then neither has a gradient (docs/lab-notebook.md). The scale is set by
        the data after Salimans & Kingma, "Weight normalization", NeurIPS 2016, §3.
        """
        assert self._last.bias is not None
        rows, bias = self._last.weight[: self.latents], self._last.bias[: self.latents]  # that make Δμ
        rows.copy_(torch.randn(rows.shape, generator=generator))
        delta_mean = self.posterior(torch.cat([h, evidence], dim=1))[:, : self.latents]
        spread = delta_mean.std(dim=(0, 2, 3), correction=0)
        spread[spread < 1e-6] = 1.0  # evidence that does not vary carries nothing
        rows.div_(spread.view(-1, 1, 1, 1))
        bias.copy_(-delta_mean.mean(dim=(0, 2, 3)) / spread)

    @property
    def _last(self) -> nn.Conv2d:
        """The posterior's last layer; its first half makes Δμ."""
        last = self.posterior[-1]
        assert isinstance(last, nn.Conv2d)
        return last

    def _prior(self, h: Tensor) -> tuple[Tensor, Tensor]:
        mean_p, log_sigma_p = unreduced(self.prior(h)).chunk(2, dim=1)
        return mean_p, bounded(log_sigma_p, LOG_SIGMA_REACH)

    def _merge(self, h: Tensor, z: Tensor) -> Tensor:
        merged: Tensor = self.blocks(h + self.merge(z))
        return merged


class PlainScale(nn.Module):
    """A scale without latents: the state goes on, and nothing is paid."""

    def __init__(self, width: int, block_count: int) -> None:
        super().__init__()
        self.blocks = blocks(width, block_count)

    def forward(self, h: Tensor, evidence: Tensor, noise: Tensor) -> RungOutput:
        """As a rung's; `noise` has no channels."""
        nothing = h.new_zeros(noise.shape)
        return RungOutput(self.blocks(h), nothing, log_ratio_nats=nothing, latent=nothing, std=nothing)

    def sample(self, h: Tensor, noise: Tensor) -> Tensor:
        """The same without evidence."""
        after: Tensor = self.blocks(h)
        return after


def kl_relative(delta_mean: Tensor, log_delta_sigma: Tensor) -> Tensor:
    """KL(N(μ + σΔμ, (σδσ)²) ‖ N(μ, σ²)) in nats, elementwise.

    `expm1` keeps the precision near q = p, where δσ² - 1 would cancel.
    """
    return 0.5 * (delta_mean.square() + torch.expm1(2 * log_delta_sigma)) - log_delta_sigma
