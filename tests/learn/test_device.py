"""The device of training is named in one place, and nothing else assumes one."""

import re

import pytest
import torch

from safelight.errors import DeviceError, UsageError
from safelight.ladder.detail import DetailFlow
from safelight.ladder.image_vae import Sizes, build_image_vae
from safelight.ladder.prior import LatentPrior, PriorSize, PriorSpec
from safelight.ladder.restorer import build_restorer
from safelight.learn import device
from safelight.learn.images import detail, objectives, prior
from safelight.learn.images.data import Images
from safelight.learn.images.detail import DetailObjective
from safelight.learn.images.objectives import ImageObjective, Trainee
from safelight.learn.images.prior import PriorObjective
from safelight.learn.images.recipe import ImagesRecipe
from safelight.learn.optimise import build_optimiser
from safelight.learn.restore.data import Pair
from safelight.learn.restore.objectives import Terms, draw_noise, mean_objective, posterior_objective
from safelight.learn.task import Group, Moment
from tests.support import ROOT

ELSEWHERE = torch.device("meta")


def test_no_other_module_names_a_device():
    named = re.compile(r"""torch\.device\(|torch\.cuda\.|\.cuda\(|\.cpu\(\)(?!\.numpy)|\.to\(\s*["']|device=["']""")
    for folder in ("ladder", "learn"):
        for path in (ROOT / "src" / "safelight" / folder).rglob("*.py"):
            if path.name not in ("device.py", "settings.py"):
                found = [line for line in path.read_text().splitlines() if named.search(line)]
                assert not found, (path, found)


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ("gpu", UsageError, "use auto, cpu, cuda, cuda:1 or mps"),
        ("cuda:7", DeviceError, "torch sees 0 NVIDIA GPUs here"),
        ("mps", DeviceError, "torch sees no Apple GPU"),
    ],
)
def test_a_device_that_is_not_there_is_named(asked, error, words, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(error, match=words):
        device.found_device(asked)
    assert device.found_device("auto") == device.found_device("cpu") == device.PROCESSOR


def test_a_card_tells_what_trained(monkeypatch):
    assert device.name_of_device().endswith("threads")
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda of: f"GPU {of.index}")
    monkeypatch.setattr(device, "training_device", lambda: torch.device("cuda", 1))
    assert device.name_of_device() == "GPU 1"


def test_several_processes_take_a_gpu_each_or_the_processor():
    assert [device.device_of_each("auto", 2, gpus) for gpus in (0, 1, 2)] == ["cpu", "cpu", "cuda"]
    assert device.device_of_each("cuda:1", 1) == "cuda:1" and device.device_of_each("cpu", 4, 8) == "cpu"
    for asked in ("cuda:1", "mps"):
        with pytest.raises(UsageError, match="is for one process"):
            device.device_of_each(asked, 2)


@pytest.fixture
def elsewhere(monkeypatch):
    """Tensors without values on a device of their own: a tensor of the processor beside them is an error."""
    for module in (objectives, detail, prior):
        monkeypatch.setattr(module, "torch_generator", lambda *identity: None)
    with device.training_on(ELSEWHERE):
        with pytest.raises(RuntimeError, match="device"):
            torch.ones(2) + torch.ones(2, device="cpu")
        yield


RECIPE = ImagesRecipe.model_validate(
    {
        "task": "images",
        "name": "x",
        "card": {"summary": "x", "data_licences": "x"},
        "stages": [{"steps": 10, "batch": 4, "trains": part} for part in ("vae", "detail", "prior")],
    }
)


def learn(loss, parameters, stage):
    """One step; everything must be on that device."""
    assert loss.device == ELSEWHERE
    loss.backward()
    assert all(p.grad is None or p.grad.device == ELSEWHERE for p in parameters)
    optimiser = build_optimiser(parameters, stage.model_copy(update={"optimiser": "muon"}))
    for group in optimiser.param_groups:
        group["fused"] = False  # which devices without values do not have
    optimiser.step()
    assert all(part.device == ELSEWHERE for state in optimiser.state.values() for part in state.values() if part.ndim)


def test_a_vae_its_detail_and_its_prior_learn_on_another_device(elsewhere):
    vae = build_image_vae(3, (16, 16), Sizes((16, 16), (0, 2), (1, 1)), "gaussian", classes=0)
    flow = LatentPrior([PriorSpec(2, (4, 4), 2)], PriorSize((2, 2), width=64, depth=1), classes=3)
    grain = DetailFlow(3, 8)
    trainee = Trainee(vae, prior=flow, detail=grain)
    images = Images(torch.rand(4, 3, 16, 16), torch.arange(4) % 3)
    assert images.x.device == ELSEWHERE
    of_vae, of_detail, of_prior = RECIPE.stages
    for objective, learner, given in (
        (ImageObjective(trainee, of_vae, 1, Group()), vae, images._replace(labels=None)),
        (DetailObjective(trainee, RECIPE, of_detail, Group()), grain, images._replace(labels=None)),
        (PriorObjective(trainee, RECIPE, of_prior, Group()), flow, images),
    ):
        loss, _ = objective(given, Moment(0, 0, 0.5))
        learn(loss, [p for p in learner.parameters() if p.requires_grad], objective.stage)


def test_a_restorer_learns_on_another_device(elsewhere):
    sizes = {"widths": (16, 16), "blocks_down": (1, 1), "blocks_up": (1,), "ladder_widths": (16, 16)}
    model = build_restorer(**sizes, latents=(2, 2), ladder_blocks=(1, 1))
    pair = Pair(torch.rand(2, 3, 16, 16), torch.rand(2, 3, 16, 16), torch.full((2,), -1.0))
    noise = draw_noise(model, pair.degraded.shape, None)
    for objective in (mean_objective, posterior_objective):
        model.zero_grad()
        loss, _ = objective(model, pair, Terms("l1", noise, 0.5, [0.1, 0.1]))
        learn(loss, [p for p in model.parameters() if p.requires_grad], RECIPE.stages[0])
