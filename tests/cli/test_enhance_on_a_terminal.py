"""`safelight enhance` on a terminal: its lines, and Ctrl-C."""

import contextlib
import os
import pty
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from tests.support import hear_ctrl_c


@pytest.fixture
def inputs(tmp_path):
    """Two small photographs."""
    folder = tmp_path / "in"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "a.jpg")
    Image.fromarray(noise[..., 0]).save(folder / "b.png")
    return folder


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_finished(tiny, inputs, tmp_path):
    for k in range(60):
        Image.fromarray(np.random.default_rng(k).integers(0, 256, (200, 210), dtype=np.uint8)).save(
            inputs / f"k{k:02}.png"
        )
    command = [sys.executable, "-m", "safelight", "enhance", inputs, "-o", tmp_path / "out", "--samples", "8"]
    pipes = {"stderr": subprocess.PIPE, "stdout": subprocess.PIPE, "preexec_fn": hear_ctrl_c}
    process = subprocess.Popen([*command, "--model", tiny.folder], text=True, **pipes)
    while not (tmp_path / "out" / "k01.png").exists():
        time.sleep(0.02)
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert "run the same command again" in told and "Traceback" not in told
    assert not list((tmp_path / "out").glob(".*.part"))


def on_a_terminal(tmp_path, inputs, tiny, columns):
    """What a terminal gets."""
    leader, terminal = pty.openpty()
    command = [sys.executable, "-m", "safelight", "enhance", inputs, "-o", tmp_path / "out", "--model", tiny.folder]
    environment = os.environ | {"TERM": "xterm", "COLUMNS": str(columns)}
    process = subprocess.Popen(command, stdout=terminal, stderr=terminal, env=environment)
    os.close(terminal)
    shown = b""
    with contextlib.suppress(OSError):  # Linux says so when the other end is closed
        while part := os.read(leader, 65536):
            shown += part
    os.close(leader)
    process.wait()
    return shown


def test_result_lines_stand_above_the_bar(tiny, inputs, tmp_path):
    (inputs / "text.png").write_text("not a picture")
    shown = on_a_terminal(tmp_path, inputs, tiny, columns=300)
    starts = re.findall(rb"(\r\x1b\[2K|\n)(?:\x1b\[\d*m)*(?:failed: |[^\r\n]*[ab]\.\w+ -> )", shown)
    assert len(starts) == 3, shown


def test_ctrl_c_ends_a_single_file_with_many_samples(tiny, tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (900, 900, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    command = [sys.executable, "-m", "safelight", "enhance", tmp_path / "a.png", "-o", tmp_path / "out"]
    command += ["--samples", "64", "--model", tiny.folder]
    process = subprocess.Popen(command, text=True, stderr=subprocess.PIPE, preexec_fn=hear_ctrl_c)
    while not (tmp_path / "out" / "manifest.jsonl").exists():
        time.sleep(0.02)
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130 and "run the same command again" in told
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["manifest.jsonl"]


def test_a_second_ctrl_c_leaves_at_once(tmp_path):
    """Where saving takes long."""
    code = (
        "import time\n"
        "from safelight.cli.console import progress_bar\n"
        "with progress_bar():\n"
        "    try:\n"
        "        print('begun', flush=True)\n"
        "        time.sleep(100)\n"
        "    finally:\n"
        "        print('saving', flush=True)\n"
        "        time.sleep(100)\n"
    )
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "preexec_fn": hear_ctrl_c}
    process = subprocess.Popen([sys.executable, "-c", code], text=True, **pipes)
    for word in ("begun\n", "saving\n"):
        assert process.stdout.readline() == word
        process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130 and told == "interrupted twice; run the same command again to go on\n"


def test_lines_above_the_bar_are_not_broken(tiny, inputs, tmp_path):
    (inputs / "b.png").rename(inputs / f"{'long ' * 30}.png")
    shown = on_a_terminal(tmp_path, inputs, tiny, columns=60)
    assert f"{inputs}/{'long ' * 30}.png -> ".encode() in shown
