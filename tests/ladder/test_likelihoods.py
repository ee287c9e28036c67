"""Likelihoods against torch.distributions and SciPy, and that probabilities sum to one."""

import numpy as np
import pytest
import scipy.stats
import torch
from torch.distributions import Bernoulli as TorchBernoulli
from torch.distributions import Normal

from safelight.ladder.likelihoods import HEADS, Bernoulli, Gaussian, LogisticMixture, LogisticMixtureHead


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def mixture(channels: int, generator: torch.Generator, pixels: int = 1) -> LogisticMixture:
    head = LogisticMixtureHead(channels, components=3)
    with torch.no_grad():
        return head(1.5 * torch.randn(1, head.channels_in, 1, pixels, generator=generator))


def test_bernoulli_and_gaussian_are_torchs(generator):
    logits, values = torch.randn(2, 3, 1, 4, 4, generator=generator)
    x = (torch.rand(logits.shape, generator=generator) > 0.5).float()
    torch.testing.assert_close(
        Bernoulli(logits).log_prob(x), TorchBernoulli(logits=logits).log_prob(x), rtol=0, atol=1e-5
    )
    log_sigma = torch.tensor(-0.7)
    torch.testing.assert_close(
        Gaussian(logits, log_sigma).log_prob(values),
        Normal(logits, log_sigma.exp()).log_prob(values),
        rtol=0,
        atol=1e-5,
    )


def test_one_logistic_is_scipys(generator):
    """Interior and outermost values, scales from very narrow to very wide."""
    means, log_scales = torch.tensor([-0.9, 0.0, 0.3]), torch.tensor([-5.0, -1.0, 2.0])
    x = torch.arange(256) / 255
    for mean, log_scale in zip(means, log_scales, strict=True):
        ours = LogisticMixture(
            torch.zeros(1, 1, 1, 256), mean.expand(1, 1, 1, 1, 256), log_scale.expand(1, 1, 1, 1, 256), None
        ).log_prob(x[None, None, None])[0, 0, 0]
        edges = 2 * (np.arange(257) - 0.5) / 255 - 1
        edges[0], edges[-1] = -np.inf, np.inf
        law = scipy.stats.logistic(float(mean), float(log_scale.exp()))
        masses = np.where(edges[1:] <= float(mean), np.diff(law.cdf(edges)), -np.diff(law.sf(edges)))
        likely = masses > 1e-30
        np.testing.assert_allclose(ours.numpy()[likely], np.log(masses[likely]), rtol=2e-4, atol=1e-5)
        assert torch.isfinite(ours).all()


def test_grey_probabilities_sum_to_one(generator):
    x = (torch.arange(256) / 255)[None, None, None]
    for _ in range(5):
        one = mixture(1, generator)
        everywhere = LogisticMixture(*(t.expand(*t.shape[:-1], 256) for t in one[:3]), None)
        assert float(everywhere.log_prob(x).exp().double().sum()) == pytest.approx(1, abs=1e-5)


@pytest.mark.slow
def test_colour_probabilities_sum_to_one(generator):
    """Over all 16,777,216 colours of one pixel."""
    one = mixture(3, generator)
    plane = LogisticMixture(*(t.expand(*t.shape[:-2], 256, 256) for t in one))
    steps = torch.arange(256) / 255
    green, blue = torch.meshgrid(steps, steps, indexing="ij")
    total = 0.0
    for red in steps:
        x = torch.stack([red.expand(256, 256), green, blue])[None]
        total += float(plane.log_prob(x).exp().double().sum())
    assert total == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("channels", [1, 3])
def test_samples_follow_the_probabilities(generator, channels):
    one = mixture(channels, generator)
    many = LogisticMixture(*(None if t is None else t.expand(*t.shape[:-1], 40_000) for t in one))
    drawn = many.sample(generator)[0, :, 0]
    assert set((drawn * 255).round().unique().tolist()) <= set(range(256))
    assert torch.equal((drawn * 255).round() / 255, drawn)
    first = LogisticMixture(one.log_weights, one.means[:, :, :1], one.log_scales[:, :, :1], None)
    grid = LogisticMixture(*(t.expand(*t.shape[:-1], 256) for t in first[:3]), None)
    steps = torch.arange(256) / 255
    expected = grid.log_prob(steps[None, None, None]).exp()[0, 0, 0].cumsum(0)
    found = torch.tensor([(drawn[0] <= step + 1e-4).float().mean() for step in steps])
    assert (expected - found).abs().max() < 0.02
    surprise = -many.log_prob(drawn[None, :, None]).mean().item()
    again = -many.log_prob(many.sample(generator)).mean().item()
    assert surprise == pytest.approx(again, abs=0.05)


def test_colours_are_drawn_on_the_8_bit_values_before_them(generator):
    """Where green is nearly a function of red, its draws cost what the exact law costs on average: its entropy."""
    shape = (1, 1, 3, 1, 1)
    means, scales = torch.zeros(shape), torch.tensor([-1.0, -6.5, -6.5]).view(shape)
    one = LogisticMixture(torch.zeros(1, 1, 1, 1), means, scales, torch.tensor([0.9, 0.0, 0.9]).view(shape))
    many = LogisticMixture(*(t.expand(*t.shape[:-1], 40_000) for t in one))
    cost = -many.log_prob(many.sample(generator)).mean().item()
    steps = torch.arange(256) / 255

    def conditional_entropy(centre: torch.Tensor, log_scale: float) -> torch.Tensor:
        """Of the next value, for every centre that the one before may give."""
        law = LogisticMixture(
            torch.zeros(1, 1, len(centre), 256),
            centre[None, None, None, :, None].expand(1, 1, 1, -1, 256),
            torch.full((1, 1, 1, len(centre), 256), log_scale),
            None,
        )
        log_prob = law.log_prob(steps.expand(1, 1, len(centre), 256))[0, 0]
        return -(log_prob.exp() * log_prob).sum(-1), log_prob.exp()

    first, p_red = conditional_entropy(torch.zeros(1), -1.0)
    green, p_green = conditional_entropy(0.9 * (2 * steps - 1), -6.5)
    blue, _ = conditional_entropy(0.9 * (2 * steps - 1), -6.5)
    p_of_green = p_red[0] @ p_green
    exact = first.item() + (p_red[0] @ green).item() + (p_of_green @ blue).item()
    assert cost == pytest.approx(exact, abs=0.05)


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_head_gives_a_distribution_with_a_mean_and_samples(generator, name, channels):
    head = HEADS[name](channels)
    decoded = 0.1 * torch.randn(2, head.channels_in, 4, 6, generator=generator)
    likelihood = head(decoded.requires_grad_())
    assert likelihood.mean.shape == likelihood.sample(generator).shape == (2, channels, 4, 6)
    assert likelihood.log_prob(likelihood.sample(generator)).flatten(1).shape[0] == 2
    likelihood.log_prob(torch.zeros(2, channels, 4, 6)).sum().backward()
    assert all(p.grad is not None for p in (decoded, *head.parameters()))
