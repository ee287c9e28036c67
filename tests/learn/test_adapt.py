"""Weights that know of rounding."""

import copy

import pytest
import torch
from torch import nn

from safelight.ladder.restorer import build_restorer
from safelight.ladder.trunk import Trunk
from safelight.learn import adapt, quantise
from safelight.learn.data import training_pairs
from safelight.learn.export import export_graphs
from safelight.learn.settings import load_recipe
from safelight.learn.store import build_store
from safelight.runtime.session import open_graph


@pytest.fixture
def trunk():
    """Its kernels have a few weights that are far larger than the rest, so that rounding hurts."""
    torch.manual_seed(0)
    made = Trunk((8, 16), (1, 1), (1,))
    nn.init.normal_(made.tail.weight, std=0.05)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if name.endswith("conv2.weight"):
                parameter.mul_(10)
                parameter[:, 0, 0, 0] *= 12
    return made


def test_the_rounded_copy_comes_nearer_to_the_float_trunk(trunk, recipe, pictures, tmp_path, monkeypatch):
    store, _ = build_store(pictures, tmp_path / "cache", (1.0,), 64)
    pairs = training_pairs(load_recipe(recipe), store, "adapt", 32)
    names = [name for name, module in trunk.named_modules() if isinstance(module, nn.Conv2d)]
    before = {name: tensor.clone() for name, tensor in trunk.state_dict().items()}
    pixels, unknown = torch.stack([pairs[k].clean for k in range(5000, 5012)]), torch.full((12,), -1.0)
    distances = {}
    for steps in (1, 120):
        monkeypatch.setattr(adapt, "STEPS", steps)
        learned, roundings = adapt.adapted(trunk, pairs, names)
        assert roundings.keys() == {(name, side) for name in names for side in ("in", "out")}
        assert learned.keys() == {f"{name}.{part}" for name in names for part in ("weight", "bias")}
        rounded = copy.deepcopy(trunk)
        rounded.load_state_dict(before | {name: eight_bits(tensor) for name, tensor in learned.items()})
        distances[steps] = (rounded(pixels, unknown).mean - trunk(pixels, unknown).mean).square().mean().sqrt().item()
    assert roundings["down.0", "out"] is roundings["encode.1.0.conv1", "in"], "one tensor, one rounding"
    assert distances[120] < 0.8 * distances[1]
    assert all(torch.equal(tensor, before[name]) for name, tensor in trunk.state_dict().items()), "the teacher stays"


def test_the_graph_rounds_as_the_simulation_did(recipe, pictures, tmp_path, monkeypatch):
    """What was learned under simulated rounding is of use only where the real graph rounds at the same places."""
    torch.manual_seed(0)
    model = build_restorer((16, 32), (1, 1), (2,), (8, 8), (2, 2), (1, 1)).eval()
    for part in (model.trunk.tail, model.trunk.up[0].conv):
        nn.init.normal_(part.weight, std=0.05)
    export_graphs(model, tmp_path)
    store, _ = build_store(pictures, tmp_path / "cache", (1.0,), 64)
    pairs = training_pairs(load_recipe(recipe), store, "adapt", 32)
    monkeypatch.setattr(adapt, "STEPS", 3)
    learned = []
    monkeypatch.setattr(quantise, "adapted", lambda *a: learned.append(adapt.adapted(*a)) or learned[0])
    quantise.quantise(model.trunk, tmp_path / "mean.onnx", tmp_path / "mean_int8.onnx", pairs)
    rounded = copy.deepcopy(model.trunk)
    rounded.load_state_dict(rounded.state_dict() | learned[0].weights)
    adapt.simulate(rounded, learned[0].roundings)
    y, unknown = torch.stack([pairs[k].degraded for k in range(8)]), torch.full((8,), -1.0)
    graph = open_graph(tmp_path / "mean_int8.onnx", "cpu", 2)
    real = torch.from_numpy(graph.run(["mean"], {"degraded": y.numpy(), "sigma_01": unknown.numpy()})[0])
    simulated, exact = rounded(y, unknown).mean, model.trunk(y, unknown).mean
    assert (real - simulated).square().mean().sqrt() < 0.3 * (real - exact).square().mean().sqrt()


def eight_bits(tensor: torch.Tensor) -> torch.Tensor:
    """Kernels rounded per output channel, written out once more."""
    if tensor.ndim < 4:
        return tensor
    step = tensor.abs().amax(dim=(1, 2, 3), keepdim=True) / 127
    return (tensor / step).round() * step


def test_ranges_hold_zero_and_all_but_the_outermost():
    values = torch.linspace(1, 100_001, 100_001)
    assert adapt.percentiles(values) == (0.0, pytest.approx(99_991, abs=2))
    assert adapt.percentiles(-values) == (pytest.approx(-99_991, abs=2), 1e-6)
