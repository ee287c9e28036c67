"""Ctrl-C in a run with a loader process."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.learn.training import train as run


@pytest.mark.slow
def test_interrupt_saves_and_resume_goes_on(recipe, pictures, tmp_path):
    recipe.write_text(recipe.read_text().replace("steps = 20", "steps = 4000", 1))
    command = [sys.executable, "-m", "safelight", "train", recipe, "--data", pictures, "--run", tmp_path / "run"]
    command += ["--cache", tmp_path / "cache", "--workers", "1"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    log = tmp_path / "run" / "metrics.jsonl"
    deadline = time.time() + 120
    while not (log.exists() and "loss" in log.read_text()) and time.time() < deadline:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the loader process gets it too
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert "go on with: safelight train" in told
    assert "Traceback" not in told
    assert (tmp_path / "run" / "checkpoint" / "progress.json").exists()
    step = json.loads((tmp_path / "run" / "checkpoint" / "progress.json").read_text())["step"]
    assert step >= 5
    assert not run(recipe, pictures, tmp_path / "run", resume=True, stop_at=step + 3)
