"""A critic of patches, for those who want sharper pictures than a likelihood asks for.

    critic    max(0, 1 - D(x)) + max(0, 1 + D(x̂))             (hinge: Lim & Ye, "Geometric GAN", 2017)
    decoder   -D(x̂)                                            added to the negative ELBO

VAE-GAN: Larsen et al., ICML 2016; patches: Isola et al., CVPR 2017; spectral normalisation: Miyato et al., ICLR 2018.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm


class Verdict(NamedTuple):
    """What a critic says of a batch and of its imitation, scalars."""

    critic_loss: Tensor
    """Moves the critic only."""
    decoder_loss: Tensor
    """Moves the imitation only."""


class Critic(nn.Module):
    """(B, C, H, W) → (B, 1, H/4, W/4): how real each patch looks."""

    def __init__(self, channels: int, width: int = 32) -> None:
        super().__init__()
        sizes = ((channels, width, 2), (width, 2 * width, 2), (2 * width, 2 * width, 1))
        self.layers = nn.ModuleList(spectral_norm(nn.Conv2d(a, b, 3, stride=s, padding=1)) for a, b, s in sizes)
        self.tail = spectral_norm(nn.Conv2d(2 * width, 1, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        h = 2 * x - 1
        for layer in self.layers:
            h = F.leaky_relu(layer(h), 0.2)
        score: Tensor = self.tail(h)
        return score

    def judge(self, x: Tensor, imitation: Tensor) -> Verdict:
        """Both losses in one pass each; neither leaks into what it must not move."""
        critic_loss = F.relu(1 - self(x)).mean() + F.relu(1 + self(imitation.detach())).mean()
        frozen = {name: tensor.detach() for name, tensor in (*self.named_parameters(), *self.named_buffers())}
        fooled: Tensor = torch.func.functional_call(self, frozen, (imitation,))
        return Verdict(critic_loss, -fooled.mean())
