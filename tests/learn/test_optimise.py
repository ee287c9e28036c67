"""The optimisers: Muon's steps, the schedule, its safeguards and the average of weights."""

import itertools

import pytest
import torch

from safelight.learn.checkpoint import Progress
from safelight.learn.ema import Ema
from safelight.learn.meter import foretold
from safelight.learn.muon import Muon, is_hidden_kernel, orthogonalised
from safelight.learn.optimise import HOPELESS_AFTER, HopelessError, build_optimiser, guarded_step, learning_rate
from safelight.learn.restore.recipe import StageSettings


@pytest.mark.parametrize("shape", [(3, 20, 30), (2, 30, 20), (1, 16, 144)])
def test_orthogonalised_keeps_the_singular_vectors(shape):
    """U S Vᵀ → nearly U Vᵀ: SVD is the independent witness."""
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    result = orthogonalised(matrices)
    u, _, vt = torch.linalg.svd(matrices, full_matrices=False)
    inner = u.mT @ result @ vt.mT
    sizes = inner.diagonal(dim1=1, dim2=2)
    assert sizes.min() > 0.6 and sizes.max() < 1.25
    torch.testing.assert_close(inner, torch.diag_embed(sizes), rtol=0, atol=1e-6)


def test_orthogonalised_survives_zero():
    assert torch.equal(orthogonalised(torch.zeros(1, 4, 8)), torch.zeros(1, 4, 8))


def test_muon_takes_hidden_kernels_and_adamw_the_rest():
    layers = torch.nn.Sequential(
        torch.nn.Conv2d(3, 16, 3), torch.nn.Conv2d(16, 24, 3), torch.nn.ConvTranspose2d(24, 16, 2)
    )
    stage = StageSettings(objective="mean", steps=1, optimiser="muon", learning_rate=0.01, weight_decay=0.0)
    optimiser = build_optimiser(list(layers.parameters()), stage)
    assert isinstance(optimiser, Muon)
    hidden, *rest = optimiser.param_groups
    assert {id(p) for p in hidden["params"]} == {id(layers[1].weight), id(layers[2].weight)}
    assert all(is_hidden_kernel(p) for p in hidden["params"])
    assert sum(len(group["params"]) for group in rest) == 4
    before = {name: p.detach().clone() for name, p in layers.named_parameters()}
    layers(torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))).square().mean().backward()
    optimiser.step()
    moved = {name: (p.detach() - before[name]) for name, p in layers.named_parameters()}
    assert all(change.abs().max() > 0 for change in moved.values())
    size = 0.2 * 0.01 * max(24, 16 * 9) ** 0.5
    singular = torch.linalg.svdvals(moved["1.weight"].flatten(1))
    assert singular.max() == pytest.approx(size, rel=0.3), "every direction moves by the same size"
    assert singular.min() == pytest.approx(size, rel=0.5)


def test_one_schedule_reaches_both():
    layers = torch.nn.Conv2d(16, 16, 3)
    stage = StageSettings(objective="mean", steps=1, optimiser="muon")
    optimiser = build_optimiser(list(layers.parameters()), stage)
    assert isinstance(optimiser, Muon)
    for group in optimiser.param_groups:
        group["lr"] = 0.0
    before = [p.detach().clone() for p in layers.parameters()]
    layers(torch.ones(1, 16, 4, 4)).sum().backward()
    optimiser.step()
    assert all(torch.equal(a, b.detach()) for a, b in zip(before, layers.parameters(), strict=True))


def test_without_hidden_kernels_muon_is_adamw():
    stage = StageSettings(objective="mean", steps=1, optimiser="muon")
    assert isinstance(build_optimiser([torch.nn.Parameter(torch.ones(3))], stage), torch.optim.AdamW)


def test_a_short_budget_does_not_end_in_the_warm_up():
    stage = StageSettings(objective="mean", steps=10_000, warmup_steps=200, learning_rate=1.0)
    assert learning_rate(stage, 5, 0.05) == pytest.approx(1.0, rel=0.02)  # five steps in a twentieth of the time
    assert learning_rate(stage, 99, 0.0099) == pytest.approx(0.5, rel=0.02)  # enough time: by steps


