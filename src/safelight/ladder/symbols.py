"""Latents as symbols: rounding with a gradient, and what a symbol costs."""

import math
from typing import Any

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


class _Bounded(torch.autograd.Function):
    """Clamp, with the gradient of what lies outside only where it leads back inside."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp(SMALLEST_LOG_SCALE, LARGEST_LOG_SCALE)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        is_dead = ((x < SMALLEST_LOG_SCALE) & (gradient > 0)) | ((x > LARGEST_LOG_SCALE) & (gradient < 0))
        return gradient.masked_fill(is_dead, 0)


def bound_log_scale(log_scale: Tensor) -> Tensor:
    """Within the tables. A scale that is too small can come back, and is not pushed farther away.

    A gradient that pushes farther, however small, makes training run away: Muon gives it the size of all others
    (notebook).
    """
    bounded: Tensor = _Bounded.apply(log_scale)  # type: ignore[no-untyped-call]
    return bounded


def logistic_bits(v: Tensor, log_scale: Tensor) -> Tensor:
    """-log2 of the mass that a logistic distribution about 0 has within half a step of v, elementwise.

    Far out the cost rises in proportion to |v|. A coder writes such symbols for less, as escapes; but the price of an
    escape hardly depends on v, and would hold nothing back.
    """
    v, per_scale = v.abs(), torch.exp(-log_scale)
    upper, lower = (0.5 - v) * per_scale, (-0.5 - v) * per_scale
    nats = log_sigmoid(upper) + log_sigmoid(-lower) + torch.log(-torch.expm1(-per_scale))
    return -nats / math.log(2)
