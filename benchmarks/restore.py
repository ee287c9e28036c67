"""Measure the shipped restoration bundle beside published denoisers, in one run on the same threads.

    python benchmarks/restore.py [--data ../shared/data] [--peers ../shared/peers] [--only quality speed memory start]

Writes benchmarks/results/restore.json, docs/benchmarks.md and the numbers of the README.
Needs the `dev` extra. About 15 minutes on two cores; parts that are not asked for keep their last result.

Protocol: unclipped N(0, σ²) on the 8-bit picture, blind; PSNR over RGB of the clipped result, mean over
pictures. Speeds are medians; the peer runs in onnxruntime with the same number of threads.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

import safelight
from safelight.degrade import Step, draw, replay
from safelight.metrics import mse, psnr_db
from safelight.picture.vips import to_vips
from safelight.runtime.session import cores, open_graph

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "restore.json"
TABLE = ROOT / "docs" / "benchmarks.md"
SAMPLES = 8


def pictures(folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Every picture of a benchmark set as (H, W, 3) float32 in [0, 1]."""
    for path in sorted(folder.glob("*.webp")):
        yield path.stem, safelight.read(path).as_float()


class Average:
    """Named numbers, averaged over pictures."""

    def __init__(self) -> None:
        self.values: dict[str, list[float]] = {}

    def add(self, **numbers: float) -> None:
        for name, number in numbers.items():
            self.values.setdefault(name, []).append(number)

    def means(self) -> dict[str, float]:
        """Averages over pictures; squared errors as ratios of their averages to that of the mean."""
        means = {name: statistics.fmean(numbers) for name, numbers in self.values.items()}
        base = means.pop("mse_of_mean", 1.0)
        ratios = {f"{name}_to_that_of_mean": means.pop(name) / base for name in list(means) if name.startswith("mse_")}
        return {name: round(number, 4) for name, number in (means | ratios).items()}


def compare(model: safelight.Model, clean: np.ndarray, degraded: np.ndarray, samples: int) -> dict[str, float]:
    """One picture restored: PSNR, the 3 dB law, coverage of the intervals, calibration of the std."""
    out = model.enhance(safelight.Picture(degraded.astype(np.float32)), samples=samples, seed=1)
    mean = np.clip(out.mean.pixels, 0, 1)
    numbers = {"input_db": psnr_db(np.clip(degraded, 0, 1), clean), "ours_db": psnr_db(mean, clean)}
    for level in (0.5, 0.9):
        low, high = out.interval(level)
        numbers[f"inside_{round(100 * level)}"] = float(np.mean((low <= clean) & (clean <= high)))
    numbers |= {"mse_of_mean": mse(out.mean.pixels, clean), "mse_predicted": float(np.mean(out.std**2))}
    if samples:
        draws = np.stack([sample.pixels for sample in out.samples])
        numbers["mse_of_one_sample"] = mse(draws[0], clean)
        numbers[f"mse_of_mean_of_{samples}"] = mse(draws.mean(0), clean)
    return numbers


def noise_table(
    model: safelight.Model, data: Path, peers: Path | None, ask_peers: list[str]
) -> dict[str, dict[str, float]]:
    """CBSD68 at three noise levels, beside the peers."""
    table = {}
    for sigma in (15, 25, 50):
        average = Average()
        for name, clean in pictures(data / "bench" / "cbsd68"):
            noisy = replay(clean, draw([Step.fixed("gaussian_noise", sigma_255=sigma)], 0, name))
            told = model.enhance(safelight.Picture(noisy), sigma_01=sigma / 255, uncertainty=False).mean.pixels
            average.add(**compare(model, clean, noisy, SAMPLES), ours_told_db=psnr_db(np.clip(told, 0, 1), clean))
            if peers is not None:
                for peer in ask_peers:
                    average.add(**{f"{peer}_db": psnr_db(run_peer(peers, peer, noisy, sigma / 255), clean)})
        table[f"CBSD68, noise {sigma}"] = average.means()
        print(sigma, table[f"CBSD68, noise {sigma}"], flush=True)
    return table


def run_peer(peers: Path, name: str, noisy: np.ndarray, sigma_01: float) -> np.ndarray:
    """A published denoiser, in torch, on a picture padded to even size."""
    import torch

    module = peer_module(peers)
    height, width, _ = noisy.shape
    padded = np.pad(noisy, ((0, height % 2), (0, width % 2), (0, 0)), mode="symmetric").transpose(2, 0, 1)[None]
    out = module.peer(name, torch.from_numpy(np.ascontiguousarray(padded)), sigma_01)
    return np.clip(out[0].numpy().transpose(1, 2, 0)[:height, :width], 0, 1)


