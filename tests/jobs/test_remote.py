"""Batches on a cluster of several nodes: the same files and the same manifest as on one machine."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from safelight import CompressSettings, EnhanceSettings, Picture, compress, enhance, write
from safelight.errors import RefusedError
from safelight.jobs.batch import remote
from safelight.work import manifest, nodes
from tests.clusters import cluster_of
from tests.support import BUNDLES, made

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster():
    with cluster_of(1, 2, 1) as one:
        yield one


@pytest.fixture
def pictures(tmp_path, rng):
    folder = tmp_path / "in"
    for k in range(12):
        path = folder / ("a" if k % 3 else "b") / f"{k:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        write(Picture(rng.integers(0, 256, (40 + 9 * k, 70, 3), dtype=np.uint8)), path)
    (folder / "broken.png").write_bytes(b"\x89PNG no picture")
    return folder


def facts(folder: Path) -> list[dict]:
    """What the manifest says of results, without their time."""
    lines = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    return sorted(({k: v for k, v in line.items() if k != "seconds"} for line in lines), key=json.dumps)


def test_restored_files_and_manifest_are_those_of_one_machine(cluster, pictures, tmp_path, monkeypatch):
    asked = {"inputs": (pictures,), "recursive": True, "model": str(BUNDLES / "restore"), "samples": 1, "seed": 3}
    local = enhance(EnhanceSettings(**asked, output=tmp_path / "local"))
    told, driver = [], nodes.Driver.here()
    monkeypatch.setattr(nodes.Driver, "here", staticmethod(lambda: driver))

    def hear(outcome):
        told.append(outcome)
        (tmp_path / "ray" / f".safelight-run{driver.run}-0123abcd.part").touch()  # as a lost worker leaves it

    there = enhance(EnhanceSettings(**asked, output=tmp_path / "ray", engine="ray"), on_outcome=hear)
    assert [(one.source, one.status) for one in there.outcomes] == [(one.source, one.status) for one in local.outcomes]
    assert told == list(there.outcomes) and sum(one.status == "failed" for one in told) == 1
    assert made(tmp_path / "local") == made(tmp_path / "ray")
    assert facts(tmp_path / "local") == facts(tmp_path / "ray")
    again = enhance(EnhanceSettings(**asked, output=tmp_path / "local", engine="ray"))
    assert {one.status for one in again.outcomes} == {"skipped", "failed"}


def test_a_file_that_fails_later_leaves_what_was_there_as_on_one_machine(cluster, pictures, tmp_path):
    asked = {"inputs": (pictures,), "recursive": True, "model": str(BUNDLES / "restore"), "if_exists": "overwrite"}
    for seed in (1, 2):
        for engine in ("local", "ray"):
            enhance(EnhanceSettings(**asked, samples=1, seed=seed, output=tmp_path / engine, engine=engine))
        (pictures / "b" / "00.png").write_bytes(b"\x89PNG no picture any more")
    assert (tmp_path / "ray" / "b" / "00.png").is_file()
    assert made(tmp_path / "local") == made(tmp_path / "ray") and facts(tmp_path / "local") == facts(tmp_path / "ray")


def test_compressed_files_are_those_of_one_machine(cluster, pictures, tmp_path):
    asked = {"inputs": (pictures,), "recursive": True, "model": str(BUNDLES / "codec")}
    compress(CompressSettings(**asked, output=tmp_path / "local"))
    compress(CompressSettings(**asked, output=tmp_path / "ray", engine="ray"))
    assert made(tmp_path / "local") == made(tmp_path / "ray") and len(made(tmp_path / "ray")) == 12
    assert facts(tmp_path / "local") == facts(tmp_path / "ray")


@pytest.mark.parametrize(
    ("what", "words"), [("version", "driver has"), ("model", "another model"), ("folder", "share")]
)
def test_a_node_that_would_make_other_results_is_refused(cluster, pictures, tmp_path, monkeypatch, what, words):
    copy = tmp_path / "model"
    shutil.copytree(BUNDLES / "restore", copy)
    if what == "version":
        monkeypatch.setattr(nodes, "__version__", "0.0.0")
    elif what == "model":
        monkeypatch.setattr(remote, "Expected", lambda _, parameters: Expected("0" * 64, parameters))
    else:
        monkeypatch.setattr(nodes.Path, "cwd", lambda: Path("/nowhere"))
    settings = EnhanceSettings(inputs=(pictures,), recursive=True, model=str(copy), output=tmp_path / "o", engine="ray")
    with pytest.raises(RefusedError, match=words):
        enhance(settings)
    assert made(tmp_path / "o") == {}


Expected = remote.Expected


def test_results_that_nobody_else_sees_are_failures(tmp_path, pictures, monkeypatch):
    """As of a node that lacks the output folder, and wrote to its own disk."""
    asked = {"inputs": (pictures / "a",), "model": str(BUNDLES / "restore"), "output": tmp_path / "out"}
    monkeypatch.setattr(manifest, "size", lambda path, as_listed=False: -1)
    for _ in range(2):  # the second time nothing counts as done
        outcomes = enhance(EnhanceSettings(**asked)).outcomes
        assert {one.status for one in outcomes} == {"failed"} and "is not there; use a folder" in outcomes[0].error


def test_a_killed_driver_goes_on(cluster, pictures, tmp_path):
    for k in range(12, 60):
        shutil.copy(pictures / "a" / "11.png", pictures / f"{k}.png")
    options = ["enhance", "in", "-r", "-o", "out", "--model", str(BUNDLES / "restore"), "--samples", "1"]
    command = [sys.executable, "-m", "safelight", *options, "--engine", "ray"]
    environment = {**os.environ, "RAY_ADDRESS": cluster.address}
    manifest = tmp_path / "out" / "manifest.jsonl"
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL) as driver:
        while not manifest.exists() or manifest.read_text().count('"key"') < 5:
            assert driver.poll() is None
            time.sleep(0.05)
        os.kill(driver.pid, signal.SIGKILL)
    finished = manifest.read_text().count('"key"')
    assert finished < 60
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert "1 failed" in done.stderr and done.returncode == 1, done.stderr
    assert manifest.read_text().count('"key"') == 60  # nothing was done twice but what was on its way
    subprocess.run(
        [sys.executable, "-m", "safelight", *["local" if one == "out" else one for one in options]],
        cwd=tmp_path,
        check=False,
        stdout=subprocess.DEVNULL,
    )
    assert made(tmp_path / "out") == made(tmp_path / "local")
