"""Stages after the first: a decoder that is trained on, the detail that it lacks, a learned prior of the latents."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import safelight
from safelight.bundle import VaeCard, find_bundle
from safelight.bundle.images import card
from safelight.errors import RecipeError, UsageError
from safelight.ladder.detail import DetailFlow
from safelight.ladder.image_vae import Sizes, build_image_vae
from safelight.learn.images import classify, finish
from safelight.learn.images.data import Images
from safelight.learn.images.detail import DetailObjective, mean_of
from safelight.learn.images.objectives import Trainee
from safelight.learn.images.recipe import ImagesRecipe
from safelight.learn.seeds import torch_generator
from safelight.learn.task import Group, Moment
from tests.learn.training import metrics
from tests.learn.training import train as run

DETAIL_STAGE = """
[detail]
width = 8
steps = 2

[[stages]]
trains = "detail"
steps = 60
batch = 16
learning_rate = 2e-3
"""
PRIOR_STAGE = """
[prior]
width = 64
depth = 1

[[stages]]
trains = "prior"
steps = 60
batch = 16
learning_rate = 2e-3
"""
DETAIL_RECIPE = ImagesRecipe.model_validate(
    {
        "task": "images",
        "name": "x",
        "card": {"summary": "x", "data_licences": "x"},
        "stages": [{"steps": 10, "batch": 4}, {"steps": 10, "batch": 4, "trains": "detail", "precision": "float32"}],
    }
)


@pytest.fixture(scope="module")
def with_prior(tmp_path_factory, folder, recipe_text) -> Path:
    """A run of a VAE that is not conditional, of the detail that it lacks, and of a prior that knows the classes."""
    home = tmp_path_factory.mktemp("prior")
    (home / "blobs.toml").write_text(recipe_text.replace("steps = 40", "steps = 120") + DETAIL_STAGE + PRIOR_STAGE)
    with pytest.MonkeyPatch.context() as few:
        few.setattr(classify, "MOST_STEPS", 60)
        few.setattr(card, "WELL_ABOVE_CHANCE", 0)
        assert run(home / "blobs.toml", folder, home / "run")
    return home / "run"


@pytest.mark.slow
def test_a_learned_prior_samples_without_torch_and_by_class(with_prior, tmp_path):
    vae = safelight.Vae.load(with_prior / "bundle")
    assert {*vae.samplers} == {"flow", "aggregate", "prior"} and vae.card.measured["val_flow_loss"] > 0
    few, many = (vae.sample(count, [1] * count, seed=3, sampler="flow") for count in (2, 70))
    np.testing.assert_allclose(many[:2], few, atol=1e-4)
    assert np.abs(vae.sample(2, [0, 0], seed=3, sampler="flow") - few).max() > 1e-3
    assert vae.sample(3, seed=1).shape == (3, 16, 16, 1)
    with pytest.raises(UsageError, match="labels must be one of 0 to 1"):
        vae.sample(1, [2])
    code = "import sys, safelight; safelight.Vae.load(sys.argv[1]).sample(2); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code, str(with_prior / "bundle")], check=True)
    for stage, loss in ((1, "detail_loss"), (2, "flow_loss")):
        logged = [line for line in metrics(with_prior) if line["stage"] == stage]
        assert any(loss in line for line in logged) and any(f"val_{loss}" in line for line in logged)
        assert [*(with_prior / "previews").glob(f"{stage}-*.png")]


@pytest.mark.slow
def test_samples_have_a_detail_that_decoded_means_lack(with_prior):
    trained = safelight.Vae.load(with_prior / "bundle")
    assert trained.card.measured["val_detail_loss"] < 1.8, "a flow that knows nothing has 2"
    vae = with_detail_card(trained, is_drawn=True, steps=2)
    means = vae.decode(vae.draw_latents(70, seed=3))
    pictures = vae.sample(70, seed=3)
    np.testing.assert_array_equal(vae.with_detail(means, seed=3), pictures)
    np.testing.assert_allclose(vae.with_detail(means[:2], seed=3), pictures[:2], atol=1e-5)
    scale = vae.card.detail.scale[0]
    assert 0.3 * scale < (pictures - means).std() < 3 * scale
    moved, alike = vae.with_detail(means[:1].repeat(2, 0)), vae.with_detail(means[:1].repeat(2, 0), is_way=True)
    assert np.abs(moved[0] - moved[1]).max() > scale and np.abs(alike[0] - alike[1]).max() < 1e-5
    with pytest.raises(UsageError, match=r"scale them to \[0, 1\]"):
        vae.with_detail(2 + means)
    np.testing.assert_array_equal(with_detail_card(trained, is_drawn=False).sample(70, seed=3), means)
    plain = safelight.Vae(replace(vae.bundle, card=vae.card.model_copy(update={"detail": None})))
    np.testing.assert_array_equal(plain.with_detail(means), means)
    cold = vae.sample(70, seed=3, temperature=0.5) - vae.decode(vae.draw_latents(70, temperature=0.5, seed=3))
    assert cold.std() == pytest.approx((pictures - means).std(), rel=0.3), "temperature is that of the latents"


def with_detail_card(vae, **changes):
    """The same model with another card."""
    detail = vae.card.detail.model_copy(update=changes)
    return safelight.Vae(replace(vae.bundle, card=vae.card.model_copy(update={"detail": detail})))


@pytest.mark.slow
@pytest.mark.parametrize(("worth", "is_drawn"), [(0.0, False), (1e9, True)])
def test_detail_is_drawn_where_it_makes_samples_much_nearer(with_prior, tmp_path, monkeypatch, worth, is_drawn):
    shutil.copytree(with_prior / "bundle", tmp_path / "bundle")
    monkeypatch.setattr(finish, "DETAIL_WORTH", worth)
    monkeypatch.setattr(card, "WELL_ABOVE_CHANCE", 0)
    bundle = find_bundle(tmp_path / "bundle", VaeCard)
    known = finish.with_best_samples(bundle, FewPictures(24), "train", seed=1).card
    assert known.draws_detail == is_drawn
    flow, aggregate, detail = (
        known.measured[f"train_{name}_frechet_distance"] for name in ("flow", "aggregate", "detail")
    )
    assert detail not in (flow, aggregate)
    words = finish.detail_in_words(known)
    assert words.startswith(f"samples get {'detail' if is_drawn else 'no detail'}: with it their distance")


class FewPictures:
    """Held-out pictures, as a training has them."""

    def __init__(self, count):
        self.drawn, self.labels = np.random.default_rng(0).integers(0, 255, (count, 16, 16, 1)), np.arange(count) % 2

    def __len__(self):
        return len(self.labels)

    def pixels(self, numbers):
        return self.drawn[numbers].astype(np.uint8), np.asarray(numbers)


@pytest.mark.slow
def test_the_best_sampler_is_chosen_by_held_out_pictures(with_prior):
    vae = safelight.Vae.load(with_prior / "bundle")
    of_flow, of_aggregate = (vae.card.measured[f"val_{name}_frechet_distance"] for name in ("flow", "aggregate"))
    assert vae.card.prior.is_best == (of_flow <= of_aggregate)
    assert vae.samplers[0] == vae.chosen("auto") == ("flow" if of_flow <= of_aggregate else "aggregate")
    other = vae.card.model_copy(update={"prior": vae.card.prior.model_copy(update={"is_best": of_flow > of_aggregate})})
    assert safelight.Vae(replace(vae.bundle, card=other)).chosen("auto") != vae.chosen("auto")


@pytest.mark.slow
def test_training_a_prior_leaves_the_vae_as_it_was(with_prior, folder):
    weights = load_file(with_prior / "checkpoint" / "weights.safetensors")
    average = load_file(with_prior / "checkpoint" / "ema.safetensors")
    for name, tensor in average.items():
        if name.startswith("vae."):
            torch.testing.assert_close(tensor, weights[name])
    assert (average["prior.stds.0"] != 1).any()


@pytest.mark.slow
def test_detail_and_prior_resume_exactly(with_prior, folder, recipe_text, tmp_path, unfinished):
    path = tmp_path / "blobs.toml"
    path.write_text(recipe_text + DETAIL_STAGE + PRIOR_STAGE)
    run(path, folder, tmp_path / "whole")
    for stop_at in (70, 130):  # in the second stage, and in the third
        run(path, folder, tmp_path / "halved", stop_at=stop_at, resume=stop_at > 70)
    run(path, folder, tmp_path / "halved", resume=True)
    whole, halved = (load_file(tmp_path / name / "checkpoint" / "ema.safetensors") for name in ("whole", "halved"))
    for name, tensor in whole.items():
        torch.testing.assert_close(halved[name], tensor, rtol=0, atol=0)


def test_black_and_white_pictures_have_no_detail(recipe_text, folder, tmp_path):
    path = tmp_path / "blobs.toml"
    binary = recipe_text.replace("[model]", '[model]\nlikelihood = "bernoulli"')
    path.write_text(binary.replace("[data]", "[data]\nbinarise_seed = 1") + DETAIL_STAGE)
    with pytest.raises(RecipeError, match="have no detail to learn"):
        run(path, folder, tmp_path / "run")


def test_detail_of_large_pictures_is_learned_in_patches(monkeypatch):
    seen = []
    vae = build_image_vae(1, (80, 72), Sizes(widths=(4, 4), latents=(0, 1), blocks=(1, 1)), "gaussian")
    torch.nn.init.normal_(vae.ladder.tail.weight)
    monkeypatch.setattr(DetailFlow, "forward", lambda self, x, mean, time: seen.append((x, mean)) or 0 * x)
    images = Images(torch.rand(2, 1, 80, 72), None)
    objective = DetailObjective(Trainee(vae, detail=DetailFlow(1, 4)), DETAIL_RECIPE, DETAIL_RECIPE.stages[1], Group())
    objective(images, Moment(1, 5, 0.5))
    [(x, mean)] = seen
    whole = mean_of(vae, images, vae.draw_noise(2, torch_generator(1, "detail", 1, 5)), is_noisy=True)
    places = [
        (row, column)
        for row in range(17)
        for column in range(9)
        if torch.equal(whole[:, :, row : row + 64, column : column + 64], mean)
    ]
    assert x.shape == (2, 1, 64, 64) and len(places) == 1


@pytest.mark.parametrize("likelihood", ["gaussian", "logistic_mixture"])
def test_two_processes_share_a_batch_of_detail(likelihood):
    torch.manual_seed(0)
    vae = build_image_vae(3, (16, 16), Sizes((4, 4), (0, 1), (1, 1)), likelihood, classes=2)
    trainee = Trainee(vae, detail=DetailFlow(3, 4))
    torch.nn.init.normal_(trainee.detail.tail.weight)
    x, labels = torch.rand(4, 3, 16, 16), torch.tensor([0, 1, 1, 0])

    def loss(group):
        part = group.part(4)
        objective = DetailObjective(trainee, DETAIL_RECIPE, DETAIL_RECIPE.stages[1], group)
        return objective(Images(x[part], labels[part]), Moment(1, 5, 0.5))[0].item()

    halves = [loss(Group(k, 2)) for k in (0, 1)]
    assert halves[0] != halves[1] and sum(halves) / 2 == pytest.approx(loss(Group()))


def test_stages_of_a_prior_come_last(recipe_text, folder, tmp_path):
    path = tmp_path / "blobs.toml"
    path.write_text(recipe_text.replace("[[stages]]", PRIOR_STAGE + "[[stages]]"))
    with pytest.raises(RecipeError, match="stages come in this order"):
        run(path, folder, tmp_path / "run")


def test_what_stands_after_the_latents_changes_none_of_them():
    torch.manual_seed(0)
    vae = build_image_vae(1, (16, 16), Sizes(widths=(8, 8, 8), latents=(0, 2, 2), blocks=(1, 1, 1)), "gaussian")
    x, generator = torch.rand(4, 1, 16, 16), torch.Generator().manual_seed(0)
    vae.initialise_from_data(x, generator)
    noise = vae.draw_noise(4, generator)
    before = vae(x, noise)
    with torch.no_grad():
        for module in vae.after_latents:
            for parameter in module.parameters():
                parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    after = vae(x, noise)
    for old, new in zip(before.latents, after.latents, strict=True):
        torch.testing.assert_close(new, old, rtol=0, atol=0)
    assert (after.likelihood.mean - before.likelihood.mean).abs().max() > 0.01


@pytest.mark.slow
def test_a_decoder_is_sharpened_by_a_critic_and_a_classifier(recipe_text, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(classify, "MOST_STEPS", 30)
    stage = '\n[[stages]]\ntrains = "decoder"\nsteps = 20\nbatch = 8\nadversarial = 0.1\nperceptual = 0.5\n'
    path = tmp_path / "blobs.toml"
    path.write_text(recipe_text + stage)
    assert run(path, folder, tmp_path / "run")
    logged = [line for line in metrics(tmp_path / "run") if line["stage"] == 1]
    assert any("perceptual_distance" in line and "critic_loss" in line for line in logged)
    vae = safelight.Vae.load(tmp_path / "run" / "bundle")
    assert vae.has_classifier and vae.samplers == ("aggregate", "prior")


def test_a_perceptual_term_needs_classes(recipe_text, tmp_path):
    path, pictures = tmp_path / "blobs.toml", tmp_path / "set"
    pictures.mkdir()
    for k in range(40):
        safelight.write(safelight.Picture(np.full((16, 16, 1), k, np.uint8)), pictures / f"{k}.png")
    path.write_text(recipe_text + "perceptual = 1\n")
    with pytest.raises(RecipeError, match="the set has no classes"):
        run(path, pictures, tmp_path / "run")


def test_shares_of_the_budget_are_for_all_stages_or_none(recipe_text, folder, tmp_path):
    path = tmp_path / "blobs.toml"
    path.write_text(recipe_text + "budget_share = 3\n" + PRIOR_STAGE)
    with pytest.raises(RecipeError, match="for all stages, or for none"):
        run(path, folder, tmp_path / "run")