def peer_module(folder: Path) -> object:
    """peers.py of the folder."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    import peers

    return peers


def other_tables(model: safelight.Model, data: Path) -> dict[str, dict[str, float]]:
    """JPEG on LIVE1, real camera noise on CC15, and pictures that need nothing."""
    table = {}
    for quality in (10, 20, 30):
        average = Average()
        for name, clean in pictures(data / "bench" / "live1"):
            compressed = replay(clean, draw([Step.fixed("jpeg", quality=quality)], 0, name))
            average.add(**compare(model, clean, compressed, 0))
        table[f"LIVE1, JPEG {quality}"] = average.means()
    average = Average()
    for path in sorted((data / "bench" / "cc15").glob("*_real.webp")):
        noisy = safelight.read(path).as_float()
        clean = safelight.read(path.with_name(path.name.replace("_real", "_mean"))).as_float()
        average.add(**compare(model, clean, noisy, 0))
    table["CC15, real noise"] = average.means()
    average = Average()
    for _, clean in pictures(data / "bench" / "kodak24"):
        out = model.enhance(safelight.Picture(clean), uncertainty=False)
        average.add(changed_rms_255=255 * np.sqrt(mse(out.mean.pixels, clean)))
    table["Kodak24, clean"] = average.means()
    print(json.dumps(table, indent=1), flush=True)
    return table


def measure_speed(data: Path, peers: Path, repeats: int = 5) -> dict[str, dict[str, float]]:
    """The whole command on a 12-megapixel JPEG, in turns with FFDNet's network alone on 1 megapixel."""
    run_ffdnet = ffdnet_in_onnxruntime(peers)
    with tempfile.TemporaryDirectory() as folder:
        photo, out = Path(folder) / "photo.jpg", Path(folder) / "out.jpg"
        write_large(data, photo, 4000, 3000)
        ours, theirs = [], []
        for _ in range(repeats):
            ours.append(seconds(lambda: enhance_file(photo, out)) / 12)
            theirs.append(run_ffdnet())
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    numbers = {
        "ours_s_per_mpx": statistics.median(ours),
        "ffdnet_s_per_mpx": statistics.median(theirs),
        "ratio": statistics.median(ratios),
        "threads": cores(),
    }
    return {"Speed": {name: round(number, 3) for name, number in numbers.items()}}


def measure_memory(data: Path) -> dict[str, dict[str, float]]:
    """Peak resident set of the whole command on a 48-megapixel JPEG."""
    with tempfile.TemporaryDirectory() as folder:
        photo, out = Path(folder) / "photo.jpg", Path(folder) / "out.jpg"
        write_large(data, photo, 8000, 6000)
        return {"Memory": {"peak_gb_48_mpx": round(enhance_file(photo, out), 3)}}


def measure_start(repeats: int = 7) -> dict[str, dict[str, float]]:
    """`safelight --help`."""
    command = [sys.executable, "-m", "safelight", "--help"]
    times = [seconds(lambda: subprocess.run(command, capture_output=True, check=True)) for _ in range(repeats)]
    return {"Start-up": {"help_s": round(statistics.median(times), 3)}}


