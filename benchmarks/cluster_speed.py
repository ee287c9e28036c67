"""How fast a cluster of several nodes on this machine is; `cluster.py` calls it."""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from cluster_tools import SMALL_MODEL, cluster_of, finished, pictures_of, same, seconds
from sets import DATA, ROOT

SHORT, LONG, RUNS = 6, 46, 3


def per_picture(pictures: list[Path], output: Path, engine: str) -> tuple[float, float]:
    """Seconds for each picture, and for the start."""
    short, whole = (seconds(pictures[:count], output, engine)["seconds"] for count in (SHORT, LONG))
    each = (whole - short) / (LONG - SHORT)
    return each, short - SHORT * each


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
    """Restoration and a set of pictures: 60 steps of the shipped recipes in float32."""
    found = {}
    tasks = {"photo": DATA / "photos", "dataset": DATA / "labelled" / "flowers5"}
    for name, data in tasks.items():
        recipe = home / f"{name}.toml"
        recipe.write_text(in_float32((ROOT / "recipes" / f"{name}.toml").read_text(encoding="utf-8")), encoding="utf-8")
        rates, losses = [], []
        for processes in (1, 2):
            run = home / f"{name}-{processes}"
            command = [sys.executable, "-m", "safelight", "train", recipe, "--data", data, "--run", run]
            command += ["--processes", processes, "--stop-at", 60, "--cache", home / "cache", "--workers", 0]
            environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
            command += ["--start", "photo"] if name == "photo" else []
            told = subprocess.run(
                [str(word) for word in command], check=False, capture_output=True, text=True, env=environment
            )
            if "stopped" not in told.stderr:
                raise SystemExit(told.stderr)
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


def in_float32(recipe: str) -> str:
    """The text of a recipe: what is rounded is the same in halves of a batch. Logged often, of pictures of 64 px."""
    lines = [line for line in recipe.splitlines() if not line.startswith(("precision", "log_every"))]
    more = {"[[stages]]": 'precision = "float32"', "# size_px = 64": "size_px = 64"}
    changed = ["log_every = 10"]
    for line in lines:
        changed += [line, *(text for start, text in more.items() if line.startswith(start))]
    return "\n".join(changed) + "\n"


def middle(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    """The medians of both."""
    first, second = (statistics.median(values) for values in zip(*pairs, strict=True))
    return first, second
