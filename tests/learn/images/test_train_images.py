"""A VAE of a folder end to end: it learns, resumes exactly, exports, and the export does what the model does."""

import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import safelight
from safelight.errors import RecipeError, UsageError
from safelight.ladder.image_vae import Sizes, build_image_vae
from safelight.learn.images import classify
from safelight.learn.images.export import export_graphs
from safelight.learn.images.objectives import Trainee, image_objective
from safelight.learn.images.recipe import StageSettings
from safelight.learn.task import Group
from safelight.picture import read
from tests.learn.training import edit, metrics
from tests.learn.training import train as run


@pytest.fixture(scope="module")
def finished(tmp_path_factory, folder, recipe_text) -> Iterator[Path]:
    """A whole run of a conditional model to its bundle."""
    home = tmp_path_factory.mktemp("finished")
    longer = recipe_text.replace("[model]", "[model]\nconditional = true").replace("steps = 40", "steps = 300")
    (home / "blobs.toml").write_text(longer)
    with pytest.MonkeyPatch.context() as few:
        few.setattr(classify, "MOST_STEPS", 60)
        assert run(home / "blobs.toml", folder, home / "run")
    yield home / "run"


@pytest.mark.slow
def test_a_run_learns_and_leaves_everything(finished):
    scores = [line for line in metrics(finished) if "val_loss" in line]
    assert scores[-1]["val_mse"] < 0.6 * scores[0]["val_mse"]
    assert scores[-1]["val_active_units"] >= 3
    assert list((finished / "previews").glob("*.png"))
    logged = [line for line in metrics(finished) if "loss" in line]
    assert all(line["samples_per_s"] > 0 for line in logged)
    last = logged[-1]
    assert last["neg_elbo_nats"] == pytest.approx(last["distortion_nats"] + last["rate_nats"], rel=1e-4)


@pytest.mark.slow
def test_the_bundle_does_what_the_model_did(finished, folder):
    vae = safelight.Vae.load(finished / "bundle")
    assert vae.card.measured["onnx_parity"] <= 1e-4
    assert vae.card.classes == ("disc", "square") and vae.card.conditional
    x = vae.prepare([read(path) for path in sorted((folder / "disc").iterdir())[:20]])
    labels = [0] * 20
    error = np.square(vae.reconstruct(x, labels) - x).mean()
    assert error == pytest.approx(vae.card.measured["val_mse"], rel=0.7)
    assert error < 0.5 * x.var()
    calm, wild = (np.square(vae.perturb(x, labels, t) - x).mean() for t in (0.1, 2.0))
    assert error * 0.99 < calm < wild
    elbo, bound = vae.elbo(x, labels, draws=64), vae.score(x, labels, 64).log_likelihood_nats
    assert (bound > elbo).all() and np.isfinite(bound).all()
    as_in_training = 256 * math.log(256) - elbo.mean()  # 16 x 16 values of 8 bits
    assert as_in_training == pytest.approx(vae.card.measured["val_neg_elbo_nats"], abs=55)
    features, logits = vae.features(x)
    assert features.shape == (20, classify.FEATURES) and logits.shape == (20, 2)


@pytest.mark.slow
def test_samples_depend_on_seed_number_and_class(finished):
    vae = safelight.Vae.load(finished / "bundle")
    for sampler in ("prior", "aggregate"):
        few, many = (vae.sample(n, [1] * n, seed=3, sampler=sampler) for n in (2, 5))
        np.testing.assert_allclose(many[:2], few, atol=1e-5)
        assert np.abs(vae.sample(2, [1, 1], seed=4, sampler=sampler) - few).max() > 0.01
        assert np.abs(vae.sample(2, [0, 0], seed=3, sampler=sampler) - few).max() > 1e-4
    latents = vae.draw_latents(1, [0], seed=1)
    way = vae.interpolate(latents, vae.draw_latents(1, [0], seed=2), 5)
    np.testing.assert_allclose([u[0] for u in way], [u[0] for u in latents], atol=1e-6)
    lengths = [np.linalg.norm(step) for step in way[0]]
    assert min(lengths) > 0.5 * max(lengths), "it stays near the sphere"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ask", "reason"),
    [
        (lambda vae, x: vae.encode(x[:, :8], [0]), "have shape"),
        (lambda vae, x: vae.encode(2 * x, [0]), r"scale them to \[0, 1\]"),
        (lambda vae, x: vae.encode(x * np.nan, [0]), "scale them"),
        (lambda vae, x: vae.encode(x), "conditional on a class"),
        (lambda vae, x: vae.encode(x, [2]), "0 to 1"),
        (lambda vae, x: vae.encode(x, [0, 1]), "for each of 1 pictures"),
        (lambda vae, x: vae.decode([np.zeros((1, 3, 4, 4))], [0]), "latents have shapes"),
        (lambda vae, x: vae.sample(0, []), "ask for 1 or more"),
        (lambda vae, x: vae.sample(1, [0], sampler="magic"), "use one of auto, flow, aggregate, prior"),
    ],
)
def test_wrong_arrays_are_refused_in_a_line(finished, ask, reason):
    with pytest.raises(UsageError, match=reason) as caught:
        ask(safelight.Vae.load(finished / "bundle"), np.full((1, 16, 16, 1), 0.7, np.float32))
    assert "\n" not in str(caught.value)