def write_large(data: Path, path: Path, width: int, height: int) -> None:
    """A mosaic of noisy benchmark photographs as one large JPEG."""
    rng = np.random.default_rng(0)
    tiles = [p[:512, :512] for _, p in pictures(data / "bench" / "kodak24")]
    rows = [[tiles[(7 * r + c) % len(tiles)] for c in range(-(-width // 512))] for r in range(-(-height // 512))]
    mosaic = np.concatenate([np.concatenate(row, axis=1) for row in rows])[:height, :width]
    noisy = mosaic + 0.04 * rng.standard_normal(mosaic.shape, dtype=np.float32)
    to_vips(np.rint(np.clip(noisy, 0, 1) * 255).astype(np.uint8)).jpegsave(str(path), Q=92)


def enhance_file(photo: Path, out: Path) -> float:
    """Run the command line; returns its peak resident set in GB.

    A child's peak starts at its parent's size, so a small process stands between it and this one.
    """
    command = [sys.executable, "-m", "safelight", "enhance", str(photo), "-o", str(out), "--if-exists", "overwrite"]
    (out.parent / "manifest.jsonl").unlink(missing_ok=True)
    code = "import os, subprocess, sys; p = subprocess.Popen(sys.argv[1:], stdout=2); _, s, u = os.wait4(p.pid, 0); "
    between = [sys.executable, "-c", code + "print(u.ru_maxrss); sys.exit(s != 0)", *command]
    return int(subprocess.run(between, capture_output=True, text=True, check=True).stdout) / 1e6


def seconds(action: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def ffdnet_in_onnxruntime(peers: Path, side: int = 1024) -> Callable[[], float]:
    """FFDNet as an onnxruntime session with the threads that ours has; calling it gives seconds per megapixel."""
    import torch

    module = peer_module(peers)
    weights = module.load("ffdnet_color")

    class Net(torch.nn.Module):
        def forward(self, noisy: torch.Tensor) -> torch.Tensor:
            return module.peer.__wrapped__("ffdnet_color", noisy, 25 / 255, weights)

    picture = torch.rand(1, 3, side, side)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ffdnet.onnx"
        torch.onnx.export(Net().eval(), (picture,), str(path), dynamo=True, input_names=["noisy"], verbose=False)
        graph = open_graph(path, "cpu", cores())
    expected, got = (
        module.peer("ffdnet_color", picture, 25 / 255, weights).numpy(),
        graph.run(None, {"noisy": picture.numpy()}),
    )
    assert np.abs(expected - got[0]).max() < 1e-3
    return lambda: seconds(lambda: graph.run(None, {"noisy": picture.numpy()})) / (side * side / 1e6)


def write_table(results: dict[str, dict[str, float]]) -> None:
    """docs/benchmarks.md from the JSON."""
    lines = ["# Benchmarks", "", "Made by `python benchmarks/restore.py`; do not edit by hand.", ""]
    lines += [f"Machine: {results['machine']['cpu']}, {results['machine']['threads']} threads.", ""]
    for title, numbers in results.items():
        if title != "machine":
            lines += [f"## {title}", "", "| measure | value |", "|---|---|"]
            lines += [f"| {name} | {number:g} |" for name, number in numbers.items()] + [""]
    TABLE.write_text("\n".join(lines), encoding="utf-8")


MARKS = "<!-- numbers: made by benchmarks/restore.py -->", "<!-- end of numbers -->"


def readme_block(results: dict[str, dict[str, float]]) -> str:
    """The numbers of the README."""
    rows = [
        "| CBSD68, PSNR in dB | noisy | Safelight, blind | Safelight, told σ | FFDNet, told σ |",
        "|---|---|---|---|---|",
    ]
    for sigma in (15, 25, 50):
        got = results[f"CBSD68, noise {sigma}"]
        names = ("input_db", "ours_db", "ours_told_db", "ffdnet_color_db")
        rows.append(f"| noise σ = {sigma} | " + " | ".join(f"{got[name]:.2f}" for name in names) + " |")
    speed, law = results["Speed"], results["CBSD68, noise 25"]
    jpeg = [results[f"LIVE1, JPEG {quality}"] for quality in (10, 20, 30)]
    gains = " / ".join(f"{got['ours_db'] - got['input_db']:+.2f}" for got in jpeg)
    held = " / ".join(f"{got['inside_90']:.0%}" for got in jpeg)
    real = results["CC15, real noise"]
    facts = [
        f"JPEG at quality 10 / 20 / 30 (LIVE1): {gains} dB; only {held} of the values lie in their 90 % interval.",
        f"Real camera noise (CC15): {real['input_db']:.2f} → {real['ours_db']:.2f} dB.",
        f"A clean photograph (Kodak24) changes by {results['Kodak24, clean']['changed_rms_255']:.2f}/255 RMS.",
        (
            f"The whole command on a 12-megapixel JPEG: {speed['ours_s_per_mpx']:.2f} s per megapixel on "
            f"{speed['threads']} threads, {speed['ratio']:.2f} times what FFDNet's network alone takes."
        ),
        f"A 48-megapixel picture: {results['Memory']['peak_gb_48_mpx']:.2f} GB of memory at most.",
        (
            f"Samples at σ = 25: squared error {law['mse_of_one_sample_to_that_of_mean']:.2f} times the mean's "
            f"(a perfect posterior: 2), the average of 8 {law['mse_of_mean_of_8_to_that_of_mean']:.2f} times (1.125); "
            f"{law['inside_90']:.0%} of the true values lie in their 90 % interval."
        ),
    ]
    return "\n".join([*rows, "", *(f"- {fact}" for fact in facts)])


def write_readme(results: dict[str, dict[str, float]]) -> None:
    """Put the block between its marks."""
    path = ROOT / "README.md"
    head, _, rest = path.read_text(encoding="utf-8").partition(MARKS[0])
    _, _, tail = rest.partition(MARKS[1])
    path.write_text(f"{head}{MARKS[0]}\n\n{readme_block(results)}\n\n{MARKS[1]}{tail}", encoding="utf-8")


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("SAFELIGHT_DATA", ROOT.parent / "shared" / "data"))
    )
    parser.add_argument("--peers", type=Path, default=ROOT.parent / "shared" / "peers")
    parser.add_argument("--against", nargs="*", default=["ffdnet_color"], help="also dncnn_color_blind, which is slow")
    parser.add_argument("--only", nargs="*", default=["quality", "speed", "memory", "start"])
    ask = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if "quality" in ask.only:
        model = safelight.load("photo")
        results |= noise_table(model, ask.data, ask.peers if ask.peers.is_dir() else None, ask.against)
        results |= other_tables(model, ask.data)
    if "speed" in ask.only:
        results |= measure_speed(ask.data, ask.peers)
    if "memory" in ask.only:
        results |= measure_memory(ask.data)
    if "start" in ask.only:
        results |= measure_start()
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    cpu = names[0].partition(":")[2].strip() if names else platform.processor()
    results = {"machine": {"cpu": cpu, "threads": cores()}} | {k: v for k, v in results.items() if k != "machine"}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    write_table(results)
    write_readme(results)
    print(TABLE.read_text())


if __name__ == "__main__":
    main()
