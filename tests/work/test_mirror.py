"""Sets on object storage are copied to this machine: a real S3 server on loopback that refuses some requests."""

import multiprocessing
import os
import shutil
from collections import namedtuple
from pathlib import Path

import fsspec
import pytest

from safelight.errors import OutputError, UsageError
from safelight.work import mirror, mirrored
from tests.storage_server import s3
from tests.support import made

pytestmark = pytest.mark.slow
STORED = Path("s3://bucket/set")


@pytest.fixture(autouse=True)
def copy(monkeypatch, tmp_path):
    """Where the copy of the set is expected."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "safelight" / "stored" / "s3" / "bucket" / "set"


@pytest.fixture
def home(tmp_path):
    """Twenty files in folders."""
    for k in range(20):
        path = tmp_path / "set" / ("cat" if k % 2 else "dog and wolf") / f"{k:02}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes([k]) * 1000)
    return tmp_path / "set"


def files():
    return fsspec.filesystem("s3", use_listings_cache=False)


def copied(path):
    """Where it is now, and how many files were downloaded for that."""
    reports = []
    return mirrored(path, reports.append), (reports[-1].total if reports else 0)


def test_only_what_is_new_is_downloaded_and_what_is_gone_goes(home, copy):
    with s3(refused_share=0.05) as refused:
        files().put(str(home), "bucket/set", recursive=True)
        assert copied(STORED) == (copy, 20) and made(copy) == made(home) and refused
        assert copied(STORED) == (copy, 0)
        (copy / "cat" / "01.bin").write_bytes(b"half")  # damaged here
        files().pipe_file("bucket/set/cat/03.bin", b"x" * 1000)  # changed there, of the same size
        files().rm_file("bucket/set/cat/05.bin")
        (home / "cat" / "03.bin").write_bytes(b"x" * 1000)
        (home / "cat" / "05.bin").unlink()
        assert copied(STORED) == (copy, 2) and made(copy) == made(home)
        (journal,) = copy.parents[1].glob(".*.json")
        journal.write_text('["no journal"]')
        assert copied(STORED) == (copy, 19) and made(copy) == made(home)


def test_of_a_list_its_folder_is_copied_and_of_an_array_the_file_alone(home, copy):
    with s3():
        files().put(str(home), "bucket/set", recursive=True)
        files().pipe_file("bucket/set/list.csv", b"image\n")
        files().pipe_file("bucket/set/all.npz", b"PK")
        assert copied(STORED / "all.npz") == (copy / "all.npz", 1)
        assert copied(STORED / "list.csv") == (copy / "list.csv", 21)  # the array is here
        files().pipe_file("bucket/set/all.npz", b"KP")
        assert copied(STORED) == (copy, 1) and (copy / "all.npz").read_bytes() == b"KP"
        files().pipe_file("bucket/set/all.npz", b"PK")  # as it was before
        assert copied(STORED / "all.npz") == (copy / "all.npz", 1)


def test_an_interrupted_copy_goes_on(home, copy):
    def interrupt(report):
        if report.done == 7:
            raise KeyboardInterrupt

    with s3():
        files().put(str(home), "bucket/set", recursive=True)
        with pytest.raises(KeyboardInterrupt):
            mirrored(STORED, interrupt)
        left = copied(STORED)[1]
        assert 0 < left <= 13 and made(copy) == made(home)


def test_what_cannot_be_copied_is_told(home, copy, monkeypatch):
    with s3():
        with pytest.raises(UsageError, match=r"^s3://bucket/set: does not exist, or is empty"):
            copied(STORED)
        files().put(str(home), "bucket/set", recursive=True)
        files().pipe_file("bucket/set/cat/01.bin/below", b"an object below an object")
        with pytest.raises(
            OutputError, match=r"^s3://bucket/set/cat/01.bin.*: cannot be kept in .*; rename the object"
        ):
            copied(STORED)
        files().rm_file("bucket/set/cat/01.bin")
        assert copied(STORED)[0] == copy and (copy / "cat" / "01.bin" / "below").is_file(), "a file became a folder"
        files().rm("bucket/set/cat", recursive=True)
        copied(STORED)
        assert not (copy / "cat").exists(), "no empty folder stays"
        with pytest.raises(UsageError, match=r"leads upwards"):
            mirrored(Path("s3://bucket/../../mine"))
        shutil.rmtree(copy)
        usage = namedtuple("usage", "free")
        monkeypatch.setattr(mirror.shutil, "disk_usage", lambda folder: usage(9_999))
        with pytest.raises(UsageError, match=r"^s3://bucket/set: its copy needs .* make room, or set XDG_CACHE_HOME"):
            copied(STORED)
    assert mirrored(home) == home


def one_process(number, cache, queue):
    os.environ["XDG_CACHE_HOME"] = str(cache)
    reports = []
    mirrored(STORED, reports.append)
    queue.put((number, len(reports)))


def test_processes_of_a_machine_copy_a_set_once(home, copy, tmp_path):
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    with s3(refused_share=0.05):
        files().put(str(home), "bucket/set", recursive=True)
        workers = [context.Process(target=one_process, args=(k, tmp_path / "cache", queue)) for k in range(3)]
        for worker in workers:
            worker.start()
        counts = sorted(queue.get(timeout=60)[1] for _ in workers)
        for worker in workers:
            worker.join()
    assert counts == [0, 0, 20] and made(copy) == made(home)


def test_what_a_killed_process_left_is_removed(home, copy):
    with s3():
        files().put(str(home), "bucket/set", recursive=True)
        (copy / "cat").mkdir(parents=True)
        (copy / "cat" / ".safelight-999999999-0123abcd.part").write_bytes(b"half")
        assert copied(STORED) == (copy, 20) and made(copy) == made(home)
