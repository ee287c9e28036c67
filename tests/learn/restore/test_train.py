"""Training end to end on four photographs: it learns, resumes exactly, exports, and the export restores."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from safelight.degrade import DegradeStep, draw, replay
from safelight.errors import BundleError, RecipeError, UsageError
from safelight.ladder.restorer import build_restorer
from safelight.learn import graphs
from safelight.learn.restore import calibrate, export, ood
from safelight.learn.train import read_recipe
from safelight.picture import Picture, read
from safelight.runtime.restore import Restorer
from tests.learn.training import metrics
from tests.learn.training import train as run
from tests.support import ROOT


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return {
        f"{name}/{key}": tensor
        for name in ("weights", "ema", "optimiser")
        for key, tensor in load_file(folder / "checkpoint" / f"{name}.safetensors").items()
    }


REDUCED = 'optimiser = "muon"\nprecision = "bfloat16"\n'


@pytest.mark.slow
@pytest.mark.parametrize(("stop", "workers", "more"), [(10, 0, ""), (30, 1, ""), (10, 1, REDUCED), (30, 0, REDUCED)])
def test_resume_is_exact_to_the_bit(recipe, pictures, tmp_path, monkeypatch, stop, workers, more):
    """20 steps == 10 + resume 10, in either stage, with and without a loader process."""
    wide = recipe.read_text().replace("widths = [8, 16]", "widths = [16, 16]").replace("[8, 8]", "[16, 16]")
    recipe.write_text(wide.replace("batch = 4\n", f"batch = 4\n{more}"))
    monkeypatch.setattr("safelight.learn.restore.train.finish", lambda *_: pytest.fail("not reached"))
    end = 20 if stop == 10 else 39
    assert not run(recipe, pictures, tmp_path / "whole", stop_at=end)
    assert not run(recipe, pictures, tmp_path / "parts", stop_at=stop, workers=workers)
    assert not run(recipe, pictures, tmp_path / "parts", stop_at=end, workers=workers, resume=True)
    whole, parts = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[key], parts[key]) for key in whole)
    logs = [(tmp_path / name / "metrics.jsonl").read_text().splitlines() for name in ("whole", "parts")]
    losses = [[json.loads(line).get("loss") for line in lines] for lines in logs]
    assert [x for x in losses[0] if x] == [x for x in losses[1] if x]


@pytest.fixture(scope="module")
def finished(tmp_path_factory, pictures, tiny_recipe) -> Iterator[Path]:
    """A whole run to its bundle."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "tiny.toml").write_text(
        tiny_recipe.replace("steps = 20\nbatch = 4\nwarmup", "steps = 150\nbatch = 8\nwarmup")
    )
    with pytest.MonkeyPatch.context() as few:
        few.setattr(ood, "REFERENCES", 64)
        few.setattr(ood, "HELD_OUT", 32)
        few.setattr(calibrate, "CALIBRATION_PATCHES", 32)
        assert run(folder / "tiny.toml", pictures, folder / "run")
    yield folder / "run"


@pytest.mark.slow
def test_a_run_learns_and_leaves_everything(finished):
    lines = [json.loads(line) for line in (finished / "metrics.jsonl").read_text().splitlines()]
    scores = [line["val_noise25_psnr_db"] for line in lines if "val_noise25_psnr_db" in line and line["stage"] == 0]
    assert scores[-1] > scores[0] + 0.2, "it learns"
    trained = [line for line in lines if "loss" in line]
    assert {line["stage"] for line in trained} == {0, 1}
    assert all(line["samples_per_s"] > 0 and 0 <= line["loader_wait_share"] <= 1 for line in trained)
    assert all(line["step_samples_per_s"] >= line["samples_per_s"] for line in trained)
    assert all(line["loader_samples_per_s"] > 0 for line in trained)
    assert any("rung1_kl_nats_per_dim" in line for line in trained)
    assert list((finished / "previews").glob("*.png"))


@pytest.mark.slow
def test_the_bundle_of_a_run_restores(finished, rng):
    model = Restorer.load(finished / "bundle")
    assert model.card.measured["onnx_parity"] <= 1e-4
    assert model.card.noise_inputs[0].stride_px == 1
    out = model.enhance(Picture(rng.integers(0, 256, (33, 50, 3), dtype=np.uint8)), samples=2)
    assert out.interval(0.9)[0].shape == (33, 50, 3)
    assert out.ood_score is None, "too small to say"
    assert not any("not trained" in limit for limit in model.card.limits)


@pytest.mark.slow
def test_the_8_bit_graph_says_nearly_the_same(finished, pictures):
    picture = read(next(pictures.iterdir())).with_depth(32)
    exact, rounded = (
        Restorer.load(finished / "bundle", precision=precision).enhance(picture, uncertainty=False).mean.pixels
        for precision in ("fp32", "int8")
    )
    difference = np.abs(exact - rounded)
    assert 0 < difference.mean() < 0.01
    assert difference.max() < 0.2


