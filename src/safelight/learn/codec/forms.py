"""Values, convolutions and roundings, as `builder.py` puts them together."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NARROW = 1023
"""The largest magnitude that convolutions read: more digits here would leave fewer for the weights."""
STREAM_BITS = 5
"""What blocks add to has so many binary digits more."""
STREAM_LIMIT, FINE_LIMIT = 2**17, 2**21
LITTLE, MUCH = 127, 32767
"""The largest weights: of 8 bits, and of 16 bits."""


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


@dataclass(frozen=True)
class Kernel:
    """A convolution of real numbers."""

    weight: Tensor
    """(O, I, k, k)"""
    bias: Tensor
    """(O,)"""
    stride: int = 1
    padding: int = 0

    @staticmethod
    def of(conv: nn.Module) -> "Kernel":
        """Of a layer."""
        assert isinstance(conv, nn.Conv2d) and conv.bias is not None and isinstance(conv.padding[0], int)
        return Kernel(conv.weight.detach(), conv.bias.detach(), stride=conv.stride[0], padding=conv.padding[0])

    @staticmethod
    def of_up(conv: nn.Module) -> "Kernel":
        """Of a transposed convolution of 2x2 with stride 2: one of 1x1, after which comes a shuffle by 2."""
        assert isinstance(conv, nn.ConvTranspose2d) and conv.bias is not None
        weight = conv.weight.detach().permute(1, 2, 3, 0).flatten(0, 2)[:, :, None, None]  # (O 2 2, I, 1, 1)
        return Kernel(weight, conv.bias.detach().repeat_interleave(4))

    def on(self, x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
        """The convolution; with other numbers of equal shapes, if they are given."""
        weight, bias = self.weight if weight is None else weight, self.bias if bias is None else bias
        return F.conv2d(x, weight, bias, stride=self.stride, padding=self.padding)


@dataclass(frozen=True)
class Form:
    """What a convolution gives."""

    unit: Tensor | None = None
    """Of all channels, or (C,). None: the finest in which all values seen are within the limit."""
    relu: bool = False
    limit: int = NARROW
    largest_weight: int | None = None
    """None: the program's."""

    @staticmethod
    def stream(unit: Tensor) -> "Form":
        """What blocks add to."""
        return Form(unit.double(), limit=STREAM_LIMIT)

    @staticmethod
    def fine(unit: float | Tensor) -> "Form":
        """What no convolution reads, with as many digits as there are."""
        return Form(torch.as_tensor(unit).double(), limit=FINE_LIMIT, largest_weight=MUCH)


RELU = Form(relu=True)
