"""p(x | decoded): what a decoder says of a picture x in [0, 1], as a distribution. All logarithms in nats.

Bernoulli           x in {0, 1}         binarised pictures
Gaussian            x real              one σ for all, learned (σ-VAE: Rybkin, Daniilidis & Levine, ICML 2021)
LogisticMixture     x in {0, …, 255}/255, sums to 1 over the 256 values (Salimans et al., PixelCNN++, ICLR 2017)
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from safelight.ladder.layers import bounded

LOG_2PI = math.log(2 * math.pi)
HALF_STEP = 1 / 255
"""Half the distance between 8-bit values on [-1, 1]."""
LOG_SCALE_REACH = 7.0


def eight_bit_nats(likelihood: "Likelihood", values: int) -> float:
    """What makes the negative logarithm of a density that of `values` 8-bit numbers: log 256 for each of them.

    0 for what is a probability already.
    """
    return values * math.log(256) if isinstance(likelihood, Gaussian) else 0.0


class Bernoulli(NamedTuple):
    """P(x = 1) = 1 / (1 + exp(-logits))."""

    logits: Tensor
    """(B, C, H, W)"""

    def log_prob(self, x: Tensor) -> Tensor:
        """(B, C, H, W); for x between 0 and 1 the cross entropy, which is no likelihood."""
        return x * self.logits + log_sigmoid(-self.logits)

    @property
    def mean(self) -> Tensor:
        """(B, C, H, W)"""
        return self.logits.sigmoid()

    def sample(self, generator: torch.Generator) -> Tensor:
        """A binary picture."""
        return torch.bernoulli(self.mean, generator=generator)


class Gaussian(NamedTuple):
    """N(mean, σ²), a density: on pictures of 8 bits state the dequantisation."""

    mean: Tensor
    """(B, C, H, W)"""
    log_sigma: Tensor
    """Of a shape that broadcasts to that."""

    def log_prob(self, x: Tensor) -> Tensor:
        """(B, C, H, W)"""
        return -gaussian_nll_nats(x - self.mean, self.log_sigma)

    def sample(self, generator: torch.Generator) -> Tensor:
        """A picture, not clipped."""
        noise = torch.randn(self.mean.shape, generator=generator)
        return self.mean + self.log_sigma.exp() * noise


def log_sigmoid(x: Tensor) -> Tensor:
    """The logistic function's logarithm; spelled out, since exported graphs have log(sigmoid(x)) for torch's own."""
    return x.clamp(max=0) - torch.log1p(torch.exp(-x.abs()))


def gaussian_nll_nats(error: Tensor, log_sigma: Tensor) -> Tensor:
    """-log N(error; 0, σ²) = ½ (error/σ)² + log σ + ½ log 2π, elementwise, in nats."""
    return 0.5 * (error * torch.exp(-log_sigma)).square() + log_sigma + 0.5 * LOG_2PI


class LogisticMixture(NamedTuple):
    """Σ_k w_k Π_c [F((v + δ - μ_kc) / s_kc) - F((v - δ - μ_kc) / s_kc)] at v = 2x - 1.

    F is the logistic function, δ half a step. The outermost values take the tails. In colour μ of green depends on
    red, and μ of blue on both, linearly.
    """

    log_weights: Tensor
    """(B, K, H, W), normalised over K."""
    means: Tensor
    """(B, K, C, H, W), on [-1, 1]."""
    log_scales: Tensor
    """(B, K, C, H, W)"""
    coefficients: Tensor | None
    """(B, K, 3, H, W): green on red, blue on red, blue on green; None for grey."""

    def log_prob(self, x: Tensor) -> Tensor:
        """(B, 1, H, W), of all channels together."""
        v = (2 * x - 1)[:, None]
        centred, per_scale = v - self._means(v), torch.exp(-self.log_scales)
        upper, lower = (centred + HALF_STEP) * per_scale, (centred - HALF_STEP) * per_scale
        # F(a) - F(b) = F(a) F(-b) (1 - exp(b - a)), without cancellation
        inner = log_sigmoid(upper) + log_sigmoid(-lower) + torch.log(-torch.expm1(-2 * HALF_STEP * per_scale))
        outer = torch.where(v > 0, log_sigmoid(-lower), log_sigmoid(upper))
        log_mass = torch.where(v.abs() > 1 - HALF_STEP, outer, inner).sum(dim=2)  # (B, K, H, W)
        return torch.logsumexp(self.log_weights + log_mass, dim=1, keepdim=True)

    @property
    def mean(self) -> Tensor:
        """(B, C, H, W): the average of the components' centres, within [0, 1]."""
        centres = self._sequential(self.means, lambda v: v.clamp(-1, 1))
        average = (self.log_weights.exp()[:, :, None] * centres.clamp(-1, 1)).sum(dim=1)
        return (average + 1) / 2

    def sample(self, generator: torch.Generator) -> Tensor:
        """A picture of 8-bit values."""
        uniform = torch.rand(self.means.shape, generator=generator).clamp(1e-5, 1 - 1e-5)
        gumbel = -torch.log(-torch.log(torch.rand(self.log_weights.shape, generator=generator).clamp(1e-9, 1 - 1e-7)))
        chosen = (self.log_weights + gumbel).argmax(dim=1, keepdim=True)[:, :, None]  # (B, 1, 1, H, W)
        own = self.means + self.log_scales.exp() * torch.logit(uniform)
        drawn = self._sequential(own, lambda v: 2 * _bytes(v) / 255 - 1)
        return _bytes(drawn.gather(1, chosen.expand((-1, 1, drawn.shape[2], -1, -1)))[:, 0]) / 255

    def _means(self, v: Tensor) -> Tensor:
        """The centres, given the true values of the channels before; v is (B, 1, C, H, W)."""
        if self.coefficients is None:
            return self.means
        a, b, c = self.coefficients.unbind(dim=2)
        red, green = v[:, :, 0], v[:, :, 1]
        return torch.stack(
            [self.means[:, :, 0], self.means[:, :, 1] + a * red, self.means[:, :, 2] + b * red + c * green], dim=2
        )

    def _sequential(self, own: Tensor, seen: Callable[[Tensor], Tensor]) -> Tensor:
        """Channel by channel, each on the ones before as they are `seen`; `own` is what each adds by itself."""
        if self.coefficients is None:
            return own
        a, b, c = self.coefficients.unbind(dim=2)
        red = seen(own[:, :, 0])
        green = seen(own[:, :, 1] + a * red)
        return torch.stack([red, green, own[:, :, 2] + b * red + c * green], dim=2)


