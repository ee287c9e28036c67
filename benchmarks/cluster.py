"""Batches and training on a cluster of several nodes of Ray on this machine, beside one machine without Ray.

    python benchmarks/cluster.py [--only overhead,nodes,kills,many,train] [--files 100000] [--kills 20]

overhead   seconds for each picture of 1 megapixel by `photo`: local with two threads, and Ray with two workers
nodes      the same by one node of one core, and by two
kills      a node is ended by SIGKILL at a random moment of a batch, so many times; files and manifest are compared
many       small files with a small model, so that the engine is what takes time; and the driver's memory
train      two processes against one, each with one thread: samples a second, and losses

Seconds for a picture are the difference of a long and a short batch over the difference of their pictures, so that the
start of Ray and of its workers is left out; it is stated by itself. Medians of three runs, which take turns. Needs the
`dev` extra and SAFELIGHT_DATA. Run it on a quiet machine: about half an hour on two cores, most of it for `many`.
"""

import argparse
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from ray.cluster_utils import Cluster
from sets import DATA, ROOT

from safelight import EnhanceSettings, Picture, enhance, read, write
from safelight.runtime.machine import processor

RESULTS = ROOT / "benchmarks" / "results" / "cluster.json"
SMALL_MODEL = ROOT / "tests" / "bundles" / "restore"
SHORT, LONG, RUNS = 6, 46, 3
PARTS = ("overhead", "nodes", "kills", "many", "train")


