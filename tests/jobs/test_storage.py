"""Batches from and to object storage: a real S3 server on loopback that refuses some requests."""

import json
import os
import subprocess
import sys
from pathlib import Path

import fsspec
import numpy as np
import pytest

from safelight import (
    CompressSettings,
    DecompressSettings,
    EnhanceSettings,
    Picture,
    compress,
    decompress,
    enhance,
    write,
)
from safelight.errors import OutputError, RefusedError, UsageError, is_stored
from safelight.jobs.augment.settings import AugmentSettings
from safelight.jobs.enhance.plan import plan_enhance
from safelight.jobs.generate.settings import GenerateSettings
from safelight.learn.settings import TrainSettings
from tests.clusters import cluster_of
from tests.storage_server import s3
from tests.support import BUNDLES, made

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_cache")]


@pytest.fixture
def pictures(tmp_path, rng):
    """Twenty files in folders, a broken one, and one that is no picture."""
    home = tmp_path / "in"
    for k in range(20):
        path = home / ("a" if k % 3 else "b c") / f"{k:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        write(Picture(rng.integers(0, 256, (24 + k, 40, 3), dtype=np.uint8)), path)
    (home / "broken.png").write_bytes(b"\x89PNG no picture")
    (home / "notes.txt").write_text("none")
    return home


def files():
    return fsspec.filesystem("s3", use_listings_cache=False)


def stored(folder):
    """Below a folder of the bucket, without the manifest."""
    found = files().find(f"bucket/{folder}")
    return {k.removeprefix(f"bucket/{folder}/"): files().cat_file(k) for k in found if not k.endswith("manifest.jsonl")}


def test_what_is_made_on_storage_is_what_is_made_on_disk(pictures, tmp_path):
    asked = {"recursive": True, "model": str(BUNDLES / "restore"), "samples": 1}
    local = enhance(EnhanceSettings(inputs=(pictures,), output=tmp_path / "out", **asked))
    with s3(refused_share=0.05) as refused:
        files().put(str(pictures), "bucket/in", recursive=True)
        there = EnhanceSettings(inputs=("s3://bucket/in",), output="s3://bucket/out", **asked)
        report = enhance(there)
        assert stored("out") == made(tmp_path / "out") and len(refused) > 3
        assert report.passed_over == local.passed_over
        (failed,) = (one for one in report.outcomes if one.status == "failed")
        assert failed.error.startswith("s3://bucket/in/broken.png: ") and "/tmp" not in failed.error
        assert [one.status for one in report.outcomes] == [one.status for one in local.outcomes]
        assert (
            report.outcomes[-2].outputs[0] == "s3://bucket/out/" + report.outcomes[-2].source[len("s3://bucket/in/") :]
        )
        lines = [json.loads(line) for line in files().cat_file("bucket/out/manifest.jsonl").splitlines()]
        assert sum("key" in line for line in lines) == 20 and all(line.get("source_version", "-") for line in lines)
        again = enhance(there)
        assert {one.status for one in again.outcomes} == {"skipped", "failed"}
        files().rm_file("bucket/out/a/01.png")
        files().pipe_file("bucket/in/a/02.png", (pictures / "a" / "04.png").read_bytes())
        third = enhance(there.model_copy(update={"if_exists": "overwrite"}))
        assert [one.source[-6:] for one in third.outcomes if one.status == "done"] == ["01.png", "02.png"]
        assert stored("out")["a/02.png"] != made(tmp_path / "out")["a/02.png"]


def test_single_files_go_there_and_come_back(pictures):
    with s3():
        source = pictures / "a" / "01.png"
        compress(CompressSettings(inputs=(source,), output="s3://bucket/one.latent", model=str(BUNDLES / "codec")))
        assert files().find("bucket") == ["bucket/one.latent"]  # one file leaves no manifest
        back = pictures / "back.png"
        asked = DecompressSettings(inputs=("s3://bucket/one.latent",), output=back, model=str(BUNDLES / "codec"))
        assert decompress(asked).outcomes[0].status == "done" and back.is_file()
        nothing = {"inputs": ("s3://bucket/two.latent",), "output": pictures / "two.png"}
        missing = DecompressSettings(**nothing, model=str(BUNDLES / "codec"))
        assert "s3://bucket/two.latent: does not exist" in decompress(missing).outcomes[0].error


