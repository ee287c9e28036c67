"""What goes wrong around a command: signals, pipes, disks, folders, alphabets. A clear line, and nothing is lost."""

import functools
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.interrupted.kills import VERBS, faults
from tests.support import BUNDLES, ROOT, hear_ctrl_c

pytestmark = pytest.mark.slow
GO_ON = "interrupted; what is finished is kept, run the same command again to go on"
COMMAND = [sys.executable, "-m", "safelight", "enhance", "in", "-o", "out", "--model", str(BUNDLES / "restore")]
DEADLINE_S = 60


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for number in range(6):
        shutil.copy(ROOT / "examples" / "samples" / "roman_colosseum.webp", tmp_path / "in" / f"{number}.webp")
    return tmp_path


def begun(home: Path, is_far: Callable[[], bool], prepare: Callable[[], object] = hear_ctrl_c) -> subprocess.Popen[str]:
    """A run that has come so far."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "preexec_fn": prepare}
    process = subprocess.Popen(COMMAND, cwd=home, text=True, **pipes)
    until = time.monotonic() + DEADLINE_S
    while not is_far() and time.monotonic() < until and process.poll() is None:
        time.sleep(0.02)
    return process


def run(home: Path, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(COMMAND, cwd=home, text=True, capture_output=True, check=False, **options)


def told(home: Path) -> list[str]:
    lines = (json.loads(line) for line in (home / "out" / "manifest.jsonl").read_text().splitlines())
    return [line["source"] for line in lines if "key" in line]


@pytest.mark.parametrize("verb", VERBS)
def test_a_kill_at_a_random_moment(tmp_path, verb):
    assert list(faults(verb, 1, tmp_path)) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_a_run_in_good_order(home, number):
    process = begun(home, (home / "out" / "1.webp").exists)
    process.send_signal(number)
    _, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 130 and err.splitlines()[-1] == GO_ON
    done = len(told(home))
    again = run(home)
    assert 1 <= done < 6 and f"{6 - done} done, {done} skipped, 0 failed" in again.stderr


def test_a_background_command_that_ignores_ctrl_c_ends_by_sigterm(home):
    deaf = functools.partial(signal.signal, signal.SIGINT, signal.SIG_IGN)
    process = begun(home, (home / "out" / "1.webp").exists, deaf)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 130 and err.splitlines()[-1] == GO_ON


def test_what_reads_the_results_may_leave(home):
    process = begun(home, (home / "out" / "0.webp").exists)
    process.stdout.close()
    _, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 1 and "Traceback" not in err


def test_inputs_that_change_and_a_folder_that_goes(home):
    for number in range(6, 10):
        shutil.copy(home / "in" / "0.webp", home / "in" / f"{number}.webp")
    process = begun(home, (home / "out" / "1.webp").exists)
    shutil.rmtree(home / "out")
    (home / "in" / "8.webp").write_bytes(b"")  # files near the first one may have been read ahead
    (home / "in" / "9.webp").unlink()
    _, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 1 and "Traceback" not in err
    assert "in/8.webp: is empty (0 bytes)" in err and "in/9.webp: is not there" in err
    shutil.copy(home / "in" / "0.webp", home / "in" / "8.webp")
    again = run(home)
    made = {path.name for path in (home / "out").glob("*.webp")}
    assert again.returncode == 0 and made == {f"{number}.webp" for number in range(9)}


def test_an_alphabet_without_umlauts(home):
    (home / "in" / "0.webp").rename(home / "in" / "größe.webp")
    poor = {"PATH": os.environ["PATH"], "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = run(home, env=poor)
    assert done.returncode == 0 and "gr\\xf6\\xdfe.webp" in done.stdout and (home / "out" / "größe.webp").is_file()


def test_without_a_home_and_with_few_files(home):
    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))

    done = run(home, env={"PATH": os.environ["PATH"]}, preexec_fn=few)
    assert done.returncode == 0 and "6 done, 0 skipped, 0 failed" in done.stderr
