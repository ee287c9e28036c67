"""What benchmarks of clusters share: clusters of several nodes on this machine, drivers, pictures, comparisons."""

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from ray.cluster_utils import Cluster
from sets import DATA, ROOT

from safelight import EnhanceSettings, Picture, enhance, read, write

DRIVER = [sys.executable, __file__]
"""A process that reads settings from its standard input, and does the batch."""
SMALL_MODEL = ROOT / "tests" / "bundles" / "restore"


@contextmanager
def cluster_of(*cores: int) -> Iterator[Cluster]:
    """A node for each number, with so many cores; a driver finds it by RAY_ADDRESS."""
    head, *others = cores
    one = Cluster(initialize_head=True, head_node_args={"num_cpus": head, "include_dashboard": False})
    for count in others:
        one.add_node(num_cpus=count)
    os.environ["RAY_ADDRESS"] = one.address
    try:
        yield one
    finally:
        del os.environ["RAY_ADDRESS"]
        one.shutdown()


def seconds(inputs: list[Path], output: Path, engine: str, model: str = "photo", **more: Any) -> dict[str, float]:
    """Of a driver of its own, from its first line on: a batch that begins with an empty folder."""
    shutil.rmtree(output, ignore_errors=True)
    settings = {
        "inputs": [str(path) for path in inputs],
        "output": str(output),
        "model": model,
        "engine": engine,
        **more,
    }
    done = subprocess.run(DRIVER, input=json.dumps(settings), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def drive() -> None:
    """What `seconds` starts."""
    settings, began = json.loads(sys.stdin.read()), time.perf_counter()
    report = enhance(EnhanceSettings(**settings))
    assert all(outcome.status == "done" for outcome in report.outcomes), report.outcomes
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": time.perf_counter() - began, "peak_mib": peak}))


def pictures_of(home: Path, count: int, side: int) -> list[Path]:
    """Squares of photographs, as PNG."""
    folder = home / f"in-{side}"
    folder.mkdir(exist_ok=True)
    sources = sorted((DATA / "photos").glob("*.webp"))
    for k in range(len([*folder.iterdir()]), count):
        pixels = read(sources[k % len(sources)]).pixels
        repeats = (-(-side // pixels.shape[0]), -(-side // pixels.shape[1]), 1)
        write(Picture(np.tile(pixels, repeats)[:side, :side].copy()), folder / f"{k:06}.png")
    return sorted(folder.iterdir())[:count]


def finished(folder: Path) -> int:
    """Files that the manifest names as done."""
    path = folder / "manifest.jsonl"
    return path.read_text(encoding="utf-8").count('"key"') if path.is_file() else 0


def same(one: Path, other: Path) -> bool:
    """Whether both folders hold the same files, and manifests that differ in seconds alone; and nothing unfinished."""
    return contents(one) == contents(other)


def contents(folder: Path) -> tuple[dict[str, bytes], list[str]]:
    """Files, and lines of the manifest."""
    files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    lines = [json.loads(line) for line in files.pop("manifest.jsonl").splitlines()]
    return files, sorted({json.dumps(line | {"seconds": 0}) for line in lines})


if __name__ == "__main__":
    drive()
