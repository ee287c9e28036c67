"""The VAE of a set of pictures: its bounds against what can be computed exactly."""

import pytest
import torch
from torch.distributions import MultivariateNormal

from safelight.ladder.image_vae import ImageVae, Sizes, build_image_vae, importance_weighted_nats


def vae(latents: tuple[int, ...] = (2, 3), likelihood: str = "bernoulli", classes: int = 0) -> ImageVae:
    torch.manual_seed(0)
    scales = len(latents)
    model = build_image_vae(1, (16, 24), Sizes((8, 12, 16)[:scales], latents, (1,) * scales), likelihood, classes)
    with torch.no_grad():
        for parameter in model.ladder.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    return model


@pytest.mark.parametrize("latents", [(4,), (2, 3), (0, 2), (0, 0, 5), (1, 0, 2)])
def test_shapes_with_and_without_latents_at_a_scale(latents):
    model, generator = vae(latents), torch.Generator().manual_seed(0)
    noise = model.draw_noise(3, generator)
    assert [n.shape for n in noise] == [(3, c, 16 >> k, 24 >> k) for k, c in enumerate(latents, 1)]
    output = model(torch.rand(3, 1, 16, 24), noise)
    assert output.elbo_nats(torch.ones(3, 1, 16, 24)).shape == (3,)
    assert model.sample(noise).mean.shape == (3, 1, 16, 24)
    assert all((kl.sum() > 0) == (c > 0) for kl, c in zip(output.kl_nats, latents, strict=True))


def test_the_log_ratio_averages_to_minus_the_divergence():
    model, generator = vae(), torch.Generator().manual_seed(1)
    x = torch.rand(1, 1, 16, 24).expand(4000, -1, -1, -1)
    with torch.no_grad():
        output = model(x, model.draw_noise(len(x), generator))
    coarse_kl, coarse_ratio = output.kl_nats[-1], output.log_ratio_nats[-1]
    assert coarse_ratio.mean(0).sum().item() == pytest.approx(-coarse_kl[0].sum().item(), rel=0.02)


def test_classes_change_what_is_said_and_need_labels():
    model, generator = vae(classes=3), torch.Generator().manual_seed(0)
    noise = model.draw_noise(2, generator)
    one, other = (model.sample(noise, torch.tensor([label, label])).mean for label in (0, 2))
    assert not torch.equal(one, other)
    both = model.sample(noise, torch.tensor([0, 2])).mean
    torch.testing.assert_close(both, torch.stack([one[0], other[1]]))
    for wrong in (lambda: model.sample(noise), lambda: vae().sample(noise, torch.tensor([0, 1]))):
        with pytest.raises(ValueError, match="classes"):
            wrong()


def test_a_size_that_does_not_halve_is_framed_and_the_frame_costs_nothing():
    torch.manual_seed(0)
    model = build_image_vae(1, (7, 13), Sizes((8, 8), (0, 3), (1, 1)), "bernoulli")
    noise = model.draw_noise(2, torch.Generator().manual_seed(0))
    assert [n.shape for n in noise] == [(2, 0, 4, 8), (2, 3, 2, 4)]
    x = torch.rand(2, 1, 7, 13).round()
    output = model(x, noise)
    assert output.likelihood.log_prob(x).shape == (2, 1, 7, 13) == model.sample(noise).mean.shape
    again = model.sample([torch.zeros_like(noise[0]), output.latents[1]]).mean
    torch.testing.assert_close(again, output.likelihood.mean)


def test_latents_in_units_of_the_prior_decode_to_the_same():
    model = vae((2, 3))
    generator = torch.Generator().manual_seed(0)
    output = model(torch.rand(2, 1, 16, 24), model.draw_noise(2, generator))
    torch.testing.assert_close(model.sample(output.latents).mean, output.likelihood.mean)
    assert all((std > 0).all() for std in output.stds)


def test_zero_temperature_is_one_picture():
    model = vae()
    noise = [torch.zeros(2, *shape) for shape in model.noise_shapes]
    first, second = model.sample(noise).mean
    torch.testing.assert_close(first, second)


@pytest.mark.slow
def test_on_linear_gaussian_data_the_bounds_are_the_likelihood():
    """Probabilistic PCA (Tipping & Bishop, 1999), 4 latents, 16 dimensions: log p(x) is known. A VAE's optimum there
    has ELBO = log p(x) (Lucas et al., "Don't blame the ELBO!", NeurIPS 2019).
    """
    torch.manual_seed(0)
    spread = torch.tensor([2.0, 1.5, 1.0, 0.7])
    loadings = torch.linalg.qr(torch.randn(16, 4)).Q * spread
    law = MultivariateNormal(torch.zeros(16), loadings @ loadings.T + 0.3**2 * torch.eye(16))

    def pictures(count: int) -> torch.Tensor:
        return law.sample((count,)).view(count, 4, 2, 2) * 0.2 + 0.5  # the ladder sees 2x - 1

    def exact(x: torch.Tensor) -> torch.Tensor:
        return law.log_prob((x.flatten(1) - 0.5) / 0.2) - 16 * torch.tensor(0.2).log()

    model = build_image_vae(4, (2, 2), Sizes((32,), (4,), (0,)), "gaussian").to(memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    steps, generator = 2000, torch.Generator().manual_seed(0)
    model.initialise_from_data(
        pictures(256), generator
    )  # from q = p two of the four latents never wake: docs/lab-notebook.md
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        x = pictures(256)
        loss = -model(x, model.draw_noise(256, generator)).elbo_nats(x).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    x = pictures(4000)
    with torch.no_grad():
        draws = [model(x, model.draw_noise(len(x), generator)) for _ in range(50)]
        elbo = torch.stack([output.elbo_nats(x) for output in draws]).mean().item()
        bound = importance_weighted_nats(torch.stack([output.log_weight_nats(x) for output in draws])).mean().item()
    truth = exact(x).mean().item()
    assert elbo <= bound <= truth + 0.01
    assert elbo == pytest.approx(truth, rel=0.01)
    assert bound == pytest.approx(truth, rel=0.003)
