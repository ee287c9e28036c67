"""A codec is trained, resumed, exported, and works."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from safelight.bundle import CodecCard, find_bundle
from safelight.errors import RecipeError, UsageError
from safelight.ladder.codec import logistic_bits
from safelight.learn.train import read_recipe
from safelight.picture import Picture, read
from safelight.runtime.codec import Codec, run_every_graph
from tests.learn.training import edit, metrics, same, train
from tests.support import ROOT

RECIPE = """
task = "codec"
name = "small"
validate_every = 6
log_every = 2
[card]
summary = "a test"
data_licences = "CC0"
[data]
validation_share = 0.6
[model]
groups = [{ channels = 4, parities = 2 }, { channels = 8, parities = 1 }]
widths = [16, 16, 16]
depths = [1, 1, 1]
context_width = 16
hyper_channels = 4
levels = 3
[[stages]]
steps = 6
batch = 2
patch_px = 64
warmup_steps = 1
optimiser = "muon"
"""
SAMPLES = ROOT / "examples" / "samples"


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Fewer pictures where their number only makes numbers better."""
    monkeypatch.setattr("safelight.learn.codec.validate.PICTURES", 1)
    monkeypatch.setattr("safelight.learn.codec.validate.SIDE_PX", 128)
    monkeypatch.setattr("safelight.learn.codec.fit_tables.PICTURES", 1)
    monkeypatch.setattr("safelight.learn.codec.measure.QUALITIES", (5, 50, 95))


def weights(run):
    return load_file(next((run / "checkpoint").glob("**/ema.safetensors")))


@pytest.mark.slow
def test_a_run_gives_a_bundle_that_compresses(recipe, tmp_path):
    assert train(recipe, SAMPLES, tmp_path / "run")
    bundle = find_bundle(tmp_path / "run" / "bundle", CodecCard)
    run_every_graph(bundle)
    assert bundle.card.measured.keys() >= {"val_bpp_q50", "val_psnr_db_q50"}
    assert len(bundle.card.programs) == 8 and list((tmp_path / "run" / "previews").glob("*.png"))
    codec = Codec.load(bundle.folder)
    picture = Picture(read(SAMPLES / "roman_colosseum.webp").pixels[:200, :300])
    decoded = codec.decompress(codec.compress(picture, 90))
    assert np.abs(decoded.pixels.astype(int) - picture.pixels).mean() < 25
    scores = [line for line in metrics(tmp_path / "run") if "val_bpp_0" in line]
    assert len(scores) == 1 and scores[0]["val_psnr_db_2"] > scores[0]["val_psnr_db_0"]


@pytest.mark.slow
def test_resuming_is_exact_and_weights_can_be_a_start(recipe, tmp_path):
    train(recipe, SAMPLES, tmp_path / "whole")
    assert not train(recipe, SAMPLES, tmp_path / "parts", stop_at=3)
    train(recipe, SAMPLES, tmp_path / "parts", resume=True)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))
    start = next((tmp_path / "whole" / "checkpoint").glob("**/weights.safetensors"))
    assert not train(recipe, SAMPLES, tmp_path / "next", start=str(start), stop_at=1)
    edit(recipe, ("hyper_channels = 4", "hyper_channels = 5"))
    with pytest.raises(UsageError, match="give --start a file of weights of equal sizes"):
        train(recipe, SAMPLES, tmp_path / "other", start=str(start))


def test_wrong_recipes_are_refused(recipe, tmp_path):
    assert read_recipe(recipe).model.levels == 3
    for change, reason in (
        (("patch_px = 64", "patch_px = 100"), "multiple of 64"),
        (("channels = 8", "channels = 800"), "more than 768 channels"),
        (("widths = [16, 16, 16]", "widths = [16, 16]"), "widths"),
        (("levels = 3", "levels = 1"), "at least 2"),
    ):
        recipe.write_text(RECIPE)
        edit(recipe, change)
        with pytest.raises(RecipeError, match=reason):
            read_recipe(recipe)


def test_a_start_that_cannot_be_read_is_one_line(recipe, tmp_path):
    (tmp_path / "w.safetensors").write_bytes(b"nonsense")
    with pytest.raises(UsageError, match="does not fit"):
        train(recipe, SAMPLES, tmp_path / "run", start=str(tmp_path / "w.safetensors"))


def test_bits_are_those_of_the_logistic_distribution():
    v, log_scale = torch.arange(-6.0, 7), torch.tensor(0.3)
    scale = log_scale.exp()
    right = -torch.log2(torch.sigmoid((v + 0.5) / scale) - torch.sigmoid((v - 0.5) / scale))
    torch.testing.assert_close(logistic_bits(v, log_scale), right, rtol=2e-3, atol=2e-3)
    far = logistic_bits(torch.tensor([30.0, 60.0, 90.0]), torch.tensor(-1.0))
    assert float(far[2] - far[1]) == pytest.approx(float(far[1] - far[0]), rel=1e-3), "in proportion, far out"
