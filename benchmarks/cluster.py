"""Batches and training on a cluster of several nodes of Ray on this machine, beside one machine without Ray.

    python benchmarks/cluster.py [--only equal,overhead,...] [--files 100000] [--kills 20]

equal      files and manifests of enhance, compress and augment, local and on clusters of 1 to 4 workers on 1 to 3 nodes
overhead   seconds for each picture of 1 megapixel by `photo`: local with two threads, and Ray with two workers
nodes      the same by one node of one core, and by two
kills      a node is ended by SIGKILL at a random moment of a batch, so many times; files and manifest are compared
storage    200 files from and to an S3 server on loopback that refuses 5 % of the requests
many       small files with a small model, so that the engine is what takes time; and the driver's memory
train      two processes against one, each with one thread: samples a second, and losses

Seconds for a picture are the difference of a long and a short batch over the difference of their pictures, so that the
start of Ray and of its workers is left out; it is stated by itself. Medians of three runs, which take turns. Needs the
`dev` extra and SAFELIGHT_DATA. Run it on a quiet machine: about half an hour on two cores, most of it for `many`.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import fsspec
import ray
from cluster_page import write_page
from cluster_speed import many, nodes, overhead, train
from cluster_tools import DRIVER, SMALL_MODEL, cluster_of, contents, finished, pictures_of, same, seconds
from sets import ROOT

from safelight import AugmentSettings, CompressSettings, EnhanceSettings, augment, compress, enhance
from safelight.runtime.machine import processor

sys.path.insert(0, str(ROOT))
from tests.storage_server import s3

RESULTS = ROOT / "benchmarks" / "results" / "cluster.json"
PARTS = ("equal", "overhead", "nodes", "kills", "storage", "many", "train")
CLUSTERS = ((1,), (2,), (4,), (1, 1), (2, 2), (1, 1, 2))
"""Cores of their nodes."""


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
            "equal": lambda: equal(home),
            "storage": lambda: storage(home),
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
    write_page(results)


def equal(home: Path) -> dict[str, Any]:
    """Of every cluster how many of the three verbs made what one machine makes."""
    pictures, lot = pictures_of(home, 24, 200), random.Random(2)
    recipe = ROOT / "recipes" / "augment.toml"
    small_set = home / "set"
    for k, path in enumerate(pictures):
        (small_set / "ab"[k % 2]).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, small_set / "ab"[k % 2])

    def run(where: Path, engine: str) -> None:
        shuffled = lot.sample(pictures, len(pictures)) if engine == "ray" else pictures
        enhance(EnhanceSettings(inputs=tuple(shuffled), output=where / "enhance", samples=1, engine=engine))
        compress(CompressSettings(inputs=tuple(shuffled), output=where / "compress", engine=engine))
        augment(AugmentSettings(dataset=small_set, output=where / "augment", recipe=recipe, copies=2, engine=engine))

    run(home / "local", "local")
    found = {}
    for cores in CLUSTERS:
        where = home / "-".join(map(str, cores))
        with cluster_of(*cores):
            run(where, "ray")
            ray.shutdown()
        verbs = ("enhance", "compress", "augment")
        found[" + ".join(map(str, cores))] = sum(same(home / "local" / verb, where / verb) for verb in verbs)
    return {"verbs": 3, "equal_by_cores_of_nodes": found}


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
            with subprocess.Popen(DRIVER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as driver:
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


def storage(home: Path) -> dict[str, Any]:
    """All must be done, and equal to what is made on disk."""
    pictures = pictures_of(home, 200, 64)
    seconds(pictures, home / "on-disk", "local", model=str(SMALL_MODEL))
    with s3(refused_share=0.05) as refused, cluster_of(1, 1):
        client = fsspec.filesystem("s3", use_listings_cache=False)
        for path in pictures:
            client.put_file(str(path), f"bucket/in/{path.name}")
        took = seconds([Path("s3://bucket/in")], Path("s3://bucket/out"), "ray", model=str(SMALL_MODEL))
        stored = {key.split("/")[-1]: client.cat_file(key) for key in client.find("bucket/out")}
        stored.pop("manifest.jsonl")
        return {
            "files": len(pictures),
            "equal": sum(stored.get(p.name) == p.read_bytes() for p in (home / "on-disk").glob("*.png")),
            "unfinished": len(stored) - len(pictures),
            "requests_refused": len(refused),
            "seconds": took["seconds"],
        }


if __name__ == "__main__":
    main()
