"""What `cluster.py` measured, and what `cluster_simulation.py` makes of it, as a part of docs/cluster.md."""

import json
from typing import Any

from cluster_simulation import Case, answers
from sets import ROOT

PAGE = ROOT / "docs" / "cluster.md"
MARKS = "<!-- cluster -->", "<!-- /cluster -->"
LARGE = Case(nodes=1000, cores=16, pictures=100_000_000, euro=0.03)


def write_page(results: dict[str, Any]) -> None:
    """The part between the marks, once everything was measured."""
    if not {"equal", "overhead", "nodes", "kills", "storage", "many", "train"} <= results.keys():
        return
    head, _, rest = PAGE.read_text(encoding="utf-8").partition(MARKS[0])
    _, _, tail = rest.partition(MARKS[1])
    block = "\n".join([*measured(results), "", *simulated(results)])
    PAGE.write_text(f"{head}{MARKS[0]}\n\n{block}\n\n{MARKS[1]}{tail}", encoding="utf-8")


def measured(results: dict[str, Any]) -> list[str]:
    """A table."""
    equal, kills, many, train = (results[name] for name in ("equal", "kills", "many", "train"))
    clusters = equal["equal_by_cores_of_nodes"]
    whole = sum(count == equal["verbs"] for count in clusters.values())
    store = results["storage"]
    rows = [
        ("enhance, compress and augment make what one machine makes", f"on {whole} of {len(clusters)} clusters"),
        ("a node is ended by SIGKILL in the middle", f"{kills['equal']} of {kills['runs']} results are equal"),
        (
            f"{store['files']} files on S3, {store['requests_refused']} requests refused",
            f"{store['equal']} results are equal",
        ),
        (
            "difference of Ray's time from local on the same cores, pictures of 1 megapixel",
            f"{100 * results['overhead']['overhead']:+.0f} % of the local time",
        ),
        ("two nodes of one core against one", f"{results['nodes']['times_as_fast']:.2f} times as fast"),
        (
            f"small files in a second: {many['files']:,} by Ray, 10,000 by one process, all of 32 px",
            f"{many['files_per_second_ray']:.0f} and {many['files_per_second_local']:.0f}",
        ),
        ("memory of the driver for them", f"{many['driver_peak_mib']:.0f} MiB"),
    ]
    for name, what in (("photo", "a restorer"), ("dataset", "a VAE of a set")):
        words = f"{train[name]['times_as_fast']:.2f} times as fast"
        rows.append((f"training {what} in two processes of one core against one", words))
    lines = [
        f"Made by `python benchmarks/cluster.py` on two cores of one machine ({results['nodes']['machine']}).",
        "The nodes of Ray are processes there.",
        "",
        "| what | measured |",
        "|---|---|",
    ]
    return [*lines, *(f"| {what} | {value} |" for what, value in rows)]


def simulated(results: dict[str, Any]) -> list[str]:
    """The arithmetic of a large job."""
    lines = [
        f"A job of {LARGE.pictures:,} pictures of 12 megapixels on {LARGE.nodes:,} nodes of {LARGE.cores} cores, by",
        "`python benchmarks/cluster_simulation.py`. The file says what was measured, and what is assumed.",
        "One node in a hundred is half as fast, and each node is lost once in 1,000 hours.",
        "",
        "| what | value |",
        "|---|---|",
    ]
    return [*lines, *(f"| {what} | {value} |" for what, value in answers(LARGE, results))]


if __name__ == "__main__":
    write_page(json.loads((ROOT / "benchmarks" / "results" / "cluster.json").read_text(encoding="utf-8")))
