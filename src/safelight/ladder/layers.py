"""The few layers that everything is built of: plain 3x3 residual blocks between scales.

No normalisation over space and no attention over space: global statistics would make the tiles of one picture disagree.
"""

from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_Layer = TypeVar("_Layer", nn.Conv2d, nn.ConvTranspose2d, nn.Linear)


class ResidualBlock(nn.Module):
    """h + conv(relu(conv(h))); starts near the identity, since the second convolution starts small."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        with torch.no_grad():
            self.conv2.weight.mul_(0.1)

    def forward(self, h: Tensor) -> Tensor:
        change: Tensor = self.conv2(F.relu(self.conv1(h)))
        return h + change


def blocks(width: int, count: int) -> nn.Sequential:
    """`count` residual blocks of one width."""
    return nn.Sequential(*(ResidualBlock(width) for _ in range(count)))


def down(width_in: int, width_out: int) -> nn.Conv2d:
    """(B, width_in, H, W) → (B, width_out, H/2, W/2); each output sees its own 2x2 cell only."""
    return nn.Conv2d(width_in, width_out, 2, stride=2)


def up(width_in: int, width_out: int) -> nn.ConvTranspose2d:
    """(B, width_in, H, W) → (B, width_out, 2H, 2W), the mirror of `down`."""
    return nn.ConvTranspose2d(width_in, width_out, 2, stride=2)


def zero_init(layer: _Layer) -> _Layer:
    """The same convolution or matrix, with weights of 0: its output is 0 until it is trained."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def bounded(x: Tensor, limit: float) -> Tensor:
    """X where |x| is small, smoothly never beyond ±limit; for log-scales."""
    return limit * torch.tanh(x / limit)


def unreduced(x: Tensor) -> Tensor:
    """Leaves bfloat16, in which layers may compute but likelihoods must not; other types stay."""
    return x.float() if x.dtype == torch.bfloat16 else x
