"""The scale: how large the error of the mean will be, pixel by pixel.

It sees the trunk's finest features and what the trunk removed, and bends neither. Only those who ask for
an uncertainty or a sample pay for it.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from safelight.ladder.layers import bounded, unreduced, zero_init

CENTRE = -3.5
"""exp(-3.5) = 0.03 = 7.7/255: a typical residual, so that training starts where it will end."""
REACH = 4.0
"""Scales stay within exp(±4) of the centre: 0.14/255 to 1.6."""
GAIN = 10.0
"""Brings what was removed, hundredths to tenths, to the size of features."""


class Scale(nn.Module):
    """Features, what was removed → log s(y): a Gaussian's standard deviation for x - m, before calibration."""

    reach_px = 2 * 2
    """Beyond the features and the mean: two convolutions at stride 2."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(width + 4 * 3, width, 3, padding=1)
        self.tail = zero_init(nn.Conv2d(width, 4 * 3, 3, padding=1))

    def forward(self, features: Tensor, removed: Tensor) -> Tensor:
        """(B, width, H/2, W/2) and y - m, (B, 3, H, W) → (B, 3, H, W)."""
        evidence = torch.cat([features.detach(), GAIN * F.pixel_unshuffle(removed.detach(), 2)], dim=1)
        raw = unreduced(F.pixel_shuffle(self.tail(F.relu(self.mix(evidence))), 2))
        return CENTRE + bounded(raw, REACH)
