"""What a large cluster would do, by arithmetic and by a simulation: 1,000 nodes, 100,000,000 pictures.

    python benchmarks/cluster_simulation.py [--nodes 1000] [--cores 16] [--pictures 100000000] [--euro 0.03]

Measured (benchmarks/results/cluster.json): files a second of one driver, its memory, seconds a megapixel. Assumed:
pictures of 12 megapixels and 6 MB, 820 bytes of the manifest for each, an hour of a core for --euro. One node in a
hundred is half as fast, and each is lost once in 1,000 hours. In the simulation the next pictures go to the node that
is free first; it counts how long the last of them takes.
"""

import argparse
import heapq
import json
import random
from typing import NamedTuple

from sets import ROOT

MEASURED = ROOT / "benchmarks" / "results" / "cluster.json"
MEGAPIXELS, MEGABYTES = 12.0, 6.0
LINES_BYTES = 2 * 90 + 640
"""Of the manifest for each file: begun, and finished with its facts."""
SLOW_SHARE, SLOWER = 0.01, 2.0
HOURS_BETWEEN_LOSSES = 1000.0
"""Of one node."""
SPREAD = 0.3
"""Of the time of one picture, as a share of its mean."""


class Case(NamedTuple):
    """What is asked."""

    nodes: int
    cores: int
    pictures: int
    euro: float
    """For an hour of a core."""


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--cores", type=int, default=16)
    parser.add_argument("--pictures", type=int, default=100_000_000)
    parser.add_argument("--euro", type=float, default=0.03)
    asked = Case(**vars(parser.parse_args()))
    measured = json.loads(MEASURED.read_text(encoding="utf-8"))
    for what, value in answers(asked, measured):
        print(f"{what:58} {value}")


def answers(case: Case, measured: dict[str, dict[str, float]]) -> list[tuple[str, str]]:
    """What a person would ask before such a job."""
    each_s = measured["nodes"]["seconds_per_picture_one_node"] * MEGAPIXELS
    driver = measured["many"]["files_per_second_ray"]
    memory_mib = measured["many"]["driver_peak_mib"] / measured["many"]["files"]
    workers = case.nodes * case.cores
    wanted = workers / each_s
    drivers = max(1, -(-wanted // driver))
    share = case.pictures / drivers
    work_h = case.pictures * each_s / workers / 3600
    end_h = simulated(case, each_s)
    return [
        (f"seconds for one picture on one core, {each_s / MEGAPIXELS:.2f} a megapixel (measured)", f"{each_s:.1f}"),
        ("pictures a second that the workers can take", f"{wanted:,.0f}"),
        ("pictures a second by one driver, which also had two workers on its two cores", f"{driver:,.0f}"),
        ("drivers, each with its own folders, so that none waits", f"{drivers:,.0f}"),
        ("manifest of each driver", f"{share * LINES_BYTES / 1e9:.1f} GB"),
        ("memory of each driver, in proportion to what was measured", f"{share * memory_mib / 1024:.1f} GiB"),
        (
            "listing the input, 1,000 objects in a request of 0.1 s (assumed)",
            f"{case.pictures / 1000 * 0.1 / 3600:.1f} h by one driver",
        ),
        ("reading and writing", f"{wanted * 2 * MEGABYTES / 1000:.1f} GB/s for all nodes"),
        ("hours, if all were equal and nothing was lost", f"{work_h:.1f}"),
        ("hours in the simulation, with slow and lost nodes", f"{end_h:.1f}"),
        (f"cost, at {case.euro:g} EUR for an hour of a core (assumed)", f"{end_h * workers * case.euro:,.0f} EUR"),
    ]


def simulated(case: Case, each_s: float) -> float:
    """Hours until the last picture is done. One step stands for many pictures of a worker, so that it ends soon."""
    lot = random.Random(0)
    groups = min(case.nodes, 1000)
    at_once = max(1, case.pictures // (groups * 200))
    rate = [
        case.nodes * case.cores / groups / each_s / (SLOWER if lot.random() < SLOW_SHARE else 1) for _ in range(groups)
    ]
    free = [(0.0, k) for k in range(groups)]
    left, end = float(case.pictures), 0.0
    while left > 0:
        now, k = heapq.heappop(free)
        taken = min(left, at_once, max(1.0, left / groups))
        lasts = taken / rate[k] * max(0.1, lot.gauss(1, SPREAD / taken**0.5))
        lost = lot.random() < lasts / 3600 / HOURS_BETWEEN_LOSSES * case.nodes / groups
        if not lost:
            left -= taken
        end = max(end, now + lasts)
        heapq.heappush(free, (now + lasts + (60 if lost else 0), k))
    return end / 3600


if __name__ == "__main__":
    main()
