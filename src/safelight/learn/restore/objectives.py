"""What is minimised, equation first.

Both objectives return the loss and the numbers to log. Units are in the names.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from safelight.ladder.likelihoods import gaussian_nll_nats
from safelight.ladder.restorer import SIGMA_OBS, RestorerNet
from safelight.learn.restore.data import Pair
from safelight.learn.task import Group, averaged

RMSE_FLOOR = 0.5 / 255
"""Patches that are this good already pull no harder; keeps the root differentiable at 0."""


class Objective(NamedTuple):
    """A loss to go down, and what to tell about it."""

    loss: Tensor
    log: dict[str, Tensor]


class Terms(NamedTuple):
    """What a stage says of its objective at one step."""

    loss: str
    """Of a mean stage: "l1" or "rmse"."""
    noise: Sequence[Tensor]
    """Of a posterior stage: N(0, 1), as `RestorerNet.noise_inputs` says."""
    kl_weight: float
    free_nats: Sequence[float]
    """λ of each rung, fine to coarse, in nats per latent dimension."""
    group: Group = Group()
    """Free bits are of the whole batch."""


def mean_objective(model: RestorerNet, pair: Pair, terms: Terms) -> Objective:
    """The mean's error + the scale's negative log-likelihood, which bends the scale head only.

    L = error(x - m(y)) + 0.1 nll(x - m, s)

    l1     mean |x - m|, robust while much is still wrong (Zhao et al., "Loss functions for image restoration", 2017)
    rmse   the root mean square of each patch, averaged: quadratic within a patch, as PSNR is, and yet hard
           degradations weigh no more than their standard deviation
    """
    output = model(pair.degraded, pair.sigma_01)
    residual = pair.clean - output.mean
    squares = residual.square().mean(dim=(1, 2, 3))
    error = residual.abs().mean() if terms.loss == "l1" else (squares + RMSE_FLOOR**2).sqrt().mean()
    nll = gaussian_nll_nats(residual.detach(), output.log_scale).mean()
    return Objective(error + 0.1 * nll, {terms.loss: error, "scale_nll_nats": nll, "mse": squares.mean()})


def posterior_objective(model: RestorerNet, pair: Pair, terms: Terms) -> Objective:
    """The negative ELBO of the standardised residual u = (x - m) / s, in nats per pixel value.

    -ELBO = E_q[-log N(u; decoded(z), σ_obs²)] + w · Σ_k max(λ_k, KL(q_k ‖ p_k))           w: 0 → 1, the warm-up

    Sønderby et al. (NIPS 2016) for the warm-up; λ_k are free bits (Kingma et al., NIPS 2016, §C.8), the rate below
    which a rung costs nothing, so that it does not collapse. The trunk gets no gradient.
    """
    output = model.posterior(pair.clean, pair.degraded, pair.sigma_01, terms.noise)
    values = output.residual.numel()
    log_sigma_obs = torch.full_like(output.residual, math.log(SIGMA_OBS))
    distortion = gaussian_nll_nats(output.residual - output.ladder.decoded, log_sigma_obs).mean()
    rates = [kl.sum() / values for kl in output.ladder.kl_nats]
    rate = torch.stack(rates).sum()
    log = {"neg_elbo_nats_per_value": distortion + rate, "distortion_nats_per_value": distortion}
    log["rate_nats_per_value"] = rate
    log |= {f"rung{k + 1}_kl_nats_per_dim": kl.mean() for k, kl in enumerate(output.ladder.kl_nats)}
    floors = [nats * kl.numel() / values for nats, kl in zip(terms.free_nats, output.ladder.kl_nats, strict=True)]
    of_rungs, free = torch.stack(rates), torch.tensor(floors)
    paid = torch.where(averaged(of_rungs, terms.group) > free, of_rungs, free).sum()
    return Objective(distortion + terms.kl_weight * paid, log)


OBJECTIVES: dict[str, Callable[[RestorerNet, Pair, Terms], Objective]] = {
    "mean": mean_objective,
    "posterior": posterior_objective,
}


def draw_noise(model: RestorerNet, size: torch.Size, generator: torch.Generator) -> list[Tensor]:
    """N(0, 1) for every noise input of the model, for pictures of `size` (B, 3, H, W)."""
    batch, _, height, width = size
    return [
        torch.randn(batch, channels, height // stride, width // stride, generator=generator)
        for channels, stride in model.noise_inputs
    ]
