"""A ladder VAE of a set of pictures, alone or by class.

    label ──► context: learned features of every scale, the coarsest with places
                 │
    x ──► ladder ▼ (bottom-up, rungs, top-down) ──► decoded ──► head ──► p(x | z)

The same ladder and rungs as in restoration (ladder.py); what the degraded picture's features are there, the
context is here. Kingma & Welling, ICLR 2014; Sønderby et al., NIPS 2016.

    ELBO      = E_q[log p(x | z)] - Σ_k KL(q_k ‖ p_k)                      ≤ log p(x)
    IWAE_K    = E[log 1/K Σ_i p(x | z_i) p(z_i) / q(z_i)]                  ELBO ≤ IWAE_K ≤ log p(x), tight for K → ∞

(Burda, Grosse & Salakhutdinov, "Importance weighted autoencoders", ICLR 2016.)
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from safelight.ladder.ladder import Ladder, RungSpec
from safelight.ladder.likelihoods import HEADS, Likelihood


class VaeOutput(NamedTuple):
    """One pass with x at hand."""

    likelihood: Likelihood
    kl_nats: tuple[Tensor, ...]
    """Of every rung, fine to coarse, (B, latents, h, w)."""
    log_ratio_nats: tuple[Tensor, ...]
    """log p(z) - log q(z) of the draw, likewise."""
    latents: tuple[Tensor, ...]
    """What was drawn, in units of the prior, likewise."""
    stds: tuple[Tensor, ...]
    """The posterior's standard deviations, in the same units."""

    def elbo_nats(self, x: Tensor) -> Tensor:
        """(B,): one draw's estimate of the evidence lower bound, summed over a picture."""
        return _summed(self.likelihood.log_prob(x)) - sum(_summed(kl) for kl in self.kl_nats if kl.shape[1])

    def log_weight_nats(self, x: Tensor) -> Tensor:
        """(B,): log p(x | z) p(z) / q(z), whose exponential averages to p(x)."""
        return _summed(self.likelihood.log_prob(x)) + sum(
            _summed(ratio) for ratio in self.log_ratio_nats if ratio.shape[1]
        )


def importance_weighted_nats(log_weights: Tensor) -> Tensor:
    """(K, B) → (B,): the importance-weighted bound of K draws."""
    return torch.logsumexp(log_weights, dim=0) - math.log(len(log_weights))


class Context(nn.Module):
    """What the rungs stand on when no picture is given."""

    def __init__(self, widths: Sequence[int], size_px: tuple[int, int], classes: int) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.cells = tuple((size_px[0] >> k, size_px[1] >> k) for k in range(1, len(widths) + 1))
        self.places = nn.Parameter(0.1 * torch.randn(1, widths[-1], *self.cells[-1]))
        self.of_class = nn.Embedding(classes, sum(widths)) if classes else None

    def forward(self, batch: int, labels: Tensor | None) -> list[Tensor]:
        """(B, widths[k], H/2^(k+1), W/2^(k+1)) for every scale; `labels` (B,) if there are classes, and only then.

        Raises ValueError otherwise.
        """
        if (self.of_class is None) != (labels is None):
            raise ValueError("labels are for models with classes, which need them")
        if self.of_class is None or labels is None:
            features = [self.places.new_zeros(batch, w, *c) for w, c in zip(self.widths, self.cells, strict=True)]
        else:
            parts = self.of_class(labels)[..., None, None].split(self.widths, dim=1)
            features = [part.expand(-1, -1, *c) for part, c in zip(parts, self.cells, strict=True)]
        features[-1] = features[-1] + self.places
        return features