def main() -> None:
    """Measure the parts that are asked for, and keep them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=20)
    asked = parser.parse_args()
    results: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        measures = {
            "overhead": lambda: overhead(home),
            "nodes": lambda: nodes(home),
            "kills": lambda: kills(home, asked.kills),
            "many": lambda: many(home, asked.files),
            "train": lambda: train(home),
        }
        for part in asked.only.split(","):
            results[part] = {"machine": processor(), **measures[part]()}
            print(part, json.dumps(results[part], indent=1), flush=True)
            RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


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
    done = subprocess.run(
        [sys.executable, __file__, "--driver"], input=json.dumps(settings), capture_output=True, text=True, check=False
    )
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


def per_picture(pictures: list[Path], output: Path, engine: str) -> tuple[float, float]:
    """Seconds for each picture, and for the start."""
    short, whole = (seconds(pictures[:count], output, engine)["seconds"] for count in (SHORT, LONG))
    each = (whole - short) / (LONG - SHORT)
    return each, short - SHORT * each


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


def overhead(home: Path) -> dict[str, Any]:
    """Ray against local, both on two cores."""
    pictures = pictures_of(home, LONG, 1000)
    local, there = [], []
    for _ in range(RUNS):
        local.append(per_picture(pictures, home / "local", "local"))
        with cluster_of(2):
            there.append(per_picture(pictures, home / "ray", "ray"))
    assert same(home / "local", home / "ray")
    (each, start), (each_there, start_there) = middle(local), middle(there)
    return {
        "seconds_per_picture_local": each,
        "seconds_per_picture_ray": each_there,
        "overhead": each_there / each - 1,
        "seconds_to_start_local": start,
        "seconds_to_start_ray": start_there,
    }


def nodes(home: Path) -> dict[str, Any]:
    """Two nodes of one core against one."""
    pictures = pictures_of(home, LONG, 1000)
    one, two = [], []
    for _ in range(RUNS):
        with cluster_of(1):
            one.append(per_picture(pictures, home / "one", "ray"))
        with cluster_of(1, 1):
            two.append(per_picture(pictures, home / "two", "ray"))
    assert same(home / "one", home / "two")
    return {
        "seconds_per_picture_one_node": middle(one)[0],
        "seconds_per_picture_two_nodes": middle(two)[0],
        "times_as_fast": middle(one)[0] / middle(two)[0],
    }


def kills(home: Path, count: int) -> dict[str, Any]:
    """Every run must finish, with the files and the manifest of an undisturbed one."""
    pictures, lot = pictures_of(home, 40, 200), random.Random(1)
    options = {"samples": 1, "seed": 3}
    seconds(pictures, home / "undisturbed", "local", **options)
    equal, moments = 0, []
    with cluster_of(1) as cluster:
        for _ in range(count):
            doomed = cluster.add_node(num_cpus=1)
            cluster.wait_for_nodes()
            with subprocess.Popen(
                [sys.executable, __file__, "--driver"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            ) as driver:
                assert driver.stdin is not None
                shutil.rmtree(home / "killed", ignore_errors=True)
                asked = {"inputs": [str(p) for p in pictures], "output": str(home / "killed"), "engine": "ray"}
                driver.stdin.write(json.dumps(asked | options))
                driver.stdin.close()
                while not finished(home / "killed"):  # the batch has begun
                    time.sleep(0.02)
                time.sleep(lot.uniform(0, 5))
                moments.append(finished(home / "killed"))
                cluster.remove_node(doomed, allow_graceful=False)
                driver.wait()
            is_equal = driver.returncode == 0 and same(home / "undisturbed", home / "killed")
            equal += is_equal
            if not is_equal:
                tell_difference(home / "undisturbed", home / "killed")
            print(f"killed after {moments[-1]} of {len(pictures)} files, equal: {equal} of {len(moments)}", flush=True)
    return {"runs": count, "equal": equal, "files": len(pictures), "finished_at_the_kill": moments}


def tell_difference(one: Path, other: Path) -> None:
    """Which files and which lines of the manifest are not the same."""
    (files, lines), (others, other_lines) = contents(one), contents(other)
    print("files:", sorted(name for name in files | others if files.get(name) != others.get(name)), flush=True)
    print("lines:", *sorted(set(lines) ^ set(other_lines))[:6], sep="\n", flush=True)


def finished(folder: Path) -> int:
    """Files that the manifest names as done."""
    path = folder / "manifest.jsonl"
    return path.read_text(encoding="utf-8").count('"key"') if path.is_file() else 0


def many(home: Path, count: int) -> dict[str, Any]:
    """Small files by a small model."""
    pictures_of(home, 400, 32)
    folder = home / "many"
    folder.mkdir()
    kinds = sorted((home / "in-32").iterdir())
    for k in range(count):
        (folder / f"{k:06}.png").write_bytes(kinds[k % len(kinds)].read_bytes())
    some = [folder / f"{k:06}.png" for k in range(min(count, 10_000))]
    local = seconds(some, home / "local-many", "local", model=str(SMALL_MODEL), workers=4)
    with cluster_of(2):
        there = seconds([folder], home / "ray-many", "ray", model=str(SMALL_MODEL))
    assert finished(home / "ray-many") == count
    return {
        "files": count,
        "files_per_second_local": len(some) / local["seconds"],
        "files_local": len(some),
        "files_per_second_ray": count / there["seconds"],
        "driver_peak_mib": there["peak_mib"],
    }


def train(home: Path) -> dict[str, Any]:
    """Restoration and a set of pictures: 40 steps of the shipped recipes in float32."""
    found = {}
    tasks = {"photo": DATA / "photos", "dataset": DATA / "labelled" / "flowers5"}
    for name, data in tasks.items():
        text = (ROOT / "recipes" / f"{name}.toml").read_text(encoding="utf-8")
        text = text.replace("[[stages]]", '[[stages]]\nprecision = "float32"').replace(
            "[data]", "[data]\nsize_px = 64", 1
        )
        recipe = home / f"{name}.toml"
        recipe.write_text(text if name == "dataset" else text.replace("\nsize_px = 64", ""), encoding="utf-8")
        rates, losses = [], []
        for processes in (1, 2):
            run = home / f"{name}-{processes}"
            command = [sys.executable, "-m", "safelight", "train", recipe, "--data", data, "--run", run]
            command += ["--processes", processes, "--stop-at", 150, "--cache", home / "cache", "--workers", 0]
            environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
            subprocess.run([str(word) for word in command], check=False, capture_output=True, env=environment)
            lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
            logged = [line for line in lines if "loss" in line]
            rates.append(statistics.median(line["samples_per_s"] for line in logged[1:]))
            losses.append([line["loss"] for line in logged])
        found[name] = {
            "samples_per_s": rates,
            "times_as_fast": rates[1] / rates[0],
            "largest_difference_of_losses": max(abs(a / b - 1) for a, b in zip(*losses, strict=True)),
        }
    return found


def middle(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    """The medians of both."""
    first, second = (statistics.median(values) for values in zip(*pairs, strict=True))
    return first, second


def same(one: Path, other: Path) -> bool:
    """Whether both folders hold the same files, and manifests that differ in seconds alone; and nothing unfinished."""
    return contents(one) == contents(other)


def contents(folder: Path) -> tuple[dict[str, bytes], list[str]]:
    """Files, and lines of the manifest."""
    files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    lines = [json.loads(line) for line in files.pop("manifest.jsonl").splitlines()]
    return files, sorted({json.dumps(line | {"seconds": 0}) for line in lines})


if __name__ == "__main__":
    if sys.argv[1:] == ["--driver"]:
        drive()
    else:
        main()
