"""Weights for 8 bits: a copy of the trunk learns to say what the trunk says, although every convolution rounds.

Quantisation-aware training (Jacob et al., "Quantization and training of neural networks for efficient
integer-arithmetic-only inference", CVPR 2018, §3), with the float trunk as the teacher, so that minutes are
enough. Rounding is simulated where the graph will round; its gradient is 1 within the range and 0 beyond (the
straight-through estimator: Bengio, Léonard & Courville, 2013). The steps of the activations are learned, too.
"""

import copy
from collections.abc import Collection, Iterator
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from safelight.ladder.layers import ResidualBlock, Up
from safelight.ladder.trunk import Trunk
from safelight.learn.data import RestorationPairs, loader

PERCENTILE = 99.99
"""Of activations, where their ranges begin; what lies beyond is clipped."""
STEPS, BATCH, LEARNING_RATE = 1000, 8, 2e-4
STEPS_LEARN_FASTER = 10
WATCHED_BATCHES = 6
EVERY = 5
"""Of how many activations one is watched."""
FLOOR = 0.1 / 255
"""Patches on which the copy is this close pull no harder."""
UNSIGNED, SIGNED = 255, 127

Range = tuple[float, float]
Place = tuple[str, str]
"""The name of a convolution, and "in" or "out"."""


class Rounding(nn.Module):
    """Activations in unsigned 8 bits, with a step that is learned (Esser et al., "Learned step size quantization",
    ICLR 2020): x → s (clamp(round(x / s), -z, 255 - z)), z being the byte that means 0.
    """

    def __init__(self, values: Tensor) -> None:
        super().__init__()
        low, high = percentiles(values)
        self.zero = round(-low / (high - low) * UNSIGNED)
        self.log_step = nn.Parameter(torch.tensor((high - low) / UNSIGNED).log())

    def forward(self, x: Tensor) -> Tensor:
        step = self.log_step.exp()
        scaled = (x / step).clamp(-self.zero, UNSIGNED - self.zero)
        return step * (scaled + (scaled.round() - scaled).detach())

    @property
    def range(self) -> Range:
        """The lowest and the highest value that there is a byte for."""
        step = self.log_step.exp().item()
        return -self.zero * step, (UNSIGNED - self.zero) * step


class Adapted(NamedTuple):
    """What a graph in 8 bits needs to know; names as in `trunk.named_modules()`."""

    weights: dict[str, Tensor]
    """New kernels and biases of the convolutions."""
    roundings: dict[Place, Rounding]
    """Before and after each convolution; places that share a tensor share one."""


def adapted(trunk: Trunk, pairs: RestorationPairs, eight_bits: Collection[str]) -> Adapted:
    """Learn kernels of the convolutions named in `eight_bits`: all but the head and the tail."""
    teacher = copy.deepcopy(trunk).eval().requires_grad_(False)
    student = copy.deepcopy(trunk).requires_grad_(False)
    convs = {name: student.get_submodule(name) for name in eight_bits}
    batches = iter(loader(pairs, 0, WATCHED_BATCHES + STEPS, BATCH, workers=0))
    roundings = _watch(student, convs, (next(batches).degraded for _ in range(WATCHED_BATCHES)))
    learned = {f"{n}.{part}": p.requires_grad_(True) for n, c in convs.items() for part, p in c.named_parameters()}
    simulate(student, roundings)
    steps = list(nn.ModuleList(roundings.values()).parameters())
    groups: list[dict[str, Any]] = [
        {"params": list(learned.values())},
        {"params": steps, "lr": STEPS_LEARN_FASTER * LEARNING_RATE},
    ]
    optimiser = torch.optim.AdamW(groups, lr=LEARNING_RATE, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, total_iters=STEPS)
    for pair in batches:
        y = pair.degraded.contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            wanted = teacher(y, pair.sigma_01).mean
        squares = (student(y, pair.sigma_01).mean - wanted).square().mean(dim=(1, 2, 3))
        optimiser.zero_grad()
        (squares + FLOOR**2).sqrt().mean().backward()
        optimiser.step()
        schedule.step()
    return Adapted({name: tensor.detach() for name, tensor in learned.items()}, roundings)


def simulate(trunk: Trunk, roundings: dict[Place, Rounding]) -> None:
    """Make `trunk` round as the graph will, kernels and activations.

    A tensor that a convolution reads is rounded for all who read it: residual additions and skips too.
    """
    modules = dict(trunk.named_modules())
    for name in {name for name, _ in roundings}:
        parametrize.register_parametrization(modules[name], "weight", _RoundedKernel())
        if not name.endswith("conv1"):  # a ReLU follows, and then the rounding of the next one's input
            modules[name].register_forward_hook(partial(_round_output, roundings[name, "out"]))
    for name, module in modules.items():
        if isinstance(module, ResidualBlock):
            module.register_forward_pre_hook(partial(_round_input, roundings[f"{name}.conv1", "in"]))
            module.conv2.register_forward_pre_hook(partial(_round_input, roundings[f"{name}.conv2", "in"]))
        if isinstance(module, Up):
            module.register_forward_pre_hook(partial(_round_input, roundings[f"{name}.conv", "in"]))
    for level in range(len(trunk.down)):
        trunk.encode[level].register_forward_hook(partial(_round_output, roundings[f"down.{level}", "in"]))


@torch.no_grad()
def _watch(trunk: Trunk, convs: dict[str, nn.Module], batches: Iterator[Tensor]) -> dict[Place, Rounding]:
    """A rounding for everything that goes into or comes out of one of the convolutions."""
    passing: list[tuple[Place, Tensor]] = []

    def keep(name: str, conv: nn.Module, given: tuple[Tensor], result: Tensor) -> None:
        passing.extend([((name, "in"), given[0]), ((name, "out"), result)])

    seen: dict[int, list[Tensor]] = {}
    owner: dict[Place, int] = {}
    hooks = [conv.register_forward_hook(partial(keep, name)) for name, conv in convs.items()]
    for y in batches:
        passing.clear()
        trunk(y, torch.full((len(y),), -1.0))
        first: dict[int, int] = {}  # tensors live as long as `passing`, so their ids are their own
        for position, (place, values) in enumerate(passing):
            owner[place] = first.setdefault(id(values), position)
            if owner[place] == position:
                seen.setdefault(position, []).append(values.flatten()[::EVERY].clone())
    for hook in hooks:
        hook.remove()
    roundings = {position: Rounding(torch.cat(values)) for position, values in seen.items()}
    return {place: roundings[position] for place, position in owner.items()}


def percentiles(values: Tensor) -> Range:
    """From a low to a high percentile; 0 is always within, since padding is exact."""
    beyond = max(1, round(len(values) * (1 - PERCENTILE / 100)))
    low, high = values.kthvalue(beyond).values, values.kthvalue(len(values) - beyond + 1).values
    return min(float(low), 0.0), max(float(high), 1e-6)


def _round_input(rounding: Rounding, module: nn.Module, given: tuple[Tensor]) -> tuple[Tensor]:
    return (rounding(given[0]),)


def _round_output(rounding: Rounding, module: nn.Module, given: tuple[Tensor], result: Tensor) -> Tensor:
    rounded: Tensor = rounding(result)
    return rounded


class _RoundedKernel(nn.Module):
    """Weights in signed 8 bits, a step for each output channel."""

    def forward(self, kernel: Tensor) -> Tensor:
        steps = kernel.detach().abs().amax(dim=(1, 2, 3)).clamp(min=1e-8) / SIGNED
        return torch.fake_quantize_per_channel_affine(kernel, steps, torch.zeros(len(steps)), 0, -SIGNED, SIGNED)