@pytest.mark.slow
def test_draws_vary_as_the_std_says(finished, pictures):
    """On the pictures of the calibration, degraded as there; the number of draws leaves a few per cent."""
    model = Restorer.load(finished / "bundle")
    drawn, told = 0.0, 0.0
    for k, path in enumerate(sorted(pictures.iterdir())):
        noisy = replay(read(path).as_float(), draw([DegradeStep.fixed("gaussian_noise", sigma_255=10 + 3 * k)], 0, k))
        out = model.enhance(Picture(noisy), samples=8)
        drawn += np.stack([s.pixels - out.mean.pixels for s in out.samples]).var(dtype=np.float64)
        told += np.square(out.std, dtype=np.float64).mean()
    assert drawn == pytest.approx(told, rel=0.2)


@pytest.mark.slow
def test_the_bundle_knows_what_it_was_trained_on(finished, pictures):
    model = Restorer.load(finished / "bundle")
    known = [model.enhance(read(path), uncertainty=False).ood_score for path in sorted(pictures.iterdir())[:6]]
    assert all(score is not None and 0 < score < 2 for score in known)
    stripes = np.zeros((160, 160, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    out = model.enhance(Picture(stripes), uncertainty=False)
    assert out.out_of_distribution and out.ood_score > 2 * max(known)


@pytest.mark.slow
def test_a_run_can_begin_with_a_bundles_weights(finished, recipe, pictures, tmp_path):
    told: list[str] = []
    start = str(finished / "bundle")
    recipe.write_text(recipe.read_text().replace("warmup_steps = 5", "warmup_steps = 1000000"))
    assert not run(recipe, pictures, tmp_path / "run", told.append, start=start, stop_at=1)
    begun = load_file(tmp_path / "run" / "checkpoint" / "weights.safetensors")
    given = load_file(finished / "bundle" / "main" / "weights.safetensors")
    assert all((begun[f"main.{name}"] - given[name]).abs().max() < 1e-5 for name in given)
    assert any(line.startswith("main starts from tiny's main") and "new" not in line for line in told)
    recipe.write_text(recipe.read_text().replace("widths = [8, 16]", "widths = [8, 12]"))
    with pytest.raises(UsageError, match="other sizes"):
        run(recipe, pictures, tmp_path / "other", told.append, start=start)


@pytest.mark.slow
def test_a_run_can_begin_with_a_file_of_averaged_weights(finished, recipe, pictures, tmp_path):
    told: list[str] = []
    recipe.write_text(recipe.read_text().replace("warmup_steps = 5", "warmup_steps = 1000000"))
    weights = finished / "checkpoint" / "ema.safetensors"
    assert not run(recipe, pictures, tmp_path / "run", told.append, start=str(weights), stop_at=1)
    begun = load_file(tmp_path / "run" / "checkpoint" / "weights.safetensors")
    given = load_file(weights)
    assert begun.keys() == given.keys() and all((begun[name] - given[name]).abs().max() < 1e-5 for name in given)
    assert any(line.startswith("main starts from ema.safetensors's main") for line in told)
    (tmp_path / "damaged.safetensors").write_bytes(weights.read_bytes()[:100])
    for name in ("damaged.safetensors", "missing.safetensors"):
        with pytest.raises(UsageError, match="give --start a bundle"):
            run(recipe, pictures, tmp_path / "other", start=str(tmp_path / name))


@pytest.mark.slow
def test_a_smaller_trunk_is_refused(finished, recipe, pictures, tmp_path):
    """Blocks that the recipe does not have would be lost without a word."""
    recipe.write_text(recipe.read_text().replace("blocks_down = [1, 1]", "blocks_down = [0, 1]"))
    with pytest.raises(UsageError, match="other sizes"):
        run(recipe, pictures, tmp_path / "run", start=str(finished / "bundle"))


@pytest.mark.slow
def test_export_that_differs_is_refused(finished, tmp_path, monkeypatch):
    recipe = read_recipe(finished.parent / "tiny.toml")
    from safelight.learn.restore.finish import load_model
    from safelight.learn.run import RunFolder

    model = export.halved(load_model(recipe, RunFolder(finished)))
    for wrong in (2e-4, float("nan")):
        monkeypatch.setattr(graphs, "differences", lambda *_, wrong=wrong: [0.0, wrong])
        with pytest.raises(BundleError, match="not exported"):
            export.export_graphs(model["main"], tmp_path)


@pytest.mark.slow
def test_runs_are_not_mixed_up(recipe, pictures, tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(UsageError, match="nothing to resume"):
        run(recipe, pictures, folder, resume=True)
    assert not run(recipe, pictures, folder, stop_at=2)
    (tmp_path / "spare.json").write_text((folder / "run.json").read_text())
    with pytest.raises(UsageError, match="go on with --resume"):
        run(recipe, pictures, folder)
    good = recipe.read_text()
    recipe.write_text(good.replace("[10, 90]", "[10, 80]"))
    with pytest.raises(UsageError, match=r"another recipe: degrade.1.steps.0.quality.1 was 90 and is 80"):
        run(recipe, pictures, folder, resume=True)
    recipe.write_text(good)
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"stage": 0, "st')  # cut off by a kill
    assert not run(recipe, pictures, folder, resume=True, stop_at=3)
    assert all(json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines())
    for name, mend in (("run.json", "choose another --run"), ("checkpoint/progress.json", "choose another --run")):
        (folder / name).write_text("{")
        with pytest.raises(UsageError, match=mend):
            run(recipe, pictures, folder, resume=True)
        if name == "run.json":
            (folder / name).write_text((tmp_path / "spare.json").read_text())


def test_too_few_pictures_say_so(recipe, pictures, tmp_path):
    few = tmp_path / "few"
    few.mkdir()
    with pytest.raises(UsageError, match="no usable picture"):
        run(recipe, few, tmp_path / "run")
    one = next(pictures.iterdir())
    (few / one.name).write_bytes(one.read_bytes())
    (few / "broken.png").write_bytes(b"no")
    (few / "folder.jpg").mkdir()
    (few / "dangling.png").symlink_to("nowhere")
    with pytest.raises(UsageError, match="add pictures"):
        run(recipe, few, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "grown"),
    [
        ("blocks_down = [1, 1]", "blocks_down = [1, 3]", "2 new blocks"),
        ("widths = [8, 16]", "widths = [12, 24]", "wider"),
    ],
)
def test_a_grown_trunk_computes_what_it_grew_from(finished, recipe, pictures, tmp_path, old, new, grown):
    """New blocks add nothing at first, and nothing reads new channels yet."""
    told: list[str] = []
    text = recipe.read_text().replace(old, new).replace("warmup_steps = 5", "warmup_steps = 1000000")
    recipe.write_text(text)
    assert not run(recipe, pictures, tmp_path / "run", told.append, start=str(finished / "bundle"), stop_at=1)
    assert any(grown in line for line in told)
    model, larger = (
        build_restorer(**read_recipe(path).model.model_dump()) for path in (finished.parent / "tiny.toml", recipe)
    )
    given = load_file(finished / "bundle" / "main" / "weights.safetensors")
    model.load_state_dict({name: tensor.float() for name, tensor in given.items()}, strict=False)
    begun = load_file(tmp_path / "run" / "checkpoint" / "weights.safetensors")
    larger.load_state_dict({name.removeprefix("main."): tensor for name, tensor in begun.items()})
    y, unknown = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)), torch.tensor([-1.0])
    torch.testing.assert_close(larger(y, unknown).mean, model(y, unknown).mean, rtol=0, atol=1e-4)
    assert sum(p.numel() for p in larger.parameters()) > sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('name = "tiny"', 'name = "Not OK"', "name"),
        ("patch_px = 16", "patch_px = 18", "multiple of 4"),
        ("patch_px = 16", "patch = 16", "data.patch"),
        ("widths = [8, 16]", "widths = [8]", "ladder_widths|blocks_down"),
        ("quality = [10, 90]", "qualty = [10, 90]", "takes no 'qualty'"),
        ("quality = [10, 90]", "quality = [90, 10]", "is no range"),
        ('kind = "jpeg"', 'kind = "jpg"', "not known"),
        ("tell_sigma = 0.5", "tell_sigma = 2", "tell_sigma"),
        ('objective = "posterior"', 'objective = "vibes"', "objective"),
        ("weight = 2", "weight = ", "not valid TOML"),
        ('objective = "posterior"', 'objective = "posterior"\nfree_nats = [0.1]', "one entry per scale"),
        ('objective = "mean"', 'objective = "mean"\noptimiser = "sgd"', "optimiser"),
        ('objective = "mean"', 'objective = "mean"\npatch_px = 18', "multiple of 4"),
    ],
)
def test_wrong_recipes_name_file_key_and_reason(recipe, old, new, reason):
    recipe.write_text(recipe.read_text().replace(old, new, 1))
    with pytest.raises(RecipeError, match=reason) as caught:
        read_recipe(recipe)
    assert str(recipe) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_published_recipe_loads():
    recipes = sorted((ROOT / "recipes").rglob("*.toml"))
    assert recipes
    for path in recipes:
        if path.name == "augment.toml":  # tests/augmentation/test_recipes.py
            with pytest.raises(RecipeError, match="safelight augment"):
                read_recipe(path)
            continue
        assert read_recipe(path).name == path.stem
        assert path.read_text().startswith("# safelight train recipes/")


@pytest.mark.slow
def test_two_processes_do_what_one_does(recipe, pictures, tmp_path):
    """The same pairs, noise and losses of both objectives, each process with half. In float32, for equal rounding."""
    recipe.write_text(recipe.read_text().replace("batch = 4", 'batch = 4\nprecision = "float32"'))
    recipe.write_text(recipe.read_text().replace('"posterior"', '"posterior"\nfree_nats = [0.1, 0.2]'))
    for processes in (1, 2):
        assert not run(recipe, pictures, tmp_path / str(processes), stop_at=35, processes=processes)
    one, two = (metrics(tmp_path / name) for name in ("1", "2"))
    for name in ("loss", "val_psnr_db", "neg_elbo_nats_per_value"):
        values, others = ([line[name] for line in lines if name in line] for lines in (one, two))
        assert others == pytest.approx(values, rel=1e-3) and (values or name.startswith("val"))
