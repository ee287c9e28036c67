"""Data sets and runs: reports, contact sheets, sets with variants, training that is cancelled and gone on with."""

import io
import shutil

import numpy as np
import pytest

from safelight import Picture, read, write
from safelight.augmentation.recipe import load_recipe
from safelight.studio.sets import toml_of
from tests.studio.studio_support import served
from tests.support import BUNDLES, run_cli

pillow = pytest.importorskip("PIL.Image")
RECIPE = {"steps": [{"op": "flip_horizontal", "probability": 0.5}, {"op": "rotate", "degrees": [-10, 10]}]}
TRAINING = """
task = "images"
name = "small"
validate_every = 20
[card]
summary = "For a test."
data_licences = "None."
[model]
widths = [8, 8]
latents = [0, 2]
blocks = [1, 1]
[[stages]]
steps = 4000
batch = 8
"""


@pytest.fixture
def folder(tmp_path, rng):
    root = tmp_path / "folder"
    for label in ("a", "b"):
        (root / "set" / label).mkdir(parents=True)
        for k in range(8):
            write(Picture(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)), root / "set" / label / f"{k}.png")
    shutil.copy(root / "set" / "a" / "0.png", root / "set" / "b" / "copy.png")
    (root / "train.toml").write_text(TRAINING)
    (root / "augment.toml").write_text(toml_of(RECIPE))
    return root


@pytest.fixture
def server(tmp_path, folder, monkeypatch):
    monkeypatch.setenv("SAFELIGHT_MODELS", str(BUNDLES))
    with served(tmp_path / "state", folder) as one:
        yield one


def test_what_lies_in_the_folder_is_found(server):
    found = server.ask("/api/folder").json
    assert found == {"sets": ["set"], "recipes": ["train.toml"], "augment_recipes": ["augment.toml"], "runs": []}
    report = server.ask("/api/sets/report?dataset=set").json
    assert report["classes"] == {"a": 8, "b": 9} and report["duplicates"] == [["a/0.png", "b/copy.png"]]
    assert any("several labels" in line for line in report["warnings"])
    answer = server.ask("/api/sets/picture?dataset=set&name=b/copy.png")
    assert np.asarray(pillow.open(io.BytesIO(answer.body))).shape == (16, 16, 3)
    for wrong in ("name=none.png&dataset=set", "name=a/0.png&dataset=none", "name=../train.toml&dataset=set"):
        assert server.ask(f"/api/sets/picture?{wrong}").status == 404
    for name in ("..", "/etc", "set/../..", "none", "train.toml"):
        assert server.ask(f"/api/sets/report?dataset={name}").status in (404, 422)


def test_recipes_of_the_page_are_recipes(tmp_path):
    recipe = {**RECIPE, "guard": {"keeps_label": True, "attempts": 3}}
    (tmp_path / "a.toml").write_text(toml_of(recipe))
    found = load_recipe(tmp_path / "a.toml")
    assert [step.op for step in found.steps] == ["flip_horizontal", "rotate"] and found.steps[1].ranges["degrees"] == (
        -10,
        10,
    )
    assert found.guard is not None and found.guard.attempts == 3


def test_a_sheet_and_a_set_are_written(server, folder, tmp_path):
    answer = server.ask("/api/sets/sheet", "POST", {"dataset": "set", "recipe": RECIPE})
    assert pillow.open(io.BytesIO(answer.body)).width > 500
    wrong = {"dataset": "set", "recipe": {"steps": [{"op": "rotate", "degrees": 9999}]}}
    refused = server.ask("/api/sets/sheet", "POST", wrong)
    assert refused.status == 422 and "rotate" in refused.json["error"]
    order = {"dataset": "set", "recipe": RECIPE, "output": "made/here", "copies": 2, "seed": 3}
    job = server.ask("/api/jobs/augment", "POST", order).json["id"]
    state = server.ended(job)
    assert state["state"] == "done" and state["report"][0] == "17 originals and 34 variants"
    options = ("--recipe", folder / "augment.toml", "--copies", 2, "--seed", 3, "-o", tmp_path / "other")
    assert run_cli("augment", folder / "set", *options).returncode == 0
    for path in sorted((tmp_path / "other").rglob("*.png")):
        made = folder / "made" / "here" / path.relative_to(tmp_path / "other")
        assert made.read_bytes() == path.read_bytes()
    assert server.ask("/api/jobs/augment", "POST", {**order, "output": "../x"}).status == 422
    assert read(folder / "set" / "a" / "0.png").size == (16, 16)


@pytest.mark.slow
def test_training_is_watched_cancelled_and_gone_on_with(server, folder):
    order = {"recipe": "train.toml", "data": "set", "run": "runs/one", "minutes": 0.2}
    job = server.ask("/api/jobs/train", "POST", order).json["id"]
    while len(server.ask("/api/runs/curves?run=runs/one").json.get("loss", [])) < 1:
        assert server.ask(f"/api/jobs/{job}").json["state"] in ("waiting", "running")
    server.ask(f"/api/jobs/{job}/cancel", "POST", {})
    assert server.ended(job)["state"] == "cancelled"
    server.ask(f"/api/jobs/{job}/resume", "POST", {})
    state = server.ended(job, 200)
    assert state["state"] == "done" and any("bundle in" in line for line in state["report"])
    assert (folder / "runs" / "one" / "bundle" / "card.json").is_file()
    assert server.ask("/api/folder").json["runs"] == ["runs/one"]
    (first, *_) = server.ask("/api/runs/previews?run=runs/one").json
    assert server.ask(f"/api/runs/preview?run=runs/one&name={first}").body.startswith(b"\x89PNG")
    assert server.ask("/api/runs/preview?run=runs/one&name=../run.json").status == 404
    assert any(card["name"] == "runs/one/bundle" for card in server.ask("/api/models").json)
    near = server.ask("/api/vaes/nearest?model=runs/one/bundle&dataset=set&count=3").json
    assert len(near) == 3 and all(one["name"].endswith(".png") and 0 < one["rms"] < 255 for one in near)
    answer = server.ask("/api/vaes/nearest?model=images&dataset=set")
    assert answer.status == 422 and "not trained on" in answer.json["error"] and str(folder) not in answer.json["error"]


@pytest.mark.slow
def test_a_verdict_has_a_page_and_diagrams(server):
    order = {"dataset": "set", "recipe": RECIPE, "seeds": 2, "steps": 10}
    state = server.ended(server.ask("/api/jobs/verdict", "POST", order).json["id"], 200)
    assert state["state"] == "done" and state["report"], state
    assert state["files"] == ["verdict 1.svg", "verdict.html"]
    diagram = server.ask(f"/api/jobs/{state['id']}/files/verdict%201.svg")
    assert diagram.headers["content-type"].startswith("image/svg+xml") and b"<svg xmlns" in diagram.body
