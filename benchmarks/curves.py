"""Validation dB against minutes and steps, for runs of `safelight train`: which optimiser, which recipe learns faster?

    python benchmarks/curves.py runs/adamw runs/muon --measure val_noise25_psnr_db --name optimisers

Writes benchmarks/results/NAME.json and docs/images/NAME.png. A run's name is its folder's. Minutes are those of the
wall clock, without gaps between sittings; on a shared machine steps are the fairer axis.
"""

import argparse
import json
from pathlib import Path
from typing import NamedTuple

from sets import ROOT

LONGEST_GAP_S = 120


class Point(NamedTuple):
    """One validation."""

    steps: int
    minutes: float
    value: float


def curve(run: Path, measure: str, stages: int) -> list[Point]:
    """The validations of one run, over its first stages."""
    points, before, minutes, earlier, stage, last = [], None, 0.0, 0, 0, 0
    for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        gap = entry["time"] - before if before else 0.0
        minutes, before = minutes + (gap if gap < LONGEST_GAP_S else 0) / 60, entry["time"]
        if entry["stage"] != stage:
            earlier, stage = earlier + last, entry["stage"]
        last = entry["step"]
        if measure in entry and stage < stages:
            points.append(Point(earlier + last, round(minutes, 2), entry[measure]))
    return points


def plot(curves: dict[str, list[Point]], measure: str, path: Path) -> None:
    """Against minutes on the left, against steps on the right."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 4), sharey=True, layout="constrained")
    for name, points in curves.items():
        for axis, field in zip(axes, ("minutes", "steps"), strict=True):
            axis.plot(
                [getattr(p, field) for p in points], [p.value for p in points], marker="o", markersize=3, label=name
            )
            axis.set_xlabel(field)
    axes[0].set_ylabel(measure)
    axes[0].legend()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main() -> None:
    """Read, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--measure", default="val_noise25_psnr_db")
    parser.add_argument("--stages", type=int, default=99, help="only so many of a run's stages, from the first")
    parser.add_argument("--name", default="curves")
    ask = parser.parse_args()
    curves = {run.name: curve(run, ask.measure, ask.stages) for run in ask.runs}
    results = {name: [point._asdict() for point in points] for name, points in curves.items()}
    (ROOT / "benchmarks" / "results" / f"{ask.name}.json").write_text(json.dumps(results, indent=2) + "\n")
    plot(curves, ask.measure, ROOT / "docs" / "images" / f"{ask.name}.png")


if __name__ == "__main__":
    main()
