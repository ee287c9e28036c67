"""Several experts in one bundle: what each learns, what they share, and who restores what."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors.torch import load_file

from safelight.errors import RecipeError, UsageError
from safelight.ladder.restorer import build_experts
from safelight.learn.restore import calibrate, ood, quantise
from safelight.learn.restore.calibrate import safe_quantile
from safelight.learn.restore.data import training_pairs
from safelight.learn.restore.export import export_graphs, halved
from safelight.learn.store import build_store
from safelight.learn.train import read_recipe
from safelight.picture import Picture, read
from safelight.runtime.restore import Restorer
from tests.learn.training import train

TOGETHER = '[[stages]]\nobjective = "mean"\nsteps = 20\nbatch = 4\nwarmup_steps = 5\n'


@pytest.fixture
def two(recipe):
    """A recipe of two experts: first everything together, then each on its own."""
    text = recipe.read_text().replace("[card]", 'experts = ["noise", "files"]\n[card]', 1)
    text = text.replace("weight = 2", "weight = { noise = 3 }").replace(
        "weight = 1", "weight = { noise = 1, files = 1 }"
    )
    recipe.write_text(text.partition("[[stages]]")[0] + TOGETHER + OWN)
    return recipe


OWN = "".join(TOGETHER.replace('mean"', f'mean"\nexpert = "{name}"') for name in ("noise", "files"))


def test_each_expert_sees_its_own_mixture(two, pictures, tmp_path):
    recipe = read_recipe(two)
    assert recipe.mixture("noise") == (0.75, 0.25)
    assert recipe.mixture("files") == (0, 1)
    assert recipe.mixture() == (0.375, 0.625), "all of them see as much"
    store, _ = build_store(pictures, tmp_path / "cache", (1.0,), 64)
    told = {
        expert: [float(training_pairs(recipe, store, "s", expert=expert)[k].sigma_01) for k in range(60)]
        for expert in ("noise", "files")
    }
    assert max(told["noise"]) > 0 and max(told["files"]) == -1, "JPEG tells no noise level"


@pytest.mark.slow
def test_experts_part_after_what_they_learned_together(two, pictures, tmp_path):
    folder = tmp_path / "run"

    def weights():
        state = load_file(folder / "checkpoint" / "weights.safetensors")
        return (
            {k.removeprefix(f"{n}."): t for k, t in state.items() if k.startswith(f"{n}.")} for n in ("noise", "files")
        )

    assert not train(two, pictures, folder, stop_at=20)
    noise, files = weights()
    assert not torch.equal(noise["trunk.head.weight"], files["trunk.head.weight"]), "the other one has not begun"
    assert not train(two, pictures, folder, stop_at=21, resume=True)
    noise, files = weights()
    assert any(name.startswith("trunk.tail") and (t - files[name]).abs().max() > 0 for name, t in noise.items())
    assert all((t - files[name]).abs().max() < 0.05 for name, t in noise.items()), "one step apart"
    assert not train(two, pictures, folder, stop_at=59, resume=True)
    before, _ = noise, files
    noise, files = weights()
    assert not torch.equal(noise["trunk.head.weight"], before["trunk.head.weight"])
    assert not torch.equal(files["trunk.head.weight"], noise["trunk.head.weight"])


@pytest.mark.slow
def test_resume_is_exact_where_experts_part(two, pictures, tmp_path):
    def state(folder):
        return load_file(folder / "checkpoint" / "weights.safetensors") | {
            f"ema {k}": t for k, t in load_file(folder / "checkpoint" / "ema.safetensors").items()
        }

    assert not train(two, pictures, tmp_path / "whole", stop_at=25)
    for stop in (20, 21, 25):
        assert not train(two, pictures, tmp_path / "parts", stop_at=stop, resume=stop > 20)
    whole, parts = state(tmp_path / "whole"), state(tmp_path / "parts")
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_no_expert_ships_untrained(two, pictures, tmp_path):
    text = two.read_text()
    two.write_text(text.replace(TOGETHER + OWN, OWN.partition("\n[[")[0] + "\n"))
    with pytest.raises(UsageError, match="no stage teaches expert 'files'"):
        train(two, pictures, tmp_path / "run")


@pytest.mark.slow
def test_a_bundle_of_two_restores_by_either(two, pictures, tmp_path, monkeypatch):
    for module, name, few in (
        (ood, "REFERENCES", 32),
        (ood, "HELD_OUT", 16),
        (calibrate, "CALIBRATION_PATCHES", 16),
    ):
        monkeypatch.setattr(module, name, few)
    assert train(two, pictures, tmp_path / "run")
    bundle = tmp_path / "run" / "bundle"
    model = Restorer.load(bundle)
    assert any("not trained (noise, files)" in limit for limit in model.card.limits), "no stage of a posterior"
    assert model.card.experts == ("noise", "files")
    assert model.networks.ood_reference.error.shape == (32, 2)
    assert model.networks.ood_reference.correction.shape == (32, 2, 3)
    assert {
        "val_noise25_psnr_db",
        "val_recipe_psnr_db",
        "val_noise25_int8_psnr_db",
        "val_sample_mse_ratio",
    } <= model.card.measured.keys()
    experts = build_experts(model.card.experts, read_recipe(two).model.model_dump())
    y = torch.from_numpy(read(next(pictures.iterdir())).as_float()).permute(2, 0, 1)[None, :, :128, :128].contiguous()
    for name in model.card.experts:
        given = load_file(bundle / name / "weights.safetensors")
        assert all(tensor.dtype == torch.float16 for tensor in given.values())
        experts[name].load_state_dict({k: t.float() for k, t in given.items()}, strict=False)
        with torch.no_grad():
            mean = experts[name](y, torch.tensor([-1.0])).mean.numpy()
        np.testing.assert_allclose(model.networks.estimate(name, y.numpy()).mean, mean, atol=1e-4)
        for file in ("mean.onnx", "mean_int8.onnx"):
            graph = onnx.load(str(bundle / name / file), load_external_data=False).graph
            large = [t for t in graph.initializer if np.prod(t.dims) * 4 > 1024]
            assert large and all(t.external_data for t in large), "weights are stored once"
    told, together = [], two.read_text()
    two.write_text(
        together.replace("warmup_steps = 5", "warmup_steps = 1000000").replace(
            TOGETHER.replace("= 5", "= 1000000"), "", 1
        )
    )
    assert not train(two, pictures, tmp_path / "next", told.append, start=str(bundle), stop_at=1)
    assert sum("starts from tiny's" in line for line in told) == 2
    begun = load_file(tmp_path / "next" / "checkpoint" / "weights.safetensors")["files.trunk.head.weight"]
    torch.testing.assert_close(begun, load_file(bundle / "files" / "weights.safetensors")["trunk.head.weight"].float())
    two.write_text(together.replace('"files"', '"traces"').replace("files =", "traces ="))
    told.clear()
    assert not train(two, pictures, tmp_path / "third", told.append, start=str(bundle), stop_at=1)
    assert sum("starts from tiny's noise" in line for line in told) == 1, "what comes first is learned together"
    out = model.enhance(Picture(np.full((60, 50, 3), 90, np.uint8)), samples=1)
    assert out.expert in model.card.experts


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"files"]', '"noise"]', "different names"),
        ('"files"]', '"../files"]', "experts"),
        ('"files"]', '"other"]', "'files' is not among experts"),
        ('expert = "files"', 'expert = "fils"', "'fils' is not among experts"),
        ('"files"]', '"files", "third"]', "'third' has no way of going bad"),
        ("{ noise = 3 }", "{}", "names no expert"),
        ("{ noise = 3 }", "{ noise = 0 }", "more than 0"),
        ('expert = "files"\n', "", "comes before"),
        ('expert = "files"', 'expert = ""', "expert"),
        ('"files"]', '"half"]', "something in torch"),
        ('"files"]', '"first"]', "something in torch"),
        (OWN, "", "no stage names an expert"),
    ],
)
def test_wrong_experts_are_named(two, old, new, reason):
    text = two.read_text()
    assert old in text
    two.write_text(text.replace(old, new, 1))
    with pytest.raises(RecipeError, match=reason) as caught:
        read_recipe(two)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_8_bit_kernels_are_the_same_stored_or_rounded_when_loaded(two, pictures, tmp_path, monkeypatch):
    """And onnxruntime rounds them once: of its optimised graph no node rounds a kernel."""
    torch.manual_seed(0)
    model = halved(build_experts(("one",), {**read_recipe(two).model.model_dump(), "widths": (16, 264)})).first
    folder = tmp_path / "graphs"
    folder.mkdir()
    export_graphs(model, folder)
    store, _ = build_store(pictures, tmp_path / "cache", (1.0,), 64)
    pairs = training_pairs(read_recipe(two), store, "int8", 32)
    quantise.quantise(folder / "mean.onnx", folder / "rounded.onnx", pairs)
    monkeypatch.setattr(quantise, "_round_when_loaded", lambda graph, floats: None)
    quantise.quantise(folder / "mean.onnx", folder / "stored.onnx", pairs)
    assert (folder / "rounded.onnx").stat().st_size < 0.5 * (folder / "stored.onnx").stat().st_size
    feeds = {"degraded": pairs[0].degraded[None].numpy(), "sigma_01": np.float32([-1])}
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    rounded = onnxruntime.InferenceSession(str(folder / "rounded.onnx"), options).run(["mean"], feeds)[0]
    stored = onnxruntime.InferenceSession(str(folder / "stored.onnx")).run(["mean"], feeds)[0]
    np.testing.assert_array_equal(rounded, stored)
    graph = onnx.load(str(tmp_path / "optimised.onnx")).graph
    constant = {tensor.name for tensor in graph.initializer}
    assert not [n for n in graph.node if n.op_type in ("QuantizeLinear", "Cast") and n.input[0] in constant]


def test_a_level_is_kept_with_confidence(rng):
    """Of pictures whose errors differ by a common factor, nine sets in ten hold their level on all such pictures."""
    kept = []
    for _ in range(200):
        pictures = [np.sort(np.abs(rng.standard_normal(400) * np.exp(0.3 * rng.standard_normal()))) for _ in range(10)]
        unit = safe_quantile(pictures, 0.9)
        others = rng.standard_normal(40_000) * np.exp(0.3 * rng.standard_normal(40_000))
        kept.append(np.mean(np.abs(others) <= unit) >= 0.9)
    assert 0.8 < np.mean(kept) < 0.97
    one = [np.linspace(0, 1, 101)]
    assert safe_quantile(one, 0.5) == pytest.approx(0.5, abs=0.01), "one picture has no spread"
