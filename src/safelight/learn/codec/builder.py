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

NARROW = 511
"""The largest magnitude that convolutions read: more digits here would leave fewer for the weights."""
STREAM_BITS = 5
"""What blocks add to has so many binary digits more."""
STREAM_LIMIT = 2**17
LITTLE, MUCH = 127, 32767
"""The largest weights: of 8 bits, and of 16 bits."""
LOW_BITS = 5
FULL = 0.97 * EXACT
SMALLEST_RANGE = 1e-3


@dataclass(frozen=True)
class Value:
    """One value of a program on the pictures that are carried along."""

    name: str
    unit: Tensor
    """Of all channels, or (C,)."""
    limit: Tensor
    """The largest magnitude of the integers: of all channels, or (C,)."""
    real: Tensor
    """What the network of real numbers has here, (B, C, H, W)."""
    whole: Tensor
    """The integers, as float32."""


@dataclass
class Builder:
    """A program on its way, and the arrays of all its convolutions."""

    prefix: str
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
        return self.take(Value(name, unit, limit, real, whole), name)

    def take(self, value: Value, name: str) -> Value:
        """What another program gives, as an input of this one."""
        self.inputs[name] = tuple(int(limit) for limit in value.limit.flatten())
        return replace(value, name=name)

    def conv(
        self,
        x: Value,
        kernel: Tensor,
        bias: Tensor,
        name: str,
        *,
        unit: float | Tensor | None = None,
        relu: bool = False,
        limit: int = NARROW,
        largest_weight: int = LITTLE,
        stride: int = 1,
        padding: int = 0,
    ) -> Value:
        """A convolution of kernel (O, I, k, k), its rounding and its clamp. Without a unit: the finest that fits."""
        real = F.conv2d(x.real, kernel, bias, stride, padding)
        real = real.relu() if relu else real
        unit = torch.as_tensor(largest(real) / limit if unit is None else unit, dtype=torch.float64)
        in_units = kernel.double() * x.unit.expand(kernel.shape[1])[None, :, None, None]
        in_units = in_units / unit.expand(len(kernel))[:, None, None, None]
        offset = bias.double() / unit
        shift = _shift(in_units, offset, x.limit, largest_weight)
        weight = torch.round(in_units * 2.0 ** shift[:, None, None, None])
        sums = F.conv2d(x.whole, weight.float(), None, stride, padding) * 2.0 ** -_per_channel(shift).float()
        if not relu:  # the mean error of the sums, seen on the pictures
            error = real / _per_channel(unit) - sums - offset.view(1, -1, 1, 1)
            offset = offset + error.double().mean((0, 2, 3)).clamp(-1e6, 1e6)
        whole_bias = torch.round(offset * 2.0**shift) + torch.floor(2.0 ** (shift - 1))
        exact = F.conv2d(x.whole, weight.float(), whole_bias.float(), stride, padding)
        low = 0 if relu else -limit
        whole = torch.floor(exact * 2.0 ** -_per_channel(shift).float()).clamp(low, limit)
        weights, output = f"{self.prefix}.{name}", name
        self.arrays[f"{weights}.weight"] = weight.numpy().astype(np.int8 if largest_weight == LITTLE else np.int16)
        self.arrays[f"{weights}.bias"] = whole_bias.numpy().astype(np.int32)
        self.arrays[f"{weights}.shift"] = shift.numpy().astype(np.int8)
        op = Operation(
            "conv", (x.name,), output, weights=weights, stride=stride, padding=padding, low=low, high=limit
        )  # fmt: skip
        self.operations.append(op)
        return Value(output, unit, torch.tensor(limit), real, whole)

    def fine_linear(self, x: Value, kernel: Tensor, name: str, *, unit: float, limit: int) -> Value:
        """A convolution of kernel (O, I, 1, 1) whose weights have LOW_BITS more digits than one sum below 2^24 allows.

        With W = 2^LOW_BITS · high + low the result is (high * x + (low * x) / 2^LOW_BITS) / 2^s, rounded after each
        division.
        """
        in_units = kernel.double() * x.unit[None, :, None, None] / unit
        sums = (in_units.abs().sum((2, 3)) * x.limit).sum(1)
        shift = int(torch.floor(torch.log2(FULL / sums.max())))
        weight = torch.round(in_units * 2.0 ** (shift + LOW_BITS))
        high = torch.floor(weight * 2.0**-LOW_BITS + 0.5)
        parts = []
        for part, own, own_shift in (("high", high, 0), ("low", weight - high * 2**LOW_BITS, LOW_BITS)):
            weights, output = f"{self.prefix}.{name}_{part}", f"{name}_{part}"
            self.arrays[f"{weights}.weight"] = own.numpy().astype(np.int16 if part == "high" else np.int8)
            bias = torch.full((len(own),), float(1 << own_shift >> 1))
            self.arrays[f"{weights}.bias"] = bias.numpy().astype(np.int32)
            self.arrays[f"{weights}.shift"] = np.full(len(own), own_shift, np.int8)
            self.operations.append(Operation("conv", (x.name,), output, weights=weights))
            whole = torch.floor(F.conv2d(x.whole, own.float(), bias) * 2.0**-own_shift)
            parts.append(Value(output, x.unit, torch.tensor(EXACT // 2), x.real, whole))
        total = self.add(parts[0], parts[1], f"{name}_sum")
        self.operations.append(Operation("shift", (total.name,), name, shift=shift, low=-limit, high=limit))
        whole = torch.floor((total.whole + float(1 << shift >> 1)) * 2.0**-shift).clamp(-limit, limit)
        real = F.conv2d(x.real, kernel)
        return Value(name, torch.tensor(unit, dtype=torch.float64), torch.tensor(limit), real, whole)

    def layer(self, x: Value, conv: nn.Conv2d, name: str, **options: object) -> Value:
        """The same of a layer."""
        assert conv.bias is not None
        weight, bias, options = conv.weight.detach(), conv.bias.detach(), options | {"padding": conv.padding[0]}
        return self.conv(x, weight, bias, name, stride=conv.stride[0], **options)  # type: ignore[arg-type]

    def up(self, x: Value, conv: nn.ConvTranspose2d, name: str, **options: object) -> Value:
        """A transposed convolution of 2x2 with stride 2: a convolution of 1x1, then a shuffle."""
        assert conv.bias is not None
        kernel = conv.weight.detach().permute(1, 2, 3, 0).flatten(0, 2)[:, :, None, None]  # (O 2 2, I, 1, 1)
        flat = self.conv(x, kernel, conv.bias.detach().repeat_interleave(4), f"{name}_flat", **options)  # type: ignore[arg-type]
        return self.shuffle(flat, 2, name)

    def add(self, x: Value, y: Value, name: str) -> Value:
        """The sum of two values of one unit."""
        self.operations.append(Operation("add", (x.name, y.name), name))
        return Value(name, x.unit, x.limit + y.limit, x.real + y.real, x.whole + y.whole)

    def narrow(self, x: Value, name: str, relu: bool = False) -> Value:
        """A stream with fewer digits, for a convolution to read."""
        low, half = (0 if relu else -NARROW), 2.0 ** (STREAM_BITS - 1)
        whole = torch.floor((x.whole + half) * 2.0**-STREAM_BITS).clamp(low, NARROW)
        self.operations.append(Operation("shift", (x.name,), name, shift=STREAM_BITS, low=low, high=NARROW))
        return Value(name, x.unit * 2**STREAM_BITS, torch.tensor(NARROW), x.real.relu() if relu else x.real, whole)

    def shuffle(self, x: Value, factor: int, name: str) -> Value:
        """See `Operation`."""
        self.operations.append(Operation("shuffle", (x.name,), name, factor=factor))
        whole, real = (F.pixel_shuffle(t, factor) for t in (x.whole, x.real))
        return Value(name, x.unit, x.limit, real, whole)

    def block(self, x: Value, block: ResidualBlock, name: str) -> Value:
        """A residual block on a stream."""
        inner = self.layer(self.narrow(x, f"{name}_in"), block.conv1, f"{name}_conv1", relu=True)
        change = self.layer(inner, block.conv2, f"{name}_conv2", unit=x.unit, limit=STREAM_LIMIT)
        return self.add(x, change, name)


def stream_unit(*reals: Tensor) -> float:
    """Of a stream that takes such values."""
    unit: float = max(largest(real) for real in reals) / NARROW / 2**STREAM_BITS
    return unit


def largest(real: Tensor) -> float:
    """The largest magnitude, and never 0: what it divides would have no unit."""
    magnitude = float(real.abs().max())
    return max(magnitude, SMALLEST_RANGE)


def _per_channel(values: Tensor) -> Tensor:
    return values.view(1, -1, 1, 1)


def _shift(in_units: Tensor, offset: Tensor, limit: Tensor, largest_weight: int) -> Tensor:
    """(O,): with how many binary digits behind the point each kernel fits. Raises BundleError."""
    sums = (in_units.abs().sum((2, 3)) * limit).sum(1) + offset.abs() + 4
    largest = in_units.abs().amax((1, 2, 3)).clamp(min=1e-12)
    shift = torch.floor(torch.log2(torch.minimum(FULL / sums, largest_weight / largest))).clamp(max=20)
    if float(shift.min()) < 0:
        raise BundleError("a layer's weights are too large for exact integers; train with smaller ones")
    return shift
