"""Latents as symbols: rounding with a gradient, and what a symbol costs."""

import math

import torch
from torch import Tensor

from safelight.coding.tables import LARGEST, SMALLEST
from safelight.ladder.likelihoods import log_sigmoid

SMALLEST_LOG_SCALE, LARGEST_LOG_SCALE = math.log(SMALLEST), math.log(LARGEST)


def parity_masks(y: Tensor) -> tuple[Tensor, Tensor]:
    """Two checkerboards of (1, 1, H, W): the one that is decoded first has the upper left corner."""
    rows, columns = torch.arange(y.shape[2], device=y.device), torch.arange(y.shape[3], device=y.device)
    odd = ((rows[:, None] + columns[None, :]) % 2).to(y.dtype)[None, None]
    return 1 - odd, odd


def rounded(v: Tensor) -> Tensor:
    """Nearest integers, with the gradient of the identity."""
    return v + (v.round() - v).detach()


def noisy(v: Tensor, generator: torch.Generator | None) -> Tensor:
    """Uniform noise of width 1 instead of rounding, for rates with a gradient; rounding without a generator."""
    if generator is None:
        return v.round()
    return v + torch.rand(v.shape, generator=generator) - 0.5


def bound_log_scale(log_scale: Tensor) -> Tensor:
    """Within the tables. Below, the gradient lives on, so that a scale can come back."""
    bounded = log_scale.clamp(SMALLEST_LOG_SCALE, LARGEST_LOG_SCALE)
    return bounded.detach() + 0.1 * (log_scale - log_scale.detach()) + 0.9 * (bounded - bounded.detach())


def logistic_bits(v: Tensor, log_scale: Tensor) -> Tensor:
    """-log2 of the mass that a logistic distribution about 0 has within half a step of v, elementwise.

    Far out the cost rises in proportion to |v|. A coder writes such symbols for less, as escapes; but with the price of
    an escape nothing holds latents back, and training runs away (notebook).
    """
    v, per_scale = v.abs(), torch.exp(-log_scale)
    upper, lower = (0.5 - v) * per_scale, (-0.5 - v) * per_scale
    nats = log_sigmoid(upper) + log_sigmoid(-lower) + torch.log(-torch.expm1(-per_scale))
    return -nats / math.log(2)
