"""A file is written whole or not at all; what killed processes left is swept, and nothing else is."""

import os
import subprocess
import sys

import pytest

from safelight.errors import OutputError
from safelight.work import clear_leftovers, replacing, write_whole


def test_a_file_appears_whole(tmp_path):
    target = tmp_path / "a.txt"
    with replacing(target) as part:
        part.write_text("new")
        assert part.parent == target.parent and not target.exists()
    assert target.read_text() == "new" and list(tmp_path.iterdir()) == [target]


def test_an_error_leaves_the_old_file_and_no_other(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(KeyboardInterrupt), replacing(target) as part:
        part.write_text("half")
        raise KeyboardInterrupt
    assert target.read_text() == "old" and list(tmp_path.iterdir()) == [target]


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    target = tmp_path / "a.txt"
    with replacing(target) as one, replacing(target) as other:
        assert one != other
        one.write_text("one")
        other.write_text("other")
    assert target.read_text() == "one", "the last to finish"


def test_small_files_are_written_with_their_folders(tmp_path):
    write_whole(tmp_path / "a" / "b" / "c.txt", "Jörg")
    assert (tmp_path / "a" / "b" / "c.txt").read_bytes() == "Jörg".encode()
    write_whole(tmp_path / "a" / "b" / "c.txt", b"\0\1")
    assert (tmp_path / "a" / "b" / "c.txt").read_bytes() == b"\0\1"


def test_what_cannot_be_written_is_told_in_a_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"file/a.txt: cannot be written .*; check the folder and the disk"):
        write_whole(tmp_path / "file" / "a.txt", "x")


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_leftovers_of_dead_processes_are_swept_alone(tmp_path):
    dead, alive = dead_process(), os.getpid()
    gone = [tmp_path / f".safelight-{dead}-0123abcd.part", tmp_path / "sub" / f".safelight-{dead}-0123abcd.part"]
    kept = [
        tmp_path / f".safelight-{alive}-0123abcd.part",
        tmp_path / ".safelight-notes.part",
        tmp_path / f"mine-{dead}-0123abcd.part",
    ]
    (tmp_path / "sub").mkdir()
    for path in (*gone, *kept):
        path.write_text("half")
    clear_leftovers(tmp_path)
    assert [path.exists() for path in gone] == [False, True]
    clear_leftovers(tmp_path, recursive=True)
    assert not gone[1].exists() and all(path.exists() for path in kept)


def test_files_of_a_cluster_are_swept_by_their_own_run_or_by_any(tmp_path):
    one, other = (tmp_path / f".safelight-run{run}-0123abcd.part" for run in ("aaaaaaaa", "bbbbbbbb"))
    for run, left in ((None, [True, True]), ("aaaaaaaa", [False, True]), ("any", [False, False])):
        one.touch()
        other.touch()
        clear_leftovers(tmp_path, run=run)
        assert [one.exists(), other.exists()] == left


def test_no_folder_has_no_leftovers(tmp_path):
    clear_leftovers(tmp_path / "nowhere")
