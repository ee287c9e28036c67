"""Training in several processes, of this machine and of a cluster: the same losses, and exact resuming by either."""

import multiprocessing
import os
import signal
import subprocess

import pytest
import torch
from safetensors.torch import load_file

from safelight.errors import TrainingError, UsageError
from safelight.learn.settings import TrainSettings
from safelight.learn.train import train
from safelight.work import Cancelled
from tests.blobs import RECIPE, write_blobs
from tests.clusters import cluster_of
from tests.learn.training import metrics

pytestmark = pytest.mark.slow


STEPS = 240
"""Of a run that a test disturbs, and of the one that it is compared with."""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A set of pictures, and a recipe in float32: bfloat16 rounds halves differently."""
    home = tmp_path_factory.mktemp("processes")
    (home / "blobs.toml").write_text(RECIPE.replace("steps = 40", 'steps = 600\nprecision = "float32"'))
    write_blobs(home / "set", 120)
    return home


def settings_in(home, run, **more):
    return TrainSettings(recipe=home / "blobs.toml", data=home / "set", run=run, cache=home / "cache", **more)


@pytest.fixture
def asked(home, tmp_path):
    """Settings of a run in a folder of that name."""
    return lambda run, **more: settings_in(home, tmp_path / run, **more)


@pytest.fixture(scope="module")
def two_nodes():
    with cluster_of(1, 1):
        yield


@pytest.fixture(scope="module")
def undisturbed(home):
    """Weights after `STEPS` steps in two processes."""
    train(settings_in(home, home / "undisturbed", stop_at=STEPS, processes=2))
    return weights(home / "undisturbed")


def losses(run):
    return [line["loss"] for line in metrics(run) if "loss" in line]


def weights(run):
    return load_file(run / "checkpoint" / "weights.safetensors")


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_two_processes_do_what_one_does(asked, tmp_path):
    told = []
    assert train(asked("one", stop_at=15)).bundle is None
    assert train(asked("two", stop_at=15, processes=2), told.append).bundle is None
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=1e-4)
    assert told[0].what == "reading pictures" and any("stage 1 of 1" in now.what for now in told)


def test_a_whole_run_ends_with_a_bundle(asked):
    report = train(asked("whole", processes=2, budget_s=2.0))
    assert report.bundle is not None and (report.bundle / "card.json").is_file() and report.measured


def test_a_run_goes_on_with_either_engine_as_if_undisturbed(two_nodes, asked, tmp_path, undisturbed):
    train(asked("run", stop_at=100, processes=2))
    train(asked("run", stop_at=170, processes=2, resume=True, engine="ray"))
    train(asked("run", stop_at=STEPS, processes=2, resume=True))
    with pytest.raises(UsageError, match="holds a run already"):
        train(asked("run", processes=2, engine="ray"))
    assert equal(weights(tmp_path / "run"), undisturbed)


def test_a_lost_worker_of_a_cluster_costs_the_steps_since_the_checkpoint(two_nodes, asked, tmp_path, undisturbed):
    killed, again = [], []

    def kill_one(now):
        if killed:
            again.append(now)
        if "  loss" in now.what and now.done >= 60 and not killed:
            found = subprocess.run(["pgrep", "-f", "ray::RayTrainWorker"], capture_output=True, text=True, check=True)
            os.kill(int(found.stdout.split()[-1]), signal.SIGKILL)
            killed.append(now.done)

    train(asked("killed", stop_at=STEPS, processes=2, engine="ray"), kill_one)
    begun = next(k for k, now in enumerate(again) if now.what == "reading pictures")
    assert killed[0] - 20 <= again[begun + 1].done < STEPS, "from the last checkpoint: there is one for each 20 steps"
    assert equal(weights(tmp_path / "killed"), undisturbed)


def test_a_dead_process_ends_the_run_which_goes_on_from_its_checkpoint(asked, tmp_path, undisturbed):
    def kill_one(now):
        if "  loss" in now.what and now.done >= 60:
            os.kill(max(child.pid for child in multiprocessing.active_children()), signal.SIGKILL)

    with pytest.raises(TrainingError, match="go on with --resume"):
        train(asked("killed", processes=2), kill_one)
    train(asked("killed", stop_at=STEPS, processes=2, resume=True))
    assert equal(weights(tmp_path / "killed"), undisturbed)


@pytest.mark.parametrize("engine", [None, "ray"])
def test_a_caller_that_cancels_gets_a_checkpoint(request, asked, tmp_path, engine):
    def cancel(now):
        if "  loss" in now.what:
            raise Cancelled

    if engine:
        request.getfixturevalue("two_nodes")
    assert train(asked("run", processes=2, engine=engine), cancel).bundle is None
    assert (tmp_path / "run" / "checkpoint").is_dir()


def test_what_goes_wrong_is_said_as_of_one_process(asked):
    with pytest.raises(UsageError, match="a batch of 8 cannot be shared by 3 processes"):
        train(asked("run", processes=3))
