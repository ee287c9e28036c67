"""OpenCV's number of threads belongs to the user's process: it is as before when we are done."""

import subprocess
import sys
import threading

import cv2
import numpy as np
import pytest

from safelight.augmentation import Augment
from safelight.classic.threads import single_threaded


@pytest.fixture
def two_threads():
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    yield
    cv2.setNumThreads(before)


def test_importing_changes_nothing():
    code = "import cv2, sys; n = cv2.getNumThreads(); import safelight.augmentation; sys.exit(cv2.getNumThreads() != n)"
    assert not subprocess.run([sys.executable, "-c", code]).returncode


def test_an_augmentation_changes_nothing(two_threads):
    Augment.of([{"op": "rotate"}, {"op": "blur"}])(image=np.zeros((9, 9, 3), np.uint8), seed=1)
    assert cv2.getNumThreads() == 2


def test_blocks_in_several_threads(two_threads):
    entered, leave = threading.Event(), threading.Event()

    def other():
        with single_threaded():
            entered.set()
            leave.wait()

    thread = threading.Thread(target=other)
    with single_threaded():
        thread.start()
        entered.wait()
    assert cv2.getNumThreads() == 1  # the other block is still open
    leave.set()
    thread.join()
    assert cv2.getNumThreads() == 2


def test_an_error_leaves_no_block_open(two_threads):
    with pytest.raises(ZeroDivisionError), single_threaded():
        _ = 1 / 0
    assert cv2.getNumThreads() == 2
