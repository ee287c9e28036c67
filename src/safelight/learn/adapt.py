"""Weights for 8 bits: a copy of the trunk learns to say what the trunk says, although every convolution rounds.

Quantisation-aware training (Jacob et al., "Quantization and training of neural networks for efficient
integer-arithmetic-only inference", CVPR 2018, §3), with the float trunk as the teacher, so that a few hundred
steps are enough. Rounding is simulated; its gradient is 1 within the range and 0 beyond (the straight-through
estimator: Bengio, Léonard & Courville, 2013).
"""

import copy
from collections.abc import Collection, Iterator
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from safelight.ladder.layers import ResidualBlock, Up
from safelight.ladder.trunk import Trunk
from safelight.learn.data import RestorationPairs, loader

PERCENTILE = 99.99
"""Of activations; what lies beyond is clipped. 99.9 clips too much (docs/lab-notebook.md)."""
STEPS, BATCH, LEARNING_RATE = 300, 8, 1e-4
WATCHED_BATCHES = 6
EVERY = 5
"""Of how many activations one is watched."""
FLOOR = 0.1 / 255
"""Patches on which the copy is this close pull no harder."""
UNSIGNED, SIGNED = 255, 127

Range = tuple[float, float]
Place = tuple[str, str]
"""The name of a convolution, and "in" or "out"."""


class Adapted(NamedTuple):
    """What a graph in 8 bits needs to know; names as in `trunk.named_modules()`."""

    weights: dict[str, Tensor]
    """New kernels and biases of the convolutions."""
    ranges: dict[Place, Range]
    """What 8 bits span, before and after each convolution."""


def adapted(trunk: Trunk, pairs: RestorationPairs, eight_bits: Collection[str]) -> Adapted:
    """Learn kernels of the convolutions named in `eight_bits`: all but the head and the tail."""
    teacher = copy.deepcopy(trunk).eval().requires_grad_(False)
    student = copy.deepcopy(trunk).requires_grad_(False)
    convs = {name: student.get_submodule(name) for name in eight_bits}
    batches = iter(loader(pairs, 0, WATCHED_BATCHES + STEPS, BATCH, workers=0))
    ranges = _watch(student, convs, (next(batches).degraded for _ in range(WATCHED_BATCHES)))
    learned = {f"{n}.{part}": p.requires_grad_(True) for n, c in convs.items() for part, p in c.named_parameters()}
    simulate(student, ranges)
    optimiser = torch.optim.AdamW(learned.values(), lr=LEARNING_RATE, weight_decay=0.0)
    for step, pair in enumerate(batches):
        for group in optimiser.param_groups:
            group["lr"] = LEARNING_RATE * (1 - step / STEPS)
        y = pair.degraded.contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            wanted = teacher(y, pair.sigma_01).mean
        squares = (student(y, pair.sigma_01).mean - wanted).square().mean(dim=(1, 2, 3))
        optimiser.zero_grad()
        (squares + FLOOR**2).sqrt().mean().backward()
        optimiser.step()
    return Adapted({name: tensor.detach() for name, tensor in learned.items()}, ranges)


def simulate(trunk: Trunk, ranges: dict[Place, Range]) -> None:
    """Make `trunk` round as the graph will, kernels and activations.

    A tensor that a convolution reads is rounded for all who read it: residual additions and skips too.
    """
    modules = dict(trunk.named_modules())
    for name in {name for name, _ in ranges}:
        parametrize.register_parametrization(modules[name], "weight", _RoundedKernel())
        if not name.endswith("conv1"):  # a ReLU follows, and then the rounding of the next one's input
            modules[name].register_forward_hook(partial(_round_output, ranges[name, "out"]))
    for name, module in modules.items():
        if isinstance(module, ResidualBlock):
            module.register_forward_pre_hook(partial(_round_input, ranges[f"{name}.conv1", "in"]))
            module.conv2.register_forward_pre_hook(partial(_round_input, ranges[f"{name}.conv2", "in"]))
        if isinstance(module, Up):
            module.register_forward_pre_hook(partial(_round_input, ranges[f"{name}.conv", "in"]))
    for level in range(len(trunk.down)):
        trunk.encode[level].register_forward_hook(partial(_round_output, ranges[f"down.{level}", "in"]))


@torch.no_grad()
def _watch(trunk: Trunk, convs: dict[str, nn.Module], batches: Iterator[Tensor]) -> dict[Place, Range]:
    """What goes into and comes out of each convolution, without the outermost values."""
    seen: dict[Place, list[Tensor]] = {}

    def keep(name: str, conv: nn.Module, given: tuple[Tensor], result: Tensor) -> None:
        for side, values in (("in", given[0]), ("out", result)):
            seen.setdefault((name, side), []).append(values.flatten()[::EVERY].clone())

    hooks = [conv.register_forward_hook(partial(keep, name)) for name, conv in convs.items()]
    for y in batches:
        trunk(y, torch.full((len(y),), -1.0))
    for hook in hooks:
        hook.remove()
    return {place: _range(torch.cat(values)) for place, values in seen.items()}


def _range(values: Tensor) -> Range:
    """From a low to a high percentile; 0 is always within, since padding is exact."""
    beyond = max(1, round(len(values) * (1 - PERCENTILE / 100)))
    low, high = values.kthvalue(beyond).values, values.kthvalue(len(values) - beyond + 1).values
    return min(float(low), 0.0), max(float(high), 1e-6)


def _rounded(values: Tensor, between: Range) -> Tensor:
    """Activations in unsigned 8 bits over a range."""
    low, high = between
    step = (high - low) / UNSIGNED
    return torch.fake_quantize_per_tensor_affine(values, step, round(-low / step), 0, UNSIGNED)


def _round_input(between: Range, module: nn.Module, given: tuple[Tensor]) -> tuple[Tensor]:
    return (_rounded(given[0], between),)


def _round_output(between: Range, module: nn.Module, given: tuple[Tensor], result: Tensor) -> Tensor:
    return _rounded(result, between)


class _RoundedKernel(nn.Module):
    """Weights in signed 8 bits, a step for each output channel."""

    def forward(self, kernel: Tensor) -> Tensor:
        steps = kernel.detach().abs().amax(dim=(1, 2, 3)).clamp(min=1e-8) / SIGNED
        return torch.fake_quantize_per_channel_affine(kernel, steps, torch.zeros(len(steps)), 0, -SIGNED, SIGNED)
