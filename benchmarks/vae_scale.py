"""Large sets and several processes: memory, the first step, and what a second core brings.

    python benchmarks/vae_scale.py [--pictures 200000] [--data ../shared/data]

Makes a folder of small PNGs, trains a VAE of it, and looks at the process from outside; before that it trains on MNIST
with one process and with two under torchrun, one thread each. Writes benchmarks/results/vae_scale.json.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from sets import DATA, ROOT

from safelight import randomness
from safelight.picture import Picture, write
from safelight.runtime.machine import cores, processor

RESULTS = ROOT / "benchmarks" / "results" / "vae_scale.json"
SIDE_PX = 64
CLASSES = 10
RECIPE = """
task = "images"
name = "scale"
validate_every = 100000
log_every = {log_every}
[card]
summary = "a benchmark"
data_licences = "none"
[data]
validation_share = 0.01
test_share = 0
[model]
size = "tiny"
[[stages]]
steps = 100000
batch = {batch}
learning_rate = 3e-4
warmup_steps = 0
"""


def make_pictures(folder: Path, count: int) -> None:
    """Smooth colours of their own, so that no two are alike and all compress."""
    with ProcessPoolExecutor(cores()) as pool:
        list(pool.map(_make_some, [folder] * CLASSES, range(CLASSES), [count // CLASSES] * CLASSES))


def _make_some(folder: Path, label: int, count: int) -> None:
    home = folder / f"class{label}"
    home.mkdir()
    rows, columns = np.mgrid[:SIDE_PX, :SIDE_PX] / SIDE_PX
    for k in range(count):
        rng = randomness.generator(0, "scale", label, k)
        waves = rng.uniform(0, 7, (3, 3))
        planes = [np.sin(a + b * rows + c * columns) for a, b, c in waves]
        pixels = np.rint(127.5 * (1 + np.stack(planes, axis=2))).astype(np.uint8)
        write(Picture(pixels), home / f"{k}.png", metadata="strip")


def large(count: int, folder: Path) -> dict[str, float]:
    """Seconds to the first step, and the largest resident set of the process (VmHWM)."""
    began = time.perf_counter()
    make_pictures(folder, count)
    made_s = time.perf_counter() - began
    recipe = folder.parent / "scale.toml"
    recipe.write_text(RECIPE.format(batch=64, log_every=1))
    run = folder.parent / "run"
    command = [sys.executable, "-m", "safelight", "train", recipe, "--data", folder, "--run", run]
    command += ["--cache", folder.parent / "cache", "--stop-at", 300]
    began = time.perf_counter()
    process = subprocess.Popen([*map(str, command)], stderr=subprocess.DEVNULL)
    first_s, peak_kb = 0.0, 0
    while process.poll() is None:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
            peak_kb = max(peak_kb, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")))
        except (OSError, ValueError, TypeError):
            pass
        if not first_s and (run / "metrics.jsonl").exists():
            first_s = time.perf_counter() - began
        time.sleep(0.05)
    rates = [json.loads(line)["samples_per_s"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    return {
        "pictures": count,
        "side_px": SIDE_PX,
        "made_in_s": made_s,
        "first_step_s": first_s,
        "peak_resident_gb": peak_kb / 1e6,
        "samples_per_s_while_decoding": statistics.median(rates[10:]),
    }


def processes(data: Path, folder: Path) -> dict[str, float]:
    """Images/s and losses of one process with one thread, and of two; the same batches of the same size."""
    recipe = folder / "processes.toml"
    recipe.write_text(RECIPE.format(batch=256, log_every=20))
    told = {}
    for name, launcher in (("one", ["-m"]), ("two", ["-m", "torch.distributed.run", "--nproc_per_node=2", "-m", "--"])):
        rates, losses = [], []
        for turn in range(3):
            run = folder / f"{name}{turn}"
            command = [sys.executable, *launcher, "safelight", "train", recipe, "--run", run, "--stop-at", 120]
            command += ["--data", data / "labelled" / "mnist_train.npz", "--cache", folder / "cache"]
            environment = os.environ | {"OMP_NUM_THREADS": "1"}
            subprocess.run([*map(str, command)], stderr=subprocess.DEVNULL, env=environment)
            lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
            rates += [line["samples_per_s"] for line in lines[1:] if "loss" in line]
            losses = [line["loss"] for line in lines if "loss" in line]
        told[name] = (statistics.median(rates), np.array(losses))
    (one, alone), (two, together) = told["one"], told["two"]
    return {
        "one_process_samples_per_s": one,
        "two_processes_samples_per_s": two,
        "ratio": two / one,
        "largest_relative_difference_of_losses": float(np.abs(together / alone - 1).max()),
    }


def main() -> None:
    """Both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--pictures", type=int, default=200_000)
    ask = parser.parse_args()
    results: dict[str, object] = {"cpu": processor()}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        results["processes"] = processes(ask.data, folder)
        (folder / "pictures").mkdir()
        results["large"] = large(ask.pictures, folder / "pictures")
    RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
