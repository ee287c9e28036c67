"""A new task is one row in `bundle.tasks`, and a folder of its name in bundle/, runtime/ and learn/: nothing else."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Literal

import pytest

from safelight.bundle import TASKS, Bundle, BundleTask, Card, VaeCard, find_bundle, open_bundle, seal, zip_bundle
from safelight.errors import BundleError, RecipeError
from safelight.learn.recipe import Recipe
from safelight.learn.settings import TrainReport, TrainSettings
from safelight.learn.train import read_recipe, train
from safelight.settings import Positive
from tests.support import run_cli

RECIPE = 'task = "toy"\nname = "clock"\nhours = 3\n[card]\nsummary = "ticks"\ndata_licences = "CC0"\n'


class ToyCard(Card):
    """Of a model that says a number."""

    noun = "a clock"
    schema_version: int = 1
    task: Literal["toy"]
    hours: Positive


class ToyRecipe(Recipe):
    """What hour it is to say."""

    task: Literal["toy"]
    hours: Positive = 12


def make_toy(folder: Path, recipe: ToyRecipe) -> Bundle[ToyCard]:
    folder.mkdir(parents=True)
    (folder / "hour.txt").write_text(str(recipe.hours))
    words = {"recipe": "toy.toml", "recipe_sha256": "0", "trained_on": "nothing", "trained_with": "nothing"}
    words |= {"data_licences": "CC0", "weights_licence": "CC0", "summary": recipe.card.summary, "name": recipe.name}
    card = ToyCard(task="toy", hours=recipe.hours, training_minutes=0, measured={}, limits=(), **words)
    return seal(folder, card)


def run_every_graph(bundle: Bundle[ToyCard]) -> None:
    if bundle.path("hour.txt").read_text() != str(bundle.card.hours):
        raise BundleError(f"{bundle.folder}: says another hour; export the bundle again")


def train_task(job, recipe: ToyRecipe) -> TrainReport:
    run = job.folder(recipe.name)
    return job.finished(run, make_toy(run.bundle, recipe))


@pytest.fixture(autouse=True)
def toy(monkeypatch) -> None:
    """The row, and what a programmer would write into the folders of the columns."""
    monkeypatch.setitem(TASKS, "toy", BundleTask(card=ToyCard, schema=1, files=("card.json", "hour.txt")))
    columns = {
        "safelight.runtime.toy": {"run_every_graph": run_every_graph},
        "safelight.learn.toy": {},
        "safelight.learn.toy.train": {"Recipe": ToyRecipe, "train_task": train_task},
    }
    for name, contents in columns.items():
        module = ModuleType(name)
        vars(module).update(contents)
        monkeypatch.setitem(sys.modules, name, module)


@pytest.fixture
def recipe(tmp_path) -> Path:
    path = tmp_path / "toy.toml"
    path.write_text(RECIPE)
    return path


def test_its_recipe_is_read_and_checked(recipe):
    assert read_recipe(recipe) == ToyRecipe.model_validate(read_recipe(recipe).model_dump())
    assert read_recipe(recipe).hours == 3
    recipe.write_text(RECIPE.replace("hours = 3", "hours = 0"))
    with pytest.raises(RecipeError, match="hours: must be more than 0"):
        read_recipe(recipe)
    recipe.write_text(RECIPE.replace("toy", "toys"))
    with pytest.raises(RecipeError, match="task 'toys' is not known; use restore or images or codec or toy"):
        read_recipe(recipe)


def test_its_bundle_is_sealed_opened_and_zipped(recipe, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    bundle = make_toy(tmp_path / "clock", read_recipe(recipe))
    assert open_bundle(bundle.folder) == bundle
    zip_bundle(bundle, tmp_path / "clock.zip")
    unpacked = find_bundle(tmp_path / "clock.zip", ToyCard)
    assert (unpacked.card, unpacked.sha256) == (bundle.card, bundle.sha256)
    with pytest.raises(BundleError, match="is a clock, and a VAE of a set of pictures is needed"):
        find_bundle(bundle.folder, VaeCard)
    (bundle.folder / "hour.txt").unlink()
    with pytest.raises(BundleError, match=r"hour.txt is missing"):
        open_bundle(bundle.folder)


def test_its_bundle_is_shown_and_verified_on_the_command_line(recipe, tmp_path):
    bundle = make_toy(tmp_path / "clock", read_recipe(recipe))
    assert "hours: 3" in run_cli("model", "info", bundle.folder).stdout
    assert "all graphs run" in run_cli("model", "verify", bundle.folder).stdout
    bundle.path("hour.txt").write_text("4")
    seal(bundle.folder, bundle.card)
    refused = run_cli("model", "verify", bundle.folder)
    assert refused.returncode == 3 and "says another hour" in refused.stderr


def test_it_is_trained_by_the_verb(recipe, tmp_path):
    pytest.importorskip("torch")
    report = train(TrainSettings(recipe=recipe, run=tmp_path / "run"))
    assert report.bundle == tmp_path / "run" / "bundle"
    assert find_bundle(report.bundle, ToyCard).card.hours == 3