def _bytes(v: Tensor) -> Tensor:
    """The nearest of the 256 values that stand for [-1, 1], from 0 to 255."""
    return torch.round((v.clamp(-1, 1) + 1) / 2 * 255)


Likelihood = Bernoulli | Gaussian | LogisticMixture


class BernoulliHead(nn.Module):
    """Decoded numbers → Bernoulli."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels_in = channels

    def forward(self, decoded: Tensor) -> Bernoulli:
        return Bernoulli(decoded)


class GaussianHead(nn.Module):
    """Decoded numbers → Gaussian, with the one σ that is learned."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels_in = channels
        self.log_sigma = nn.Parameter(torch.tensor(-1.5))

    def forward(self, decoded: Tensor) -> Gaussian:
        return Gaussian(decoded + 0.5, bounded(self.log_sigma, LOG_SCALE_REACH))


class LogisticMixtureHead(nn.Module):
    """Decoded numbers → LogisticMixture."""

    def __init__(self, channels: int, components: int = 5) -> None:
        super().__init__()
        self.channels, self.components = channels, components
        self.channels_in = components * (1 + 2 * channels + (3 if channels == 3 else 0))
        start = torch.zeros(components, self.channels_in // components)
        start[:, 1 : 1 + channels] = torch.linspace(-0.8, 0.8, components)[:, None]  # apart from each other
        start[:, 1 + channels : 1 + 2 * channels] = -1.5
        self.start = nn.Parameter(start.flatten()[None, :, None, None])

    def forward(self, decoded: Tensor) -> LogisticMixture:
        batch, _, height, width = decoded.shape
        parts = (decoded + self.start).view((batch, self.components, -1, height, width))
        sizes = [1, self.channels, self.channels, parts.shape[2] - 1 - 2 * self.channels]
        weights, means, scales, rest = torch.split(parts, sizes, dim=2)
        coefficients = torch.tanh(rest) if self.channels == 3 else None
        return LogisticMixture(
            F.log_softmax(weights[:, :, 0], dim=1), means, bounded(scales, LOG_SCALE_REACH), coefficients
        )


HEADS: dict[str, type[BernoulliHead] | type[GaussianHead] | type[LogisticMixtureHead]] = {
    "bernoulli": BernoulliHead,
    "gaussian": GaussianHead,
    "logistic_mixture": LogisticMixtureHead,
}