VARIANTS = {
    "plain": "",
    "muon, bfloat16": 'optimiser = "muon"\nprecision = "bfloat16"\n',
    "importance-weighted": "importance_samples = 3\n",
    "autoencoder": "beta = 0\n",
    "free bits": "beta = 2\nfree_nats = [0, 0.1]\n",
    "critic": "adversarial = 0.1\n",
}


@pytest.mark.parametrize(
    "more",
    [pytest.param(v, id=k, marks=() if k == "plain" else pytest.mark.slow) for k, v in VARIANTS.items()],
)
def test_resume_is_exact_to_the_bit(recipe, folder, tmp_path, more):
    recipe.write_text(recipe.read_text() + more)
    assert not run(recipe, folder, tmp_path / "whole", stop_at=16)
    assert not run(recipe, folder, tmp_path / "parts", stop_at=7)
    assert not run(recipe, folder, tmp_path / "parts", stop_at=16, resume=True)
    for name in ("weights", "ema", "optimiser"):
        whole, parts = (load_file(tmp_path / k / "checkpoint" / f"{name}.safetensors") for k in ("whole", "parts"))
        assert whole.keys() == parts.keys() and all(torch.equal(whole[key], parts[key]) for key in whole), name


@pytest.mark.slow
def test_a_budget_ends_the_run_and_its_schedule(recipe, folder, tmp_path, unfinished):
    edit(recipe, ("steps = 40", "steps = 100000"))
    assert run(recipe, folder, tmp_path / "run", budget_s=3.0)
    logged = [line for line in metrics(tmp_path / "run") if "loss" in line]
    assert 3.0 <= logged[-1]["seconds"] < 4.0
    assert logged[-1]["learning_rate"] < 0.1 * max(line["learning_rate"] for line in logged)


@pytest.mark.slow
def test_two_processes_do_what_one_does(recipe, folder, tmp_path):
    """The same batches, noise and losses, each process with half. In float32: bfloat16 rounds halves differently."""
    edit(recipe, ("steps = 40", 'steps = 40\nprecision = "float32"'))
    assert not run(recipe, folder, tmp_path / "one", stop_at=10)
    command = [Path(sys.executable).parent / "torchrun", "--nproc_per_node=2", "--master_port=29611", "-m", "--"]
    command += [
        "safelight",
        "train",
        recipe,
        "--data",
        folder,
        "--run",
        tmp_path / "two",
        "--cache",
        tmp_path / "cache",
    ]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    whole = [*map(str, command), "--stop-at", "10"]
    done = subprocess.run(whole, capture_output=True, text=True, env=environment, timeout=120)
    one, two = ([line["loss"] for line in metrics(tmp_path / k) if "loss" in line] for k in ("one", "two"))
    assert len(one) == 2 and "stopped; go on with" in done.stderr
    assert two == pytest.approx(one, rel=1e-4)


@pytest.mark.parametrize("left", [".new", ".old"])
def test_killed_between_two_renames_it_goes_on(recipe, folder, tmp_path, left):
    assert not run(recipe, folder, tmp_path / "run", stop_at=6)
    (tmp_path / "run" / "checkpoint").rename(tmp_path / "run" / f"checkpoint{left}")
    assert not run(recipe, folder, tmp_path / "run", stop_at=9, resume=True)
    half = tmp_path / "run" / "checkpoint.new"
    half.mkdir()
    (half / "weights.safetensors").write_bytes(b"cut off")
    assert not run(recipe, folder, tmp_path / "run", stop_at=12, resume=True)


