"""The detail that a VAE's mean leaves out of a picture, drawn by a flow: grain, edges, hairs.

    x = m + s x_1                       x: a picture; m: the mean of p(x | z); s: the spread of each channel's detail
    x_t = (1 - t) x_0 + t x_1           x_0 ~ N(0, I), one number for each value of the picture
    v(x_t, m, t)                        is trained to be x_1 - x_0: the mean of ‖v - (x_1 - x_0)‖² is minimised
    dx/dt = v(x, m, t)                  from t = 0 to t = 1 leads from noise to a detail that fits m

The network is small, of convolutions at two scales, since detail is a matter of neighbours:

    x_t, m ──► 1/2: blocks ─────────────────► + ──► blocks ──► v
                     │                        ▲
                     └──► 1/4: blocks ────────┘

Pandey, Mukherjee, Rai & Kumar, "DiffuseVAE", TMLR 2022 (a VAE's picture is the condition of a second model); Lipman et
al., "Flow matching for generative modeling", ICLR 2023. The path is that of `ladder.prior`.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from safelight.ladder.layers import unreduced, zero_init
from safelight.ladder.prior import FREQUENCIES, waves

CELL = 4
"""Pixels along a cell of the coarser scale."""
TIME_WIDTH = 64
SMALLEST_SCALE, SMALLEST_SQUARE = 1e-3, 1e-6


class DetailFlow(nn.Module):
    """Of pictures of so many channels and any size; `width` is that of the finer scale."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.channels = channels
        self.scale = nn.Parameter(torch.ones(1, channels, 1, 1), requires_grad=False)
        self.of_time = nn.Sequential(
            nn.Linear(2 * FREQUENCIES, TIME_WIDTH), nn.SiLU(), nn.Linear(TIME_WIDTH, TIME_WIDTH), nn.SiLU()
        )
        self.head = nn.Conv2d(8 * channels, width, 3, padding=1)
        self.before = nn.ModuleList(DetailBlock(width) for _ in range(2))
        self.down = nn.Conv2d(width, 2 * width, 2, stride=2)
        self.coarse = nn.ModuleList(DetailBlock(2 * width) for _ in range(3))
        self.up = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.after = nn.ModuleList(DetailBlock(width) for _ in range(2))
        self.tail = zero_init(nn.Conv2d(width, 4 * channels, 3, padding=1))

    @property
    def spread(self) -> tuple[float, ...]:
        """The scale, channel by channel."""
        return tuple(self.scale.flatten().tolist())

    def learn(self) -> None:
        """Make all weights trainable; the scale is not."""
        self.requires_grad_(True)
        self.scale.requires_grad_(False)

    @torch.no_grad()
    def fit_scale(self, squared: Tensor) -> None:
        """Take the mean squared detail of each channel, (C,), for its scale."""
        self.scale.copy_(squared.sqrt().clamp(min=SMALLEST_SCALE).view(1, -1, 1, 1))

    def to_units(self, x: Tensor, mean: Tensor) -> Tensor:
        """Pictures and their means, (B, C, H, W) in [0, 1] → what the flow ends at."""
        return (x - mean) / self.scale

    def added(self, mean: Tensor, flow: Tensor) -> Tensor:
        """The inverse of `to_units`, within [0, 1]."""
        return (mean + self.scale * flow).clamp(0, 1)

    def forward(self, x: Tensor, mean: Tensor, time: Tensor) -> Tensor:
        """The velocity, as `x`: (B, C, H, W). `mean` likewise, in [0, 1]; `time` (B,) in [0, 1]."""
        height, width = x.shape[2:]
        filled = F.pad(torch.cat([x, 4 * mean - 2], dim=1), (0, -width % CELL, 0, -height % CELL))
        about = self.of_time(waves(time))
        h = self.head(F.pixel_unshuffle(filled, 2))
        for block in self.before:
            h = block(h, about)
        coarse = self.down(h)
        for block in self.coarse:
            coarse = block(coarse, about)
        h = h + self.up(coarse)
        for block in self.after:
            h = block(h, about)
        return unreduced(F.pixel_shuffle(self.tail(h), 2))[:, :, :height, :width]


class DetailBlock(nn.Module):
    """h + conv(silu(scaled and shifted conv(h))): scale and shift depend on the time. As built it changes nothing."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.of_time = nn.Linear(TIME_WIDTH, 2 * width)
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = zero_init(nn.Conv2d(width, width, 3, padding=1))

    def forward(self, h: Tensor, about: Tensor) -> Tensor:
        scale, shift = self.of_time(about)[:, :, None, None].chunk(2, dim=1)
        size = torch.sqrt(h.square().mean(dim=1, keepdim=True) + SMALLEST_SQUARE)  # of each place: no space is mixed
        changed: Tensor = h + self.conv2(F.silu(self.conv1(h / size) * (1 + scale) + shift))
        return changed
