"""What goes wrong while a VAE is trained: it is said in words, and the last good state stays."""

import pytest
import torch
from safetensors.torch import load_file

from safelight.errors import TrainingError
from safelight.learn import checkpoint, loop
from safelight.learn.optimise import HOPELESS_AFTER
from tests.learn.training import edit, metrics
from tests.learn.training import train as run


@pytest.mark.slow
def test_lost_weights_are_rolled_back_and_then_given_up(recipe, folder, tmp_path, monkeypatch):
    monkeypatch.setattr("safelight.learn.optimise.HOPELESS_AFTER", 3)
    assert HOPELESS_AFTER > 3
    told: list[str] = []
    edit(recipe, ("steps = 40", "steps = 400"), ("validate_every = 20", "validate_every = 4"))
    real, steps = loop._step, []

    def poisoned(training, *rest):
        steps.append(training.progress.step)
        if len(steps) in (10, 30, 50, 70):
            with torch.no_grad():
                next(training.task.model.parameters()).fill_(float("nan"))
        return real(training, *rest)

    monkeypatch.setattr(loop, "_step", poisoned)
    with pytest.raises(TrainingError, match="lower learning_rate"):
        run(recipe, folder, tmp_path / "run", told.append)
    told = [line for line in told if "back to step" in line]
    assert [line.split(": ")[1] for line in told[:1]] == ["back to step 8, on with 0.5 of the learning rate"]
    assert len(told) == loop.ROLLBACKS
    kept = load_file(tmp_path / "run" / "checkpoint" / "weights.safetensors")
    assert all(torch.isfinite(tensor).all() for tensor in kept.values())


@pytest.mark.slow
def test_a_collapsed_posterior_is_told_and_not_saved(recipe, folder, tmp_path):
    edit(recipe, ("steps = 40", "steps = 4000\nbeta = 500\nkl_warmup_share = 0"))
    with pytest.raises(TrainingError, match=r"collapsed.*lower beta"):
        run(recipe, folder, tmp_path / "run")
    found = checkpoint.find(tmp_path / "run" / "checkpoint")
    last = [line for line in metrics(tmp_path / "run") if "val_loss" in line][-1]
    assert found is None or checkpoint.load_progress(found).step < last["step"]


@pytest.mark.slow
def test_what_gets_no_better_ends_early_and_the_best_is_kept(recipe, folder, tmp_path, monkeypatch, unfinished):
    losses = iter([5.0, 3.0, 4.0, 6.0, 2.0])
    told = lambda *_: {"val_loss": next(losses), "val_active_units": 1.0}  # noqa: E731
    monkeypatch.setattr("safelight.learn.images.task.validate_images", told)
    edit(recipe, ("steps = 40", "steps = 400\nkl_warmup_share = 0"), ("validate_every", "patience = 2\nvalidate_every"))
    assert run(recipe, folder, tmp_path / "run")
    assert metrics(tmp_path / "run")[-1]["step"] == 80, "two validations after the best"
    best, last = (load_file(tmp_path / "run" / name) for name in ("best.safetensors", "checkpoint/ema.safetensors"))
    assert any(not torch.equal(best[key], last[key]) for key in best)


@pytest.mark.slow
def test_a_full_disk_leaves_the_last_checkpoint(recipe, folder, tmp_path, monkeypatch):
    assert not run(recipe, folder, tmp_path / "run", stop_at=6)
    before = {p.name: p.read_bytes() for p in (tmp_path / "run" / "checkpoint").iterdir()}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(TrainingError, match=r"No space left.*the last checkpoint stays; make room"):
        run(recipe, folder, tmp_path / "run", stop_at=12, resume=True)
    assert {p.name: p.read_bytes() for p in (tmp_path / "run" / "checkpoint").iterdir()} == before
    monkeypatch.undo()
    assert not run(recipe, folder, tmp_path / "run", stop_at=12, resume=True)
