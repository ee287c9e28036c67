"""Measure the shipped restoration bundle beside published denoisers, in one run on the same threads.

    python benchmarks/restore.py [--data ../shared/data] [--peers ../shared/peers] [--only quality speed ...]

Writes benchmarks/results/restore.json, docs/benchmarks.md and the numbers of the README.
Needs the `dev` extra. About half an hour on two cores; parts that are not asked for keep their last result.

Protocol: unclipped N(0, σ²) on the 8-bit picture, blind; PSNR over RGB of the clipped result, mean over
pictures. Speeds are medians; the peer runs in onnxruntime with the same number of threads.
"""

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from anomaly import measure_anomaly
from page import write_pages
from posterior import Judge, Table, draw_reliability
from sets import DATA, ROOT, SHARED, pictures

import safelight
from safelight.bundle import RestorerCard, find_bundle
from safelight.degrade import DegradeStep, draw, replay
from safelight.metrics import mse, psnr_db
from safelight.picture.vips import to_vips
from safelight.runtime.graphs import open_graph
from safelight.runtime.machine import cores, kind_of_processor, processor

RESULTS = ROOT / "benchmarks" / "results" / "restore.json"
RELIABILITY = ROOT / "docs" / "images" / "reliability.png"
PARTS = ["quality", "anomaly", "speed", "memory", "start"]
SAMPLES = 8


def noise_table(judge: Judge, data: Path, peers: Path | None, ask_peers: list[str]) -> Iterator[tuple[str, Table]]:
    """CBSD68 at three noise levels, beside the peers."""
    eight_bits = safelight.Restorer.load("photo", precision="int8")
    for sigma in (15, 25, 50):
        table = Table()
        for name, clean in pictures(data / "bench" / "cbsd68"):
            noisy = replay(clean, draw([DegradeStep.fixed("gaussian_noise", sigma_255=sigma)], 0, name))
            judge.judge(table, clean, noisy)
            table.add(
                ours_told_db=restored_db(judge.model, noisy, clean, sigma_01=sigma / 255),
                ours_int8_db=restored_db(eight_bits, noisy, clean),
            )
            for peer in ask_peers if peers is not None else ():
                table.add(**{f"{peer}_db": psnr_db(run_peer(peers, peer, noisy, sigma / 255), clean)})
        yield f"CBSD68, noise {sigma}", table


def restored_db(model: safelight.Restorer, degraded: np.ndarray, clean: np.ndarray, **options: float) -> float:
    """PSNR of the mean alone."""
    out = model.enhance(safelight.Picture(degraded.astype(np.float32)), uncertainty=False, **options)
    return psnr_db(np.clip(out.mean.pixels, 0, 1), clean)


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


def other_tables(judge: Judge, data: Path) -> Iterator[tuple[str, Table]]:
    """JPEG on LIVE1, noise and JPEG on Kodak24, real camera noise on CC15, and pictures that need nothing."""
    eight_bits = safelight.Restorer.load("photo", precision="int8")
    chains = {
        **{("LIVE1", f"JPEG {quality}"): DegradeStep.fixed("jpeg", quality=quality) for quality in (10, 20, 30)},
        ("Kodak24", "noise 25"): DegradeStep.fixed("gaussian_noise", sigma_255=25),
        ("Kodak24", "JPEG 20"): DegradeStep.fixed("jpeg", quality=20),
    }
    for (folder, what), step in chains.items():
        table = Table()
        for name, clean in pictures(data / "bench" / folder.lower()):
            degraded = replay(clean, draw([step], 0, name))
            judge.judge(table, clean, degraded)
            table.add(ours_int8_db=restored_db(eight_bits, degraded, clean))
        yield f"{folder}, {what}", table
    table = Table()
    for path in sorted((data / "bench" / "cc15").glob("*_real.webp")):
        noisy = safelight.read(path).as_float()
        clean = safelight.read(path.with_name(path.name.replace("_real", "_mean"))).as_float()
        judge.judge(table, clean, noisy)
        table.add(ours_int8_db=restored_db(eight_bits, noisy, clean))
    yield "CC15, real noise", table
    for folder in ("Kodak24", "CBSD68"):
        table = Table()
        for _, clean in pictures(data / "bench" / folder.lower()):
            for name, model in (("changed_rms_255", judge.model), ("changed_int8_rms_255", eight_bits)):
                out = model.enhance(safelight.Picture(clean), uncertainty=False)
                table.add(**{name: 255 * float(np.sqrt(mse(out.mean.pixels, clean)))})
        yield f"{folder}, clean", table


def measure_speed(data: Path, peers: Path, repeats: int = 5) -> dict[str, dict[str, Any]]:
    """By kind of processor: the command on a 12-megapixel JPEG; the networks alone, in turns with FFDNet's."""
    run_ffdnet = ffdnet_in_onnxruntime(peers)
    bundle = find_bundle("photo", RestorerCard)
    expert = bundle.card.experts[0]  # all are of the same sizes
    graphs = {
        precision: open_graph(bundle.path(f"{expert}/{file}"), "cpu", cores())
        for precision, file in (("fp32", "mean.onnx"), ("int8", "mean_int8.onnx"))
    }
    times: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        photo, out = Path(folder) / "photo.jpg", Path(folder) / "out.jpg"
        write_large(data, photo, 4000, 3000)
        for _ in range(repeats):
            for precision, graph in graphs.items():
                call = seconds(lambda p=precision: enhance_file(photo, out, "--precision", p)) / 12
                times.setdefault(f"ours_{precision}_call", []).append(call)
                times.setdefault(f"ours_{precision}_network", []).append(network_seconds(graph))
            times.setdefault("ffdnet_network", []).append(run_ffdnet())
    theirs = times["ffdnet_network"]
    numbers = {f"{name}_s_per_mpx": statistics.median(some) for name, some in times.items()}
    for name, some in times.items():
        if name.startswith("ours"):
            numbers[f"{name}_to_ffdnet"] = statistics.median(a / b for a, b in zip(some, theirs, strict=True))
    speeds = {name: round(number, 3) for name, number in numbers.items()}
    return {"Speed": {kind_of_processor(): speeds | {"processor": processor(), "threads": cores()}}}