def test_tensorboard_is_told_what_the_metrics_are_and_missed_in_a_line(recipe, folder, tmp_path, monkeypatch):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert not run(recipe, folder, tmp_path / "run", stop_at=12, tensorboard=True)
    board = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    told = [(event.step, event.value) for event in board.Scalars("stage 1/loss")]
    logged = [(line["step"], line["loss"]) for line in metrics(tmp_path / "run") if "loss" in line]
    assert told == [(step, pytest.approx(loss, rel=1e-4)) for step, loss in logged]
    assert [step for step, _ in told] == [5, 10, 12]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(UsageError, match="pip install tensorboard, or leave it out"):
        run(recipe, folder, tmp_path / "other", tensorboard=True)


def test_a_changed_recipe_is_not_resumed_and_the_difference_is_said(recipe, folder, tmp_path):
    assert not run(recipe, folder, tmp_path / "run", stop_at=6)
    edit(recipe, ("3e-3", "2e-3"))
    with pytest.raises(UsageError, match=r"stages\.0\.learning_rate was 0\.003 and is 0\.002"):
        run(recipe, folder, tmp_path / "run", resume=True)


SIZES = "widths = [8, 16]\nlatents = [0, 2]\nblocks = [1, 1]"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('name = "blobs"', 'name = "No Good"', "name"),
        ("[data]", "[data]\nsize_px = 8", "size_px"),
        ("latents = [0, 2]", "latents = [0, 0]", "must not be 0 at the coarsest scale"),
        ("latents = [0, 2]", "latents = [2]", "equally long"),
        (SIZES, 'size = "huge"', "size"),
        (SIZES, "widths = [8, 8, 8, 8, 8, 8]\nlatents = [0, 0, 0, 0, 0, 2]\nblocks = [1, 1, 1, 1, 1, 1]", "too many"),
        ("steps = 40", "steps = 40\nimportance_samples = 2\nbeta = 2", "bound of its own"),
        ("steps = 40", "steps = 40\nbeeta = 2", "beeta"),
        ("steps = 40", "steps = 40\nfree_nats = [0, 0, 0.1]", "one entry for each scale of the model, which are 2"),
        ("[data]", "[data]\nbogus = 1", "data.bogus"),
        ("[model]", '[model]\nlikelihood = "bernoulli"', "give data.binarise_seed"),
        ('task = "images"', 'task = "imagery"', "use restore or images"),
    ],
)
def test_wrong_recipes_say_what_to_mend(recipe, folder, tmp_path, old, new, reason):
    edit(recipe, (old, new))
    with pytest.raises(RecipeError, match=reason) as caught:
        run(recipe, folder, tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_free_bits_are_free_and_no_more():
    """A rung below its floor costs the floor, and has no gradient; one above costs its rate."""
    kl = tuple(
        torch.full(shape, nats, requires_grad=True) for shape, nats in (((2, 1, 4, 4), 0.3), ((2, 2, 2, 2), 0.05))
    )
    likelihood = SimpleNamespace(log_prob=lambda x: torch.zeros_like(x))
    output = SimpleNamespace(likelihood=likelihood, kl_nats=kl)
    stage = StageSettings(steps=1, kl_warmup_share=0)
    loss, log = image_objective(output, torch.zeros(2, 1, 8, 8), stage, 1.0, Group())
    assert loss.item() == pytest.approx((16 * 0.3 + 8 * 0.1) / 64), "0.1 for the coarser rung, by default"
    assert log["rate_nats"].item() == pytest.approx(16 * 0.3 + 8 * 0.05), "what is logged is true"
    loss.backward()
    assert kl[0].grad.abs().sum() > 0 and not kl[1].grad.any()
    without = stage.model_copy(update={"free_nats_of_coarser": 0.0, "beta": 2.0})
    loss, _ = image_objective(output, torch.zeros(2, 1, 8, 8), without, 1.0, Group())
    assert loss.item() == pytest.approx(2 * (16 * 0.3 + 8 * 0.05) / 64)


@pytest.mark.slow
@pytest.mark.parametrize("likelihood", ["bernoulli", "logistic_mixture"])
def test_graphs_of_a_very_confident_model_do_not_underflow(tmp_path, likelihood):
    """Logits in the hundreds: the exporter's own log(sigmoid(x)) would be minus infinity."""
    torch.manual_seed(0)
    vae = build_image_vae(1, (16, 16), Sizes((8, 8), (0, 2), (1, 1)), likelihood)
    with torch.no_grad():
        vae.ladder.tail.weight.normal_(0, 300)
    assert export_graphs(Trainee(vae), tmp_path) <= 1e-4