def test_what_fits_into_a_budget_is_foretold():
    stage = StageSettings(objective="mean", steps=10_000, precision="float32")
    now = Progress()
    for now.step in range(1, 16):
        now.spend(1.0 if now.step == 1 else 0.1)
    assert foretold([stage], 600.9, now)[0].startswith("about 6000 steps fit into 601 s (in float32, with ")
    (_, warning) = foretold([stage], 180, Progress(step=15, seconds=30, first_seconds=10))
    assert not foretold([stage], 180, Progress(step=16, seconds=30))
    assert not foretold([stage], None, Progress(step=15))
    assert warning.startswith("warning: so few steps teach little; give a longer --budget")
    stages = [
        stage.model_copy(update={"budget_share": share}) for share in (0.25, 0.75)
    ]  # 90 steps, of which 75 are enough
    assert len(foretold(stages, 180, Progress(step=15, seconds=30, first_seconds=10))) == 1
    assert len(foretold(stages, 180, Progress(stage=1, step=15, seconds=30, first_seconds=10))) == 2


def test_a_plateau_comes_before_the_decay():
    stage = StageSettings(
        objective="mean", steps=100, warmup_steps=10, learning_rate=1.0, final_share=0.1, decay_share=0.3
    )
    rates = [learning_rate(stage, step, step / 100) for step in range(101)]
    assert set(rates[10:70]) == {1.0}
    assert all(a > b for a, b in itertools.pairwise(rates[70:]))
    assert rates[100] == pytest.approx(0.1)


def test_schedule_and_ema():
    stage = StageSettings(objective="mean", steps=100, warmup_steps=10, learning_rate=1.0, final_share=0.01)
    rates = [learning_rate(stage, step, step / 100) for step in range(100)]
    assert rates[0] < 0.2 and max(rates) > 0.95 and rates[-1] < 0.02
    model = torch.nn.Linear(2, 2)
    ema = Ema(model)
    start = {name: p.detach().clone() for name, p in model.named_parameters()}
    with torch.no_grad():
        model.weight.add_(1)
    ema.update(model, 0.9, 1000)
    torch.testing.assert_close(ema.average["weight"], start["weight"] + 0.1)
    with ema.applied(model):
        torch.testing.assert_close(model.weight.data, start["weight"] + 0.1)
    torch.testing.assert_close(model.weight.data, start["weight"] + 1)


def test_outliers_are_clipped_skipped_and_in_the_end_fatal():
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.SGD([parameter], lr=1.0)
    progress = Progress()

    def step(gradient: float) -> float:
        before = float(parameter.detach())
        parameter.grad = torch.tensor([gradient])
        guarded_step([parameter], optimiser, progress)
        progress.step += 1
        return before - float(parameter.detach())

    for _ in range(60):
        step(1.0)
    assert step(4.0) == pytest.approx(2.0, rel=0.1), "clipped at twice the average"
    assert step(50.0) == 0 and progress.skipped == 1
    assert step(float("nan")) == 0 and progress.skipped == 2
    assert step(1.0) == pytest.approx(1.0), "and it goes on"
    with pytest.raises(HopelessError, match="not finite or far too large"):
        for _ in range(HOPELESS_AFTER):
            step(float("inf"))
    rising = Progress(step=100, norm_average=0.1)
    progress = rising
    moved = [step(5.0) for _ in range(180)]
    assert moved[0] == 0 and moved[-1] > 0, "a level that stays high is followed, not skipped for ever"


def test_optimiser_decays_kernels_only():
    model = torch.nn.Conv2d(2, 2, 3)
    stage = StageSettings(objective="mean", steps=1, weight_decay=0.5)
    kernels, others = build_optimiser(list(model.parameters()), stage).param_groups
    assert (kernels["weight_decay"], others["weight_decay"]) == (0.5, 0)