def network_seconds(graph: Any, side: int = 1024) -> float:
    """Seconds per megapixel of a mean's graph alone."""
    picture = np.random.default_rng(0).random((1, 3, side, side), dtype=np.float32)
    feeds = {"degraded": picture, "sigma_01": np.array([-1], dtype=np.float32)}
    return seconds(lambda: graph.run(["mean"], feeds)) / (side * side / 1e6)


def measure_memory(data: Path) -> dict[str, dict[str, Any]]:
    """Peak resident set of the whole command on a 48-megapixel JPEG."""
    with tempfile.TemporaryDirectory() as folder:
        photo, out = Path(folder) / "photo.jpg", Path(folder) / "out.jpg"
        write_large(data, photo, 8000, 6000)
        return {"Memory": {"peak_gb_48_mpx": round(enhance_file(photo, out), 3)}}


def measure_start(repeats: int = 7) -> dict[str, dict[str, Any]]:
    """`safelight --help`."""
    command = [sys.executable, "-m", "safelight", "--help"]
    times = [seconds(lambda: subprocess.run(command, capture_output=True, check=True)) for _ in range(repeats)]
    return {"Start-up": {"help_s": round(statistics.median(times), 3), "processor": processor()}}


def write_large(data: Path, path: Path, width: int, height: int) -> None:
    """A mosaic of noisy benchmark photographs as one large JPEG."""
    rng = np.random.default_rng(0)
    tiles = [p[:512, :512] for _, p in pictures(data / "bench" / "kodak24")]
    rows = [[tiles[(7 * r + c) % len(tiles)] for c in range(-(-width // 512))] for r in range(-(-height // 512))]
    mosaic = np.concatenate([np.concatenate(row, axis=1) for row in rows])[:height, :width]
    noisy = mosaic + 0.04 * rng.standard_normal(mosaic.shape, dtype=np.float32)
    to_vips(np.rint(np.clip(noisy, 0, 1) * 255).astype(np.uint8)).jpegsave(str(path), Q=92)


def enhance_file(photo: Path, out: Path, *options: str) -> float:
    """Run the command line; returns its peak resident set in GB.

    A child's peak starts at its parent's size, so a small process stands between it and this one.
    """
    command = [sys.executable, "-m", "safelight", "enhance", str(photo), "-o", str(out), "--if-exists", "overwrite"]
    command += options
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


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--peers", type=Path, default=SHARED / "peers")
    parser.add_argument("--against", nargs="*", default=["ffdnet_color"], help="also dncnn_color_blind, which is slow")
    parser.add_argument("--only", nargs="*", default=PARTS, choices=PARTS)
    ask = parser.parse_args()
    peers = ask.peers if ask.peers.is_dir() else None
    parts: dict[str, Callable[[], dict[str, dict[str, Any]]]] = {
        "quality": lambda: measure_quality(ask.data, peers, ask.against),
        "anomaly": lambda: measure_anomaly(safelight.Restorer.load("photo"), ask.data),
        "speed": lambda: measure_speed(ask.data, ask.peers),
        "memory": lambda: measure_memory(ask.data),
        "start": measure_start,
    }
    for part in ask.only:
        keep(parts[part]())


def measure_quality(data: Path, peers: Path | None, ask_peers: list[str]) -> dict[str, dict[str, float]]:
    """All restoration tables, and the reliability diagram of them."""
    judge = Judge(safelight.Restorer.load("photo", precision="fp32"), data, SAMPLES)
    tables = {}
    for title, table in itertools.chain(noise_table(judge, data, peers, ask_peers), other_tables(judge, data)):
        tables[title] = table
        print(title, table.means(), flush=True)
    draw_reliability({title: table.reliability() for title, table in tables.items() if table.stds}, RELIABILITY)
    return {title: table.means() for title, table in tables.items()}


def keep(measured: dict[str, dict[str, Any]]) -> None:
    """Add to what earlier runs measured of the same bundle, and write the pages anew. Results of another bundle go.

    The tables of errors name one machine; what depends on the machine more than in its last digits has its own.
    """
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    model = f"photo {find_bundle('photo', RestorerCard).sha256[:12]}"
    known = results if results.get("measuring", {}).get("model") == model else {}
    if "measuring" not in known or any("ours_db" in numbers for numbers in measured.values()):
        known |= {"measuring": {"model": model, "cpu": processor(), "threads": cores()}}
    if "Speed" in measured:
        measured = {"Speed": known.get("Speed", {}) | measured["Speed"]}
    results = known | measured
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    write_pages(results)


if __name__ == "__main__":
    main()
