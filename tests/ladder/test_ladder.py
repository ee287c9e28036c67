"""The ladder's laws, in torch alone."""

import math
from collections.abc import Sequence

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from safelight.ladder.layers import bounded
from safelight.ladder.restorer import RestorerNet, build_restorer
from safelight.ladder.rung import Rung, kl_relative
from safelight.learn.restore.data import Pair
from safelight.learn.restore.objectives import Terms, draw_noise, mean_objective, posterior_objective


def small(rungs: int = 3, seed: int = 0) -> RestorerNet:
    torch.manual_seed(seed)
    return build_restorer(
        (8, 8, 16, 16)[:rungs],
        (1, 1, 1, 1)[:rungs],
        (1, 1, 1)[: rungs - 1],
        (8, 8, 8, 8)[:rungs],
        (3, 2, 2, 2)[:rungs],
        (1, 1, 1, 1)[:rungs],
    )


def awake(model: RestorerNet) -> RestorerNet:
    """Random weights instead of the silent start."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.15 * torch.randn(parameter.shape, generator=generator))
    return model


def pair(size: int = 32, batch: int = 2) -> Pair:
    generator = torch.Generator().manual_seed(2)
    clean = torch.rand(batch, 3, size, size, generator=generator)
    return Pair(clean, clean + 0.1 * torch.randn(clean.shape, generator=generator), torch.full((batch,), -1.0))


def terms(noise: Sequence[torch.Tensor] = (), kl_weight: float = 1.0, loss: str = "l1", free: float = 0.0) -> Terms:
    return Terms(loss, noise, kl_weight, [free] * 3)


def test_kl_is_torchs_and_zero_iff_equal():
    generator = torch.Generator().manual_seed(0)
    delta, log_delta, mean, log_sigma = torch.randn(4, 1000, generator=generator, dtype=torch.float64)
    sigma = log_sigma.exp()
    theirs = kl_divergence(Normal(mean + sigma * delta, sigma * log_delta.exp()), Normal(mean, sigma))
    torch.testing.assert_close(kl_relative(delta, log_delta), theirs)
    assert (kl_relative(delta, log_delta) > 0).all()
    assert kl_relative(torch.zeros(3), torch.zeros(3)).tolist() == [0, 0, 0]
    tiny = kl_relative(torch.zeros(1), torch.tensor([1e-4]))
    assert float(tiny) == pytest.approx(1e-8, rel=0.01), "no cancellation near equality, in float32"


def test_at_the_start_posterior_equals_prior():
    torch.manual_seed(0)
    rung = Rung(8, 3, 1)
    h, evidence, noise = torch.randn(2, 8, 4, 4), torch.randn(2, 8, 4, 4), torch.randn(2, 3, 4, 4)
    output = rung(h, evidence, noise)
    assert output.kl_nats.abs().max() == 0
    torch.testing.assert_close(output.h, rung.sample(h, noise))


def test_a_woken_rung_varies_as_its_prior_does():
    torch.manual_seed(0)
    rung = Rung(8, 3, 1)
    h, evidence = 0.01 * torch.randn(6, 8, 16, 16), 0.02 * torch.randn(6, 8, 16, 16)
    assert rung.collapsed
    rung.initialise_from_data(h, evidence, torch.Generator().manual_seed(0))
    assert not rung.collapsed
    with torch.no_grad():
        delta_mean = rung.posterior(torch.cat([h, evidence], dim=1))[:, :3]
        kl = rung(h, evidence, torch.randn(6, 3, 16, 16)).kl_nats
    torch.testing.assert_close(delta_mean.mean((0, 2, 3)), torch.zeros(3), rtol=0, atol=1e-3)
    torch.testing.assert_close(delta_mean.std((0, 2, 3)), torch.ones(3), rtol=0, atol=1e-3)
    assert kl.mean().item() == pytest.approx(0.5, abs=0.01)


def test_waking_without_variation_stays_finite():
    rung = Rung(8, 3, 1)
    for shape in ((1, 8, 1, 1), (4, 8, 2, 2)):
        rung.initialise_from_data(torch.ones(shape), torch.zeros(shape), torch.Generator().manual_seed(0))
        assert all(torch.isfinite(p).all() and p.abs().max() < 10 for p in rung.parameters())


def test_only_silent_rungs_are_woken():
    model, batch = small(), pair()
    with torch.no_grad():
        model.ladder.rungs[1].posterior[-1].weight.fill_(0.01)
    model.initialise_from_data(*batch, torch.Generator().manual_seed(0))
    assert not any(rung.collapsed for rung in model.ladder.rungs)
    assert (model.ladder.rungs[1].posterior[-1].weight == 0.01).all()
    noise = draw_noise(model, batch.degraded.shape, torch.Generator().manual_seed(0))
    awoken = model.posterior(*batch, noise).ladder.kl_nats
    assert all(kl.mean() > 0.05 for kl in (awoken[0], awoken[2]))


def test_at_the_start_the_mean_is_the_input():
    batch = pair()
    torch.testing.assert_close(small()(batch.degraded, batch.sigma_01).mean, batch.degraded)


@pytest.mark.parametrize("rungs", [1, 2, 3, 4])
def test_shapes_for_any_number_of_rungs(rungs):
    model, batch = small(rungs), pair()
    output = model(batch.degraded, batch.sigma_01)
    assert output.mean.shape == output.log_scale.shape == batch.clean.shape
    assert [f.shape[2] for f in output.features] == [32 >> (k + 1) for k in range(rungs)]
    noise = draw_noise(model, batch.degraded.shape, torch.Generator().manual_seed(0))
    assert model.draw(output.mean, output.log_scale.exp(), output.features, noise).shape == batch.clean.shape
    assert len(model.posterior(*batch[:2], batch.sigma_01, noise).ladder.kl_nats) == rungs


@pytest.mark.parametrize("rungs", [1, 2, 3, 4])
def test_reach_is_an_upper_bound_and_not_loose(rungs):
    model = awake(small(rungs)).double()
    size, middle = 192, 101
    y = torch.rand(1, 3, size, size, dtype=torch.float64, requires_grad=True)
    unknown = torch.tensor([-1.0], dtype=torch.float64)
    seen = []
    for row in range(middle, middle + model.trunk.size_multiple):
        output = model(y, unknown)
        output.mean[0, :, row, middle].sum().backward()
        rows = y.grad.abs().sum((0, 1, 3)).nonzero().flatten()
        seen += [row - int(rows.min()), int(rows.max()) - row]
        y.grad = None
    assert max(seen) <= model.trunk.reach_px
    assert max(seen) >= model.trunk.reach_px - model.trunk.size_multiple


def test_the_scale_reaches_as_far_as_it_says():
    """Its gradients are cut, so here what lies beyond is changed instead."""
    model = awake(small()).double()
    reach, middle = model.mean_reach_px, 96
    y = torch.rand(1, 3, 192, 192, dtype=torch.float64)
    unknown = torch.tensor([-1.0], dtype=torch.float64)
    far = y.clone()
    far[..., middle + reach + 1 :] = 0.5
    near = y.clone()
    near[..., middle + 1 :] = 0.5
    here = [model(picture, unknown).log_scale[..., middle] for picture in (y, far, near)]
    assert torch.equal(here[0], here[1])
    assert not torch.equal(here[0], here[2])


def test_the_scale_does_not_bend_the_mean():
    model, batch = awake(small()), pair()
    model(batch.degraded, batch.sigma_01).log_scale.sum().backward()
    assert all(p.grad is None for p in model.trunk.parameters())
    assert all(p.grad is not None for p in model.scale.parameters())


def test_the_ladder_does_not_bend_the_trunk():
    model, batch = awake(small()), pair()
    noise = draw_noise(model, batch.degraded.shape, torch.Generator().manual_seed(0))
    posterior_objective(model, batch, terms(noise, 1.0)).loss.backward()
    assert all(p.grad is None or p.grad.abs().sum() == 0 for p in model.trunk.parameters())
    assert all(p.grad is not None for p in model.ladder.parameters())


def test_the_elbo_is_distortion_plus_rate():
    model, batch = awake(small()), pair()
    noise = draw_noise(model, batch.degraded.shape, torch.Generator().manual_seed(0))
    log = {k: v.detach() for k, v in posterior_objective(model, batch, terms(noise, 0.0)).log.items()}
    total = log["distortion_nats_per_value"] + log["rate_nats_per_value"]
    torch.testing.assert_close(log["neg_elbo_nats_per_value"], total)
    values = batch.clean.numel()
    output = model.posterior(*batch[:2], batch.sigma_01, noise)
    assert float(log["rate_nats_per_value"]) == pytest.approx(
        sum(float(kl.detach().sum()) for kl in output.ladder.kl_nats) / values, rel=1e-5
    )
    free = posterior_objective(model, batch, terms(noise, 0.0)).loss.detach()
    torch.testing.assert_close(free, log["distortion_nats_per_value"])


def test_sigma_is_heard_when_told():
    model, batch = awake(small()), pair()
    untold = model(batch.degraded, torch.tensor([-1.0, -5.0])).mean
    told = model(batch.degraded, torch.tensor([0.1, 0.2])).mean
    assert (told - untold).abs().max() > 0
    torch.testing.assert_close(untold, model(batch.degraded, torch.tensor([-2.0, -1.0])).mean)


def test_mean_objective_is_l1_or_the_rms_of_each_patch():
    model, batch = small(), pair()
    error = batch.clean - batch.degraded
    log = mean_objective(model, batch, terms()).log
    torch.testing.assert_close(log["l1"], error.abs().mean())
    log = mean_objective(model, batch, terms(loss="rmse")).log
    torch.testing.assert_close(log["rmse"], error.square().mean((1, 2, 3)).sqrt().mean(), rtol=1e-3, atol=0)


def test_free_bits_cost_a_rung_what_they_allow():
    model, batch = small(), pair()
    noise = draw_noise(model, batch.degraded.shape, torch.Generator().manual_seed(0))
    log = posterior_objective(model, batch, terms(noise)).log
    allowed = posterior_objective(model, batch, terms(noise, free=1000.0)).loss
    shares = [channels / stride**2 / 3 for channels, stride in zip(model.ladder.latents, (2, 4, 8), strict=True)]
    paid = (allowed - log["distortion_nats_per_value"]).detach()
    assert float(paid) == pytest.approx(1000 * sum(shares), rel=1e-4)


def test_in_bfloat16_distributions_stay_float32():
    model, batch = awake(small()), pair()
    noise = draw_noise(model, batch.degraded.shape, torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16):
        output = model.posterior(*batch[:2], batch.sigma_01, noise)
    tensors = (output.estimate.mean, output.estimate.log_scale, output.ladder.decoded, *output.ladder.kl_nats)
    assert {t.dtype for t in tensors} == {torch.float32}
    exact = model.posterior(*batch[:2], batch.sigma_01, noise)
    assert output.estimate.features[0].dtype == torch.bfloat16
    assert (output.estimate.mean - exact.estimate.mean).abs().mean() < 0.02


def test_bounded_is_smooth_and_bounded():
    x = torch.linspace(-100, 100, 2001, dtype=torch.float64)
    y = bounded(x, 5.0)
    assert y.abs().max() <= 5
    assert (y.diff() >= 0).all()
    torch.testing.assert_close(bounded(torch.tensor(1e-3), 5.0), torch.tensor(1e-3))
    assert math.isfinite(float(bounded(torch.tensor(float("inf")), 5.0)))
