"""What the command line loads, says of itself, and needs."""

import resource
import subprocess
import sys

import numpy as np
import pytest

from safelight.cli.app import VERBS
from safelight.picture import Picture, read, write
from tests.support import run_cli, run_process


def test_the_command_line_starts_at_once():
    began = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    assert run_process("--help").returncode == 0
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - began < 1.0, "processor time, not a stopwatch"


def test_enhance_never_imports_torch(tiny, rng, tmp_path):
    write(Picture(rng.integers(0, 256, (40, 60, 1), dtype=np.uint8)), tmp_path / "b.png")
    arguments = ["safelight", "enhance", str(tmp_path / "b.png"), "-o", str(tmp_path / "o.png"), "--samples", "1"]
    arguments += ["--model", str(tiny.folder)]
    code = f"import sys; sys.argv = {arguments!r}\nfrom safelight.cli import main\n"
    code += "try:\n main()\nexcept SystemExit: pass\n"
    code += "assert 'onnxruntime' in sys.modules and 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("model list", "photo"),
        ("model info {tiny}", "random weights"),
        ("model info {tiny} --json", '"name": "tiny"'),
        ("model verify {tiny}", "all graphs run"),
        pytest.param("doctor", "--device auto takes: cpu", marks=pytest.mark.slow),
        ("--version", "safelight 0."),
    ],
)
def test_models_and_the_machine_are_told(tiny, command, expected):
    done = run_cli(*command.format(tiny=tiny.folder).split())
    assert done.returncode == 0, done.stderr
    assert expected in done.stdout


def test_a_model_is_exported_and_what_is_none_is_refused(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert run_cli("model", "export", tiny.folder, "-o", tmp_path / "t.zip").returncode == 0
    assert "all graphs run" in run_cli("model", "verify", tmp_path / "t.zip").stdout
    refused = run_cli("model", "verify", tmp_path)
    assert refused.returncode == 3 and "is not a bundle" in refused.stderr


def test_every_verb_of_the_table_has_help():
    for verb in VERBS:
        done = run_cli(verb, "--help")
        assert done.returncode == 0 and f"safelight {verb}" in done.stdout, verb


def test_an_unknown_verb_is_wrong_use():
    assert run_cli("restore").returncode == 2


@pytest.mark.slow
def test_memory_is_bounded_by_the_tile(photo, tmp_path):
    """A 16-megapixel JPEG through the shipped bundle: peak resident set at most 1.3 GB.

    Its input and output take 0.19 GB less than those of 48 megapixels, for which the bound is 1.5 GB.
    """
    import pyvips

    tile = np.random.default_rng(0).integers(0, 256, (500, 500, 3), dtype=np.uint8)
    pyvips.Image.new_from_array(tile).copy(interpretation="srgb").replicate(8, 8).jpegsave(
        str(tmp_path / "big.jpg"), Q=75
    )
    command = [sys.executable, "-m", "safelight", "enhance", str(tmp_path / "big.jpg"), "-o", str(tmp_path / "out.jpg")]
    # a child's peak starts at its parent's size, so a small process stands between it and this one
    code = "import os, subprocess, sys; p = subprocess.Popen(sys.argv[1:], stdout=2); _, s, u = os.wait4(p.pid, 0); "
    code += "print(u.ru_maxrss); sys.exit(s != 0)"
    between = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=True)
    assert int(between.stdout) <= 1.3e6, f"{int(between.stdout) / 1e6:.2f} GB"
    assert read(tmp_path / "out.jpg").size == (4000, 4000)
