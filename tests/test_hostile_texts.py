"""Recipes, manifests, sets and lists that mean harm: one line, no hang, no traceback."""

import json
import os
import zipfile

import numpy as np
import pytest

from safelight.dataset import open_set
from safelight.errors import RecipeError, SafelightError, UsageError
from safelight.jobs.augment.replay import read_replay
from safelight.settings import read_toml
from safelight.work import Manifest, file_sha256
from tests.support import run_cli


@pytest.mark.parametrize(
    "text",
    [
        "seed = " + "9" * 10_000,
        "a = " + "[" * 5_000,
        "a = 1\na = 2",
        "\x00",
        "a = 1e",
        "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
    ],
    ids=range(6),
)
def test_recipes(tmp_path, text):
    path = tmp_path / "r.toml"
    path.write_bytes(text.encode("latin-1"))
    if text.startswith("a = [") or not text.isascii():
        try:
            read_toml(path)
        except RecipeError as error:
            assert "\n" not in str(error)
        return
    with pytest.raises(RecipeError):
        read_toml(path)


def test_pipes_and_devices_are_no_recipes_and_no_pictures(tmp_path):
    os.mkfifo(tmp_path / "r.toml")
    with pytest.raises(RecipeError, match="no small file"):
        read_toml(tmp_path / "r.toml")
    with pytest.raises(OSError, match="no ordinary file"):
        file_sha256(tmp_path / "r.toml")
    (tmp_path / "set.csv").write_text("image,label\n/dev/zero,a\n/dev/zero,b\n")
    done = run_cli("data", tmp_path / "set.csv")
    assert done.returncode == 1 and "is not a file" in done.stdout


@pytest.mark.parametrize("seed", [-1, 2**63, 10**40, 1.5, "x"])
def test_seeds(tmp_path, seed):
    pytest.importorskip("torch")
    recipe = tmp_path / "r.toml"
    recipe.write_text(
        f'task = "images"\nname = "a"\nseed = {json.dumps(seed)}\n[card]\nsummary = ""\ndata_licences = ""\n'
        "[[stages]]\nsteps = 1\n"
    )
    done = run_cli("train", recipe, "--data", tmp_path)
    assert done.returncode == 2 and "seed" in done.stderr and "Traceback" not in done.stderr


def test_arrays_that_no_memory_holds(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "a.npz", images=np.zeros((50, 64, 64), np.uint8))
    monkeypatch.setattr("safelight.dataset.sources.memory_bytes", lambda: 100_000)
    with pytest.raises(UsageError, match=r"need 0\.0 GB, more than this machine has"):
        open_set(tmp_path / "a.npz")
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        head = b"\x93NUMPY\1\0v\0{'descr': '|u1', 'fortran_order': False, 'shape': (9999999, 9999999), }"
        archive.writestr("images.npy", head.ljust(127) + b"\n")
    with pytest.raises(UsageError):
        open_set(tmp_path / "b.npz")


HEADER = {"manifest": 1, "verb": "augment", "recipe": {"steps": []}, "copies": 1, "seed": 0, "balance": False}
LINE = {"outputs": {"a.png": 3}, "source": "a", "copy": 1, "pixels_sha256": "0", "record": {}}


@pytest.mark.parametrize(
    "line",
    [
        "[" * 100_000,
        json.dumps(LINE | {"copy": "x"}),
        json.dumps(LINE | {"copy": [1]}),
        json.dumps(LINE | {"record": 7}),
        json.dumps(LINE | {"record": {"seed": "x", "identity": 3, "steps": 1}}),
        json.dumps(LINE | {"record": {"seed": 0, "identity": [], "steps": [{"op": "rotate", "degrees": 1e400}]}}),
        json.dumps(LINE | {"record": {"seed": 0, "identity": [], "steps": [{"op": "magic", "position": 0}]}}),
        json.dumps([1, 2]),
        '"text"',
        "null",
    ],
    ids=range(10),
)
def test_manifests(tmp_path, line):
    path = tmp_path / "manifest.jsonl"
    path.write_text(json.dumps(HEADER) + "\n" + line + "\n")
    Manifest(tmp_path)
    try:
        read_replay(path)
    except SafelightError as error:
        assert "\n" not in str(error) and len(str(error)) < 600
    (tmp_path / "r.toml").write_text("")
    done = run_cli("augment", tmp_path, "-o", tmp_path / "out", "--replay", path)
    assert done.returncode == 2 and "Traceback" not in done.stderr
