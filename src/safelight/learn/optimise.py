"""One optimiser step with its safeguards: cosine schedule, clipping, and skipping of outliers."""

import math

import torch
from torch import nn

from safelight.learn.checkpoint import Progress
from safelight.learn.muon import Muon, is_hidden_kernel
from safelight.learn.recipe import Schedule

CLIP_AT, SKIP_AT = 2.0, 10.0
"""Multiples of the running average of the gradient norm."""
NORM_MEMORY = 0.99
HOPELESS_AFTER = 200
WARMUP_SHARE = 0.05
"""Of a stage, at most: a short budget must not end in the warm-up."""
SETTLE_STEPS = 50
"""Nothing is skipped before the average means something."""


class HopelessError(Exception):
    """Nothing but outliers comes: the weights are lost."""


def build_optimiser(parameters: list[nn.Parameter], stage: Schedule) -> torch.optim.Optimizer:
    """AdamW (Loshchilov & Hutter, ICLR 2019), alone or beside Muon; weight decay on kernels only."""
    kernels = [p for p in parameters if is_hidden_kernel(p)] if stage.optimiser == "muon" else []
    rest = [p for p in parameters if all(p is not kernel for kernel in kernels)]
    groups = [
        {"params": [p for p in rest if p.ndim > 1], "weight_decay": stage.weight_decay},
        {"params": [p for p in rest if p.ndim <= 1], "weight_decay": 0.0},
    ]
    adamw = torch.optim.AdamW(groups, lr=stage.learning_rate, betas=(0.9, 0.99), fused=True)
    return Muon(kernels, adamw, stage.learning_rate, stage.weight_decay) if kernels else adamw


def learning_rate(stage: Schedule, step: int, share: float) -> float:
    """Linear warm-up, a plateau, then half a cosine down to `final_share` (Loshchilov & Hutter, ICLR 2017).

    At a step of the stage, when a share of it is done. The warm-up takes `warmup_steps`, or a twentieth of the stage if
    that is less.
    """
    warmup = min(1.0, max((step + 1) / max(1, stage.warmup_steps), share / WARMUP_SHARE))
    cosine = 0.5 * (1 + math.cos(math.pi * max(0.0, 1 - (1 - share) / stage.decay_share)))
    return stage.learning_rate * warmup * (stage.final_share + (1 - stage.final_share) * cosine)


def guarded_step(parameters: list[nn.Parameter], optimiser: torch.optim.Optimizer, progress: Progress) -> float:
    """Clip and apply the gradients, or drop them if they are outliers. Returns the norm before clipping.

    Clipping: Pascanu et al., ICML 2013. Skipping: Child, "Very deep VAEs", ICLR 2021, §4. Raises HopelessError when
    nothing but outliers comes.
    """
    average = progress.norm_average
    limit = CLIP_AT * average if average > 0 else float("inf")
    norm = float(nn.utils.clip_grad_norm_(parameters, limit))
    if math.isfinite(norm):
        progress.norm_average = norm if average == 0 else NORM_MEMORY * average + (1 - NORM_MEMORY) * min(norm, limit)
    if math.isfinite(norm) and (progress.step < SETTLE_STEPS or norm <= SKIP_AT * average):
        progress.skipped_in_a_row = 0
        optimiser.step()
        return norm
    progress.skipped += 1
    progress.skipped_in_a_row += 1
    if progress.skipped_in_a_row >= HOPELESS_AFTER:
        raise HopelessError(f"{HOPELESS_AFTER} steps in a row had gradients that were not finite or far too large")
    return norm
