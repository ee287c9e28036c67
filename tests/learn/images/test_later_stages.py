"""Stages after the first: a learned prior of the latents, and a decoder that is trained on."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import safelight
from safelight.bundle.images import card
from safelight.errors import RecipeError, UsageError
from safelight.ladder.image_vae import Sizes, build_image_vae
from safelight.learn.images import classify
from tests.learn.training import metrics
from tests.learn.training import train as run

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


@pytest.fixture(scope="module")
def with_prior(tmp_path_factory, folder, recipe_text) -> Path:
    """A run of a VAE that is not conditional, and of a prior that knows the classes."""
    home = tmp_path_factory.mktemp("prior")
    (home / "blobs.toml").write_text(recipe_text.replace("steps = 40", "steps = 120") + PRIOR_STAGE)
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
    logged = [line for line in metrics(with_prior) if line["stage"] == 1]
    assert any("flow_loss" in line for line in logged) and any("val_flow_loss" in line for line in logged)
    assert [*(with_prior / "previews").glob("1-*.png")]


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
def test_a_prior_resumes_exactly(with_prior, folder, recipe_text, tmp_path, unfinished):
    path = tmp_path / "blobs.toml"
    path.write_text(recipe_text + PRIOR_STAGE)
    run(path, folder, tmp_path / "whole")
    run(path, folder, tmp_path / "halved", stop_at=70)
    run(path, folder, tmp_path / "halved", resume=True)
    whole, halved = (load_file(tmp_path / name / "checkpoint" / "ema.safetensors") for name in ("whole", "halved"))
    for name, tensor in whole.items():
        torch.testing.assert_close(halved[name], tensor, rtol=0, atol=0)


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