class ImageVae(nn.Module):
    """p(x) or p(x | label) of pictures of one size.

    Inside, pictures are black-framed up to a multiple of 2 to the number of scales; the frame is in no likelihood.
    """

    def __init__(self, ladder: Ladder, context: Context, head: nn.Module, size_px: tuple[int, int]) -> None:
        super().__init__()
        self.ladder, self.context, self.head, self.size_px = ladder, context, head, size_px

    @property
    def noise_shapes(self) -> tuple[tuple[int, int, int], ...]:
        """Channels, height and width of the noise of each rung, fine to coarse."""
        return tuple((c, *cell) for c, cell in zip(self.ladder.latents, self.context.cells, strict=True))

    def forward(self, x: Tensor, noise: Sequence[Tensor], labels: Tensor | None = None) -> VaeOutput:
        """One draw from q; `x` (B, C, H, W) in [0, 1], `noise` N(0, 1) as `noise_shapes` says."""
        output = self.ladder(self._framed(x), self.context(x.shape[0], labels), noise)
        likelihood = self.head(self._unframed(output.decoded))
        return VaeOutput(
            likelihood,
            kl_nats=output.kl_nats,
            log_ratio_nats=output.log_ratio_nats,
            latents=output.latents,
            stds=output.stds,
        )

    def draw_latents(self, x: Tensor, noise: Sequence[Tensor], labels: Tensor | None = None) -> list[Tensor]:
        """The latents that `forward` draws, of rungs that have some, fine to coarse; nothing is decoded for it."""
        return self.ladder.draw_latents(self._framed(x), self.context(x.shape[0], labels), noise)

    @torch.no_grad()
    def initialise_from_data(self, x: Tensor, generator: torch.Generator, labels: Tensor | None = None) -> None:
        """Before training: see `Rung.initialise_from_data`."""
        self.ladder.initialise_from_data(self._framed(x), self.context(x.shape[0], labels), generator)

    def sample(self, noise: Sequence[Tensor], labels: Tensor | None = None) -> Likelihood:
        """p(x | z); `noise` is N(0, 1) times the temperature for a draw from the prior, or latents in its units."""
        decoded = self.ladder.sample(self.context(noise[0].shape[0], labels), noise)
        likelihood: Likelihood = self.head(self._unframed(decoded))
        return likelihood

    @property
    def after_latents(self) -> list[nn.Module]:
        """What can be trained on without changing what latents mean."""
        return [*self.ladder.after_latents, self.head]

    def draw_noise(self, batch: int, generator: torch.Generator) -> list[Tensor]:
        """N(0, 1) for every rung."""
        return [torch.randn(batch, *shape, generator=generator) for shape in self.noise_shapes]

    def _framed(self, x: Tensor) -> Tensor:
        """[0, 1] → [-1, 1], of the context's size."""
        height, width = (2 * cells for cells in self.context.cells[0])
        top, left = self._corner
        below, right = height - self.size_px[0] - top, width - self.size_px[1] - left
        return 2 * F.pad(x, (left, right, top, below)) - 1

    def _unframed(self, decoded: Tensor) -> Tensor:
        top, left = self._corner
        return decoded[:, :, top : top + self.size_px[0], left : left + self.size_px[1]]

    @property
    def _corner(self) -> tuple[int, int]:
        """Of the picture in its frame."""
        rows, columns = self.context.cells[0]
        return (2 * rows - self.size_px[0]) // 2, (2 * columns - self.size_px[1]) // 2


class Sizes(NamedTuple):
    """Of a VAE: lists from fine (1/2) to coarse, one number for each scale."""

    widths: tuple[int, ...]
    latents: tuple[int, ...]
    """Channels of z; 0 for a scale without."""
    blocks: tuple[int, ...]


def build_image_vae(
    channels: int, size_px: tuple[int, int], sizes: Sizes, likelihood: str, classes: int = 0
) -> ImageVae:
    """From free sizes, with random weights; `classes` is their number for a conditional model."""
    head, widths = HEADS[likelihood](channels), sizes.widths
    specs = [RungSpec(*size) for size in zip(widths, sizes.latents, sizes.blocks, widths, strict=True)]
    cell = 1 << len(widths)
    framed = (-(-size_px[0] // cell) * cell, -(-size_px[1] // cell) * cell)
    return ImageVae(Ladder(specs, channels, head.channels_in), Context(widths, framed, classes), head, size_px)


def _summed(values: Tensor) -> Tensor:
    return values.flatten(1).sum(dim=1)
