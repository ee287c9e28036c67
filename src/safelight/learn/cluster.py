"""Training in several processes of a cluster. A lost one costs the steps since the last checkpoint, and no more."""

from functools import partial

import torch

from safelight.errors import SafelightError
from safelight.learn import checkpoint
from safelight.learn.device import device_of_each
from safelight.learn.processes import Say, Train, Words, take_part
from safelight.learn.run import RunFolder
from safelight.learn.settings import TrainReport, TrainSettings
from safelight.work import OnProgress
from safelight.work.cluster_training import Team, gpus_of, run_together
from safelight.work.nodes import Driver


def train_on_cluster(train: Train, settings: TrainSettings, address: str, on_progress: OnProgress) -> TrainReport:
    """`settings.processes` of them. Ctrl-C, and a callback that raises `Cancelled`, write a checkpoint first.

    `settings` name the run folder, which must lie where all nodes find it. Raises what training in one process raises,
    and what `work.cluster_training.run_together` raises.
    """
    if not settings.resume:
        run_of(settings).check_new()
    words = Words(on_progress)
    device = device_of_each(settings.device, settings.processes, gpus_of(address))
    notes = run_of(settings).folder.resolve() / "ray"
    team = Team(address, settings.processes, takes_gpus=device == "cuda", notes=notes)
    run_together(
        team, partial(_member, train, settings.model_copy(update={"device": device}), Driver.here()), words.hear
    )
    return words.end()


def run_of(settings: TrainSettings) -> RunFolder:
    """Its folder."""
    assert settings.run is not None
    return RunFolder(settings.run)


def _member(train: Train, settings: TrainSettings, driver: Driver, cores: int, say: Say) -> None:
    """Where a checkpoint lies, it goes on from there: processes that were lost have left it."""
    try:
        driver.enter()
    except SafelightError as error:
        say(error)
        return
    torch.set_num_threads(cores)
    is_begun = checkpoint.find(run_of(settings).checkpoint) is not None
    take_part(train, settings.model_copy(update={"resume": settings.resume or is_begun}), say)