def test_what_needs_a_file_system_says_so(pictures):
    for settings, name in (
        (AugmentSettings, "output"),
        (GenerateSettings, "output"),
        (TrainSettings, "run"),
    ):
        given = {"dataset": pictures, "recipe": "a.toml", "model": "x", "count": 1} | {name: "s3://bucket/x"}
        asked = {key: value for key, value in given.items() if key in settings.model_fields}
        with pytest.raises(UsageError, match="s3://bucket/x: must lie on a file system here"):
            settings.of(**asked)
    with pytest.raises(UsageError, match="--compare reads pictures again"):
        EnhanceSettings.of(inputs=("s3://bucket/in",), compare="page.html")
    with s3(), pytest.raises(UsageError, match="name one with -o"):
        files().put_file(str(pictures / "a" / "01.png"), "bucket/1.png")
        plan_enhance(EnhanceSettings(inputs=("s3://bucket",), recursive=True))
    assert not is_stored(Path("data:/x")) and not is_stored(Path("C:/x")) and is_stored(Path("s3:/b/x"))


def test_keys_that_are_no_paths_are_passed_over(pictures, tmp_path):
    content = (pictures / "a" / "01.png").read_bytes()
    with s3():
        client = files()
        for key in ("in/a.png", "in/../evil.png", "in//b.png", "in/sub/../../c.png", "in/sub/"):
            client.call_s3("put_object", Bucket="bucket", Key=key, Body=content)
        asked = {"inputs": ("s3://bucket/in",), "recursive": True, "model": str(BUNDLES / "restore")}
        report = enhance(EnhanceSettings(**asked, output=tmp_path / "home" / "out"))
        assert [one.source for one in report.outcomes] == ["s3://bucket/in/a.png"]
    assert not [path for path in tmp_path.rglob("*.png") if path.name in ("evil.png", "c.png")]


def test_on_a_cluster_and_after_a_kill(pictures, tmp_path):
    asked = ["enhance", "s3://bucket/in", "-r", "-o", "s3://bucket/out", "--model", str(BUNDLES / "restore")]
    command = [sys.executable, "-m", "safelight", *asked, "--samples", "1"]
    model = {"recursive": True, "model": str(BUNDLES / "restore"), "samples": 1}
    enhance(EnhanceSettings(inputs=(pictures,), output=tmp_path / "out", **model))
    with s3(refused_share=0.05), cluster_of(1, 1) as cluster:
        files().put(str(pictures), "bucket/in", recursive=True)
        environment = {**os.environ, "RAY_ADDRESS": cluster.address}
        with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as driver:
            while len(files().find("bucket/out")) < 8:
                assert driver.poll() is None
            driver.kill()
        assert len(stored("out")) < 40
        done = subprocess.run([*command, "--engine", "ray"], env=environment, capture_output=True, text=True)
        assert done.returncode == 1 and "1 failed" in done.stderr, done.stderr
        assert stored("out") == made(tmp_path / "out") and len(stored("out")) == 40
        assert not [name for name in files().find("bucket") if "safelight-" in name]


@pytest.fixture
def tiny_disk(tmp_path):
    """A disk with room for 100 KB."""
    disk = tmp_path / "tiny"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", disk], capture_output=True)
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_of_one_node_costs_no_file(tiny_disk, tmp_path, rng):
    for k in range(12):
        (tmp_path / "in").mkdir(exist_ok=True)
        write(Picture(rng.integers(0, 256, (230, 230, 3), dtype=np.uint8)), tmp_path / "in" / f"{k}.png")
    with s3(), cluster_of(1) as cluster, pytest.MonkeyPatch.context() as patch:
        cluster.add_node(num_cpus=1, env_vars={"TMPDIR": str(tiny_disk)})
        cluster.wait_for_nodes()
        patch.setenv("RAY_ADDRESS", cluster.address)
        files().put(str(tmp_path / "in"), "bucket/in", recursive=True)
        asked = {"inputs": ("s3://bucket/in",), "output": "s3://bucket/out", "model": str(BUNDLES / "restore")}
        outcomes = enhance(EnhanceSettings(**asked, engine="ray")).outcomes
        assert [one.status for one in outcomes] == ["done"] * 12


@pytest.mark.parametrize(
    ("path", "error", "words"),
    [
        ("ftp://host/in", UsageError, "'ftp://' is not known"),
        ("FTP://host/in", UsageError, "'ftp://' is not known"),
        ("gs://bucket/in", RefusedError, "gs:// needs gcsfs"),
        ("s3://none/out", OutputError, "s3://none/out/manifest.jsonl: the storage refuses"),
    ],
)
def test_storage_that_cannot_be_used(path, error, words, pictures, tmp_path):
    with s3():
        with pytest.raises(error, match=words):
            enhance(EnhanceSettings(inputs=(pictures / "a",), output=path, model=str(BUNDLES / "restore")))
        (one,) = enhance(
            EnhanceSettings(inputs=("s3://none/in.png",), output=tmp_path / "out", model=str(BUNDLES / "restore"))
        ).outcomes
        assert one.status == "failed" and one.error.startswith("s3://none/in.png: does not exist")
