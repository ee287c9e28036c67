"""The learned prior: it starts as nothing, its flow leads where it should, and it knows its units and classes."""

import pytest

torch = pytest.importorskip("torch")

from safelight.ladder.prior import LatentPrior, PriorSize, PriorSpec, flow_time, on_the_path  # noqa: E402
from safelight.learn.images.prior import flow_loss, sample_latents  # noqa: E402

SPECS = [PriorSpec(latents=2, cells=(8, 7), patch=4), PriorSpec(latents=3, cells=(2, 2), patch=1)]
SIZE = PriorSize((2, 2), width=64, depth=1)
SHAPES = [(2, 8, 7), (3, 2, 2)]


def drawn(batch: int, seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(batch, *shape, generator=generator) for shape in SHAPES]


def test_a_new_prior_moves_nothing_and_has_the_shapes_of_the_rungs():
    prior = LatentPrior(SPECS, SIZE, classes=3)
    assert prior.shapes == SHAPES
    velocities = prior(drawn(5), torch.rand(5), torch.arange(5) % 4)
    assert [v.shape[1:] for v in velocities] == [*SHAPES] and not any(v.any() for v in velocities)
    start = drawn(5)
    for end, begun in zip(sample_latents(prior, start, torch.full((5,), prior.any_class), 3), start, strict=True):
        torch.testing.assert_close(end, begun)


def test_units_are_those_of_the_latents():
    prior = LatentPrior(SPECS, SIZE, classes=0)
    latents = [5 + 3 * z for z in drawn(400)]
    prior.fit_units(latents)
    for rung in prior.to_units(latents):
        torch.testing.assert_close(rung.mean((0, 2, 3)), torch.zeros(rung.shape[1]), atol=1e-4, rtol=0)
        torch.testing.assert_close(rung.std((0, 2, 3)), torch.ones(rung.shape[1]), atol=1e-4, rtol=0)
    for back, given in zip(prior.from_units(prior.to_units(latents)), latents, strict=True):
        torch.testing.assert_close(back, given)
    prior.learn()
    assert not any(p.requires_grad for p in (*prior.means, *prior.stds))


def test_the_path_leads_from_noise_to_latents():
    start, ends = drawn(4), drawn(4, seed=1)
    time = torch.tensor([0.0, 0.25, 0.5, 1.0])
    places, velocities = on_the_path(start, ends, time)
    torch.testing.assert_close(places[0][0], start[0][0])
    torch.testing.assert_close(places[1][3], ends[1][3])
    torch.testing.assert_close(places[0][1] + 0.75 * velocities[0][1], ends[0][1])
    times = flow_time(4000, torch.Generator().manual_seed(0))
    assert times.min() > 0 and times.max() < 1 and abs(times.mean() - 0.5) < 0.02


@pytest.mark.slow
def test_it_learns_which_latents_belong_to_which_class():
    """Class 0 is at -2 in every latent, and class 1 at +2."""
    torch.manual_seed(0)
    prior = LatentPrior(SPECS, SIZE, classes=2)
    prior.learn()
    optimiser = torch.optim.AdamW([p for p in prior.parameters() if p.requires_grad], 3e-3)
    for step in range(150):
        label = torch.arange(32) % 2
        sign = (4.0 * label - 2)[:, None, None, None]
        latents = [sign + 0.1 * z for z in drawn(32, seed=step)]
        time = flow_time(32, torch.Generator().manual_seed(step))
        loss = flow_loss(prior, latents, drawn(32, seed=10_000 + step), time, label)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.inference_mode():
        for label, centre in ((0, -2), (1, 2)):
            found = sample_latents(prior, drawn(16, seed=7), torch.full((16,), label), 8)
            for rung in found:
                assert abs(rung.mean() - centre) < 0.4
