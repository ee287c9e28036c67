"""Every engine is a map: results in order, few tasks in flight, errors passed on."""

import math
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from safelight.errors import OutputError
from safelight.work import Engine, Processes, Threads
from tests.support import ROOT


@pytest.fixture(params=[Threads, Processes], ids=["threads", "processes"])
def engine(request) -> Engine:
    return request.param(2)


def test_results_come_in_the_order_of_the_tasks(engine):
    assert list(engine.map(math.factorial, range(8))) == [math.factorial(k) for k in range(8)]


def test_what_a_task_raises_is_raised(engine):
    with pytest.raises(ValueError, match=r"math domain|nonnegative"):
        list(engine.map(math.sqrt, [4.0, -1.0, 9.0]))


def test_no_tasks_have_no_results(engine):
    assert list(engine.map(math.sqrt, [])) == []


def test_results_wait_for_slower_tasks_before_them():
    def nap(seconds: float) -> float:
        time.sleep(seconds)
        return seconds

    assert list(Threads(4).map(nap, [0.2, 0.1, 0.0])) == [0.2, 0.1, 0.0]


def test_few_tasks_are_in_flight():
    begun = 0

    def tasks():
        nonlocal begun
        for k in range(100):
            begun += 1
            yield k

    results = Threads(3).map(lambda k: k, tasks())
    next(results)
    assert begun <= 4
    results.close()


def test_stopping_early_finishes_what_has_begun_and_begins_nothing():
    done, may_end = [], threading.Event()

    def work(k: int) -> int:
        may_end.wait(0 if k == 0 else 5)
        done.append(k)
        return k

    results = Threads(2).map(work, range(50))
    assert next(results) == 0
    may_end.set()
    results.close()
    assert len(done) <= 5 and sorted(done) == list(range(len(done)))


def test_processes_are_prepared(tmp_path):
    before = Path.cwd()
    assert list(Processes(1, os.chdir, (tmp_path,)).map(os.path.abspath, ["a"])) == [str(tmp_path / "a")]
    assert Path.cwd() == before, "this process is left as it was"


def test_a_process_that_dies_is_told_in_a_line():
    with pytest.raises(OutputError, match="a worker died, perhaps for want of memory; go on with fewer --workers"):
        list(Processes(1).map(os._exit, [9]))


def test_processes_end_when_their_driver_is_killed():
    """As by SIGKILL: nobody tells them, and each may hold a model in memory."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.work.driver"], stdout=subprocess.PIPE, cwd=ROOT, text=True
    ) as driver:
        assert driver.stdout is not None
        workers = [int(driver.stdout.readline()) for _ in range(2)]
        assert all(map(is_alive, workers))
        driver.kill()
    deadline = time.monotonic() + 20
    while any(map(is_alive, workers)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_alive(process: int) -> bool:
    """A zombie has ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False
