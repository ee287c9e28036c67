"""The classifier of all arms: a small residual CNN with about 200,000 parameters."""

import itertools

import torch.nn.functional as F
from torch import Tensor, nn

WIDTHS = {32: (32, 64, 96), 64: (24, 48, 96, 96), 128: (16, 32, 64, 96, 96)}
"""Side of the picture up to which → channels of scales that halve it each."""
LARGEST = (16, 32, 64, 96, 96, 96)


class SmallCnn(nn.Module):
    """(B, C, H, W) in [0, 1] → logits (B, classes). Batch normalisation, ReLU, mean over positions, dropout."""

    def __init__(self, channels: int, classes: int, side_px: int) -> None:
        super().__init__()
        widths = next((widths for side, widths in WIDTHS.items() if side_px <= side), LARGEST)
        pairs = list(itertools.pairwise([channels, *widths]))
        self.down = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1, bias=False) for a, b in pairs)
        self.first = nn.ModuleList(nn.BatchNorm2d(b) for _, b in pairs)
        self.after = nn.ModuleList(nn.Conv2d(b, b, 3, padding=1, bias=False) for _, b in pairs)
        self.second = nn.ModuleList(nn.BatchNorm2d(b) for _, b in pairs)
        self.tail = nn.Linear(widths[-1], classes)

    def features(self, x: Tensor) -> Tensor:
        """(B, width): what is seen, averaged over positions."""
        h = 2 * x - 1
        for down, first, after, second in zip(self.down, self.first, self.after, self.second, strict=True):
            h = F.relu(first(down(h)))
            h = F.relu(h + second(after(h)))
        return h.mean(dim=(2, 3))

    def classify(self, features: Tensor) -> Tensor:
        """(B, width) → logits (B, classes)."""
        logits: Tensor = self.tail(F.dropout(features, 0.2, self.training))
        return logits

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(self.features(x))
