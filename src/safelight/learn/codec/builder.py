"""From layers of real numbers to operations on integers.

A value of a program stands for real numbers: integer x unit. The builder carries both along on some pictures, so that
it knows the range of each value, chooses units by it, and takes the mean error of a layer out of its bias.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from safelight.coding.program import EXACT, Operation, Program
from safelight.errors import BundleError
from safelight.ladder.layers import ResidualBlock
from safelight.learn.codec.forms import FINE_LIMIT, LITTLE, MUCH, NARROW, RELU, STREAM_BITS, Form, Kernel, Value

REACH = 2.0
"""A channel may become so many times as large as on the pictures seen, but not larger than all channels were there."""
LOW_BITS = 5
TOO_LARGE = "a layer's weights are too large for exact integers; train with smaller ones"
FULL, SLACK = 0.97 * EXACT, 4
IDLE_SHARE = 0.9
"""Of the channels of a block, from which on the idle ones are left out."""
SMALLEST_RANGE = 1e-3
LARGEST_MEAN_ERROR = 1e6


@dataclass
class Builder:
    """A program on its way, and the arrays of all its convolutions."""

    prefix: str
    largest_weight: int = LITTLE
    """Of convolutions whose form does not say it."""
    inputs: dict[str, tuple[int, ...]] = field(default_factory=dict)
    operations: list[Operation] = field(default_factory=list)
    arrays: dict[str, NDArray[np.integer]] = field(default_factory=dict)

    def program(self, *outputs: Value) -> Program:
        """The whole."""
        return Program(dict(self.inputs), tuple(self.operations), tuple(value.name for value in outputs))

    def input(self, name: str, unit: float | Tensor, limit: int | Tensor, real: Tensor) -> Value:
        """What is given to the program."""
        unit, limit = torch.as_tensor(unit, dtype=torch.float64), torch.as_tensor(limit)
        bound = _per_channel(limit)
        whole = torch.round(real / _per_channel(unit)).clamp(-bound, bound).float()
        return self.take(Value(name, unit, limit, real=real, whole=whole), name)

    def take(self, value: Value, name: str) -> Value:
        """What another program gives, as an input of this one."""
        self.inputs[name] = tuple(int(limit) for limit in value.limit.flatten())
        return replace(value, name=name)

    def conv(self, x: Value, kernel: Kernel, name: str, form: Form) -> Value:
        """A convolution, its rounding and its clamp. Raises BundleError for weights that do not fit."""
        real = kernel.on(x.real)
        real = real.relu() if form.relu else real
        unit = self._finest_unit(kernel, x, form) if form.unit is None else form.unit
        ratio = x.unit.expand(kernel.weight.shape[1])[None, :] / unit.expand(len(kernel.weight))[:, None]
        in_units, offset = kernel.weight.double() * ratio[:, :, None, None], kernel.bias.double() / unit
        shift = _shift(in_units, offset, x.limit, self._largest_weight(form))
        weight = torch.round(in_units * 2.0 ** shift[:, None, None, None])
        down = 2.0 ** -_per_channel(shift).float()
        if not form.relu:  # the mean error of the sums, seen on the pictures
            sums = kernel.on(x.whole, weight.float(), torch.zeros(len(weight))) * down
            error = real / _per_channel(unit) - sums - _per_channel(offset)
            offset = offset + error.double().mean((0, 2, 3)).clamp(-LARGEST_MEAN_ERROR, LARGEST_MEAN_ERROR)
        bias = torch.round(offset * 2.0**shift) + torch.floor(2.0 ** (shift - 1))
        low = 0 if form.relu else -form.limit
        whole = torch.floor(kernel.on(x.whole, weight.float(), bias.float()) * down).clamp(low, form.limit)
        self._keep(name, weight, bias, shift)
        self.operations.append(
            Operation(
                kind="conv",
                inputs=(x.name,),
                output=name,
                weights=f"{self.prefix}.{name}",
                stride=kernel.stride,
                padding=kernel.padding,
                low=low,
                high=form.limit,
            )
        )
        return Value(name, unit, torch.tensor(form.limit), real=real, whole=whole)

    def _finest_unit(self, kernel: Kernel, x: Value, form: Form) -> Tensor:
        """(O,): the unit of each channel in which all values seen, all sums and all weights fit.

        Values seen say too little of a channel whose ReLU lets nothing through.
        """
        in_units = kernel.weight.double().abs() * x.unit.expand(kernel.weight.shape[1])[None, :, None, None]
        sums = (in_units.sum((2, 3)) * x.limit).sum(1) + kernel.bias.double().abs()
        of_weights = torch.maximum(sums / (FULL - SLACK), in_units.amax((1, 2, 3)) / self._largest_weight(form))
        return torch.maximum(_reach(kernel.on(x.real)) / form.limit, of_weights)

    def _largest_weight(self, form: Form) -> int:
        return form.largest_weight or self.largest_weight

    def fine_linear(self, x: Value, weight: Tensor, name: str, unit: float) -> Value:
        """A convolution of weight (O, I, 1, 1), with LOW_BITS more digits than one sum below 2^24 allows.

        With W = 2^LOW_BITS · high + low the result is (high * x + (low * x) / 2^LOW_BITS) / 2^s, rounded after each
        division. Raises BundleError for weights that do not fit.
        """
        in_units = weight.double() * x.unit[None, :, None, None] / unit
        sums = (in_units.abs().sum((2, 3)) * x.limit).sum(1)
        shift = int(torch.floor(torch.log2(FULL / sums.max())))
        if shift < 0:
            raise BundleError(TOO_LARGE)
        whole_weight = torch.round(in_units * 2.0 ** (shift + LOW_BITS))
        high = torch.floor(whole_weight * 2.0**-LOW_BITS + 0.5)
        large = self._part(x, high, f"{name}_high", shift=0)
        little = self._part(x, whole_weight - high * 2**LOW_BITS, f"{name}_low", shift=LOW_BITS)
        total = self.add(large, little, f"{name}_sum")
        limit = torch.tensor(FINE_LIMIT)
        op = Operation("shift", (total.name,), name, shift=shift, low=-FINE_LIMIT, high=FINE_LIMIT)
        self.operations.append(op)
        whole = torch.floor((total.whole + float(1 << shift >> 1)) * 2.0**-shift).clamp(-limit, limit)
        return Value(name, torch.tensor(unit).double(), limit, real=F.conv2d(x.real, weight), whole=whole)

    def _part(self, x: Value, weight: Tensor, name: str, shift: int) -> Value:
        """One sum of `fine_linear`; it has no real numbers of its own."""
        bias = torch.full((len(weight),), float(1 << shift >> 1))
        self._keep(name, weight, bias, torch.full((len(weight),), shift))
        self.operations.append(Operation("conv", (x.name,), name, weights=f"{self.prefix}.{name}"))
        whole = torch.floor(F.conv2d(x.whole, weight.float(), bias) * 2.0**-shift)
        return Value(name, x.unit, torch.tensor(EXACT // 2), real=x.real, whole=whole)

    def _keep(self, name: str, weight: Tensor, bias: Tensor, shift: Tensor) -> None:
        """The arrays of a convolution, in as few bytes as they fit."""
        largest_weight = int(weight.abs().max())
        if largest_weight > MUCH:
            raise BundleError(TOO_LARGE)
        small = largest_weight <= LITTLE
        numbers = {
            "weight": (weight, np.int8 if small else np.int16),
            "bias": (bias, np.int32),
            "shift": (shift, np.int8),
        }
        for part, (values, dtype) in numbers.items():
            self.arrays[f"{self.prefix}.{name}.{part}"] = values.numpy().astype(dtype)

    def up(self, x: Value, conv: nn.Module, name: str, form: Form) -> Value:
        """A transposed convolution of 2x2 with stride 2. The four positions of a channel have one unit."""
        kernel = Kernel.of_up(conv)
        unit = self._finest_unit(kernel, x, form).view(-1, 4).amax(1) if form.unit is None else form.unit
        form = replace(form, unit=unit.repeat_interleave(4))
        return self.shuffle(self.conv(x, kernel, f"{name}_flat", form), 2, name)

    def add(self, x: Value, y: Value, name: str) -> Value:
        """The sum of two values of one unit."""
        self.operations.append(Operation("add", (x.name, y.name), name))
        return Value(name, x.unit, x.limit + y.limit, real=x.real + y.real, whole=x.whole + y.whole)

    def narrow(self, x: Value, name: str, relu: bool = False) -> Value:
        """A stream with fewer digits, for a convolution to read."""
        low, half = (0 if relu else -NARROW), 2.0 ** (STREAM_BITS - 1)
        whole = torch.floor((x.whole + half) * 2.0**-STREAM_BITS).clamp(low, NARROW)
        self.operations.append(Operation("shift", (x.name,), name, shift=STREAM_BITS, low=low, high=NARROW))
        real = x.real.relu() if relu else x.real
        return Value(name, x.unit * 2**STREAM_BITS, torch.tensor(NARROW), real=real, whole=whole)

    def shuffle(self, x: Value, factor: int, name: str) -> Value:
        """See `Operation`."""
        self.operations.append(Operation("shuffle", (x.name,), name, factor=factor))
        whole, real = (F.pixel_shuffle(t, factor) for t in (x.whole, x.real))
        unit = x.unit[:: factor**2] if x.unit.ndim else x.unit
        return replace(x, name=name, unit=unit, real=real, whole=whole)

    def block(self, x: Value, block: nn.Module, name: str) -> Value:
        """A residual block on a stream."""
        assert isinstance(block, ResidualBlock)
        first, second = _without_idle(Kernel.of(block.conv1), Kernel.of(block.conv2), x.real)
        inner = self.conv(self.narrow(x, f"{name}_in"), first, f"{name}_conv1", RELU)
        return self.add(x, self.conv(inner, second, f"{name}_conv2", Form.stream(x.unit)), name)

    def blocks(self, x: Value, stage: nn.Module, name: str) -> Value:
        """Some of them."""
        for k, block in enumerate(stage.children()):
            x = self.block(x, block, f"{name}_block{k + 1}")
        return x


def _without_idle(first: Kernel, second: Kernel, real: Tensor) -> tuple[Kernel, Kernel]:
    """The two convolutions of a block, of which training has left almost no channel alive, with the living channels.

    A channel is idle if its ReLU lets nothing through on any of the pictures. Other blocks stay as they are, since a
    channel may be for rare pictures. One channel is kept in any case.
    """
    alive = first.on(real).amax((0, 2, 3)) > 0
    if (~alive).double().mean() < IDLE_SHARE:
        return first, second
    alive[0] |= not alive.any()
    return (
        replace(first, weight=first.weight[alive], bias=first.bias[alive]),
        replace(second, weight=second.weight[:, alive]),
    )


def stream_unit(*reals: Tensor) -> Tensor:
    """(C,): of a stream that takes such values, (B, C, H, W) each."""
    return torch.stack([_reach(real) for real in reals]).amax(0) / float(NARROW << STREAM_BITS)


def largest(real: Tensor) -> float:
    """The largest magnitude, and never 0: what it divides would have no unit."""
    return max(float(real.abs().max()), SMALLEST_RANGE)


def _reach(real: Tensor) -> Tensor:
    """(C,): up to which magnitude each channel of (B, C, H, W) gets integers, and never 0."""
    seen = real.abs().amax((0, 2, 3)).double()
    return (REACH * seen).clamp(max=seen.max()).clamp(min=SMALLEST_RANGE)


def _per_channel(values: Tensor) -> Tensor:
    return values.view(1, -1, 1, 1)


def _shift(in_units: Tensor, offset: Tensor, limit: Tensor, largest_weight: int) -> Tensor:
    """(O,): with how many binary digits behind the point each kernel fits. Raises BundleError."""
    sums = (in_units.abs().sum((2, 3)) * limit).sum(1) + offset.abs() + SLACK
    largest = in_units.abs().amax((1, 2, 3)).clamp(min=1e-12)
    shift = torch.floor(torch.log2(torch.minimum(FULL / sums, largest_weight / largest))).clamp(max=20)
    if float(shift.min()) < 0:
        raise BundleError(TOO_LARGE)
    return shift
