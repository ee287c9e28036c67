"""What is minimised, equation first.

Both objectives return the loss and the numbers to log. Units are in the names.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from safelight.ladder.restorer import SIGMA_OBS, Restorer
from safelight.learn.data import Pair

LOG_2PI = math.log(2 * math.pi)


class Objective(NamedTuple):
    """A loss to go down, and what to tell about it."""

    loss: Tensor
    log: dict[str, Tensor]


def mean_objective(model: Restorer, pair: Pair, noise: Sequence[Tensor], kl_weight: float) -> Objective:
    """L1 of the mean + the scale's negative log-likelihood, which bends the scale head only.

    L = mean |x - m(y)| + nll(x - m, s)          L1: Zhao et al., "Loss functions for image restoration", 2017
    """
    output = model(pair.degraded, pair.sigma_01)
    residual = pair.clean - output.mean
    l1 = residual.abs().mean()
    nll = gaussian_nll_nats(residual.detach(), output.log_scale).mean()
    return Objective(l1 + 0.1 * nll, {"l1": l1, "scale_nll_nats": nll, "mse": residual.square().mean()})


def posterior_objective(model: Restorer, pair: Pair, noise: Sequence[Tensor], kl_weight: float) -> Objective:
    """The negative ELBO of the standardised residual u = (x - m) / s, in nats per pixel value.

    -ELBO = E_q[-log N(u; decoded(z), σ_obs²)] + w · Σ_k KL(q_k ‖ p_k)           w: 0 → 1, the warm-up

    Sønderby et al. (NIPS 2016) for the warm-up. The trunk gets no gradient.
    """
    output = model.posterior(pair.clean, pair.degraded, pair.sigma_01, noise)
    values = output.residual.numel()
    log_sigma_obs = torch.full_like(output.residual, math.log(SIGMA_OBS))
    distortion = gaussian_nll_nats(output.residual - output.ladder.decoded, log_sigma_obs).mean()
    rates = [kl.sum() / values for kl in output.ladder.kl_nats]
    rate = torch.stack(rates).sum()
    log = {"neg_elbo_nats_per_value": distortion + rate, "distortion_nats_per_value": distortion}
    log["rate_nats_per_value"] = rate
    log |= {f"rung{k + 1}_kl_nats_per_dim": kl.mean() for k, kl in enumerate(output.ladder.kl_nats)}
    return Objective(distortion + kl_weight * rate, log)


def gaussian_nll_nats(error: Tensor, log_sigma: Tensor) -> Tensor:
    """-log N(error; 0, σ²) = ½ (error/σ)² + log σ + ½ log 2π, elementwise, in nats."""
    return 0.5 * (error * torch.exp(-log_sigma)).square() + log_sigma + 0.5 * LOG_2PI


OBJECTIVES: dict[str, Callable[[Restorer, Pair, Sequence[Tensor], float], Objective]] = {
    "mean": mean_objective,
    "posterior": posterior_objective,
}


def draw_noise(model: Restorer, size: torch.Size, generator: torch.Generator) -> list[Tensor]:
    """N(0, 1) for every noise input of the model, for pictures of `size` (B, 3, H, W)."""
    batch, _, height, width = size
    return [
        torch.randn(batch, channels, height // stride, width // stride, generator=generator)
        for channels, stride in model.noise_inputs
    ]
