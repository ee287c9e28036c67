"""Sets on object storage: what is made of them is what is made of the same sets here."""

import json
from dataclasses import replace
from pathlib import Path

import fsspec
import numpy as np
import pytest

from safelight import AugmentSettings, InspectSettings, Picture, augment, inspect, write
from safelight.errors import UsageError
from safelight.learn.settings import TrainSettings
from safelight.learn.train import train
from tests.clusters import cluster_of
from tests.storage_server import s3
from tests.support import ROOT, made, run_cli

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_cache")]
RECIPE = """
[[steps]]
op = "rotate"
degrees = [-20, 20]
"""


@pytest.fixture
def labelled(tmp_path, rng):
    """Twenty pictures in two classes, and one that is broken."""
    home = tmp_path / "set"
    for k in range(20):
        path = home / ("cat" if k % 2 else "dog") / f"{k:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        write(Picture(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)), path)
    (home / "cat" / "broken.png").write_bytes(b"\x89PNG no picture")
    return home


@pytest.fixture
def bucket(labelled):
    with s3(refused_share=0.05):
        fsspec.filesystem("s3").put(str(labelled), "bucket/set", recursive=True)
        yield "s3://bucket/set"


def test_sets_are_looked_at_and_augmented_as_here(bucket, labelled, tmp_path):
    (tmp_path / "aug.toml").write_text(RECIPE)
    asked = {"recipe": tmp_path / "aug.toml", "copies": 2}
    looks = [inspect(InspectSettings(dataset=place)) for place in (labelled, bucket)]
    assert replace(looks[0], unreadable=[]) == replace(looks[1], unreadable=[]) and looks[1].pictures == 20
    here = augment(AugmentSettings(dataset=labelled, output=tmp_path / "here", **asked))
    there = augment(AugmentSettings(dataset=bucket, output=tmp_path / "there", **asked))
    assert (here.variants, there.variants) == (40, 40)
    assert made(tmp_path / "here") == made(tmp_path / "there")
    listed = [{"image": f"{(k % 2 and 'cat') or 'dog'}/{k:02}.png", "label": k % 3} for k in range(20)]
    lines = "".join(json.dumps(line) + "\n" for line in listed)
    fsspec.filesystem("s3").pipe_file("bucket/set/list.jsonl", lines.encode())
    done = run_cli("data", f"{bucket}/list.jsonl", "--json")
    assert json.loads(done.stdout)["classes"] == {"0": 7, "1": 7, "2": 6}, done.stderr


def test_nodes_copy_a_set_by_themselves(bucket, labelled, tmp_path):
    (tmp_path / "aug.toml").write_text(RECIPE)
    with pytest.MonkeyPatch.context() as patch, cluster_of(1, 1):  # whose workers have the cache of before
        patch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache of the driver"))
        report = inspect(InspectSettings(dataset=bucket, engine="ray"))
        assert report.pictures == 20
        asked = {"dataset": bucket, "recipe": tmp_path / "aug.toml", "copies": 2}
        there = augment(AugmentSettings(**asked, output=tmp_path / "there", engine="ray"))
        augment(AugmentSettings(**asked, output=tmp_path / "here"))
        stored = Path("safelight") / "stored" / "s3" / "bucket" / "set"
        assert len([*(tmp_path / "cache" / stored).rglob("*.png")]) == 21, "a node has a copy of its own"
        assert there.variants == 40 and made(tmp_path / "here") == made(tmp_path / "there")


def test_training_reads_a_set_there(bucket, tmp_path):
    asked = {"data": bucket, "run": tmp_path / "run", "cache": tmp_path / "pixels", "stop_at": 1}
    assert train(TrainSettings(recipe=ROOT / "recipes" / "dataset.toml", **asked)).bundle is None
    assert (tmp_path / "run" / "metrics.jsonl").exists()
    with pytest.raises(UsageError, match=r"^s3://bucket/set: no usable picture of at least"):  # of 32 px
        train(TrainSettings(recipe=ROOT / "recipes" / "photo.toml", **asked))
