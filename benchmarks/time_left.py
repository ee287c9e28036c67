"""Is the time left that `safelight enhance FOLDER` shows true? A folder of mixed sizes and formats.

    python benchmarks/time_left.py [--data ../shared/data] [--pictures 24] [--seed 1]

The folder has pictures of 0.1 to 8 megapixels, as JPEG of several qualities, PNG, WebP and TIFF, in random order. After
25, 50 and 75 % of the whole time, the time left that the bar shows is divided by the time that is left in truth. Prints
the three ratios. About two minutes on two cores.
"""

import argparse
import io
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import pyvips
from rich.console import Console
from rich.progress import Progress as Bar
from sets import DATA

import safelight
from safelight.work import Progress

MOMENTS = (0.25, 0.5, 0.75)
SUFFIXES = (".jpg[Q=60]", ".jpg[Q=85]", ".jpg[Q=97]", ".png", ".webp[Q=80]", ".tif")
LEAST_MP, MOST_MP = 0.1, 8.0


def make_folder(photographs: list[Path], folder: Path, count: int, seed: int) -> float:
    """Pictures of mixed sizes; returns their megapixels."""
    rng, total = np.random.default_rng(seed), 0.0
    for number in range(count):
        picture = pyvips.Image.new_from_file(str(photographs[int(rng.integers(len(photographs)))]))
        megapixels = float(np.exp(rng.uniform(np.log(LEAST_MP), np.log(MOST_MP))))
        sized = picture.resize((megapixels * 1e6 / (picture.width * picture.height)) ** 0.5)
        sized.write_to_file(f"{folder}/{number:03}{SUFFIXES[int(rng.integers(len(SUFFIXES)))]}")
        total += sized.width * sized.height / 1e6
    return total


def shown_over_truth(folder: Path, out: Path) -> dict[str, float]:
    """At each moment, and the seconds of the whole."""
    bar = Bar(console=Console(file=io.StringIO(), force_terminal=True), auto_refresh=False)
    row, shown = bar.add_task("", total=None), []

    def on_progress(now: Progress) -> None:
        bar.update(row, completed=now.done, total=now.total or None)
        shown.append((time.perf_counter(), bar.tasks[0].time_remaining))

    began = time.perf_counter()
    safelight.enhance(safelight.EnhanceSettings(inputs=[folder], output=out), on_progress)
    whole = time.perf_counter() - began
    found = {"seconds": round(whole, 1)}
    for share in MOMENTS:
        moment, left = [one for one in shown if one[0] - began <= share * whole][-1]
        truth = whole - (moment - began)
        found[f"{share:.0%}"] = round(left / truth, 2) if left is not None else float("nan")
    return found


def main() -> None:
    """One folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--pictures", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    photographs = sorted((asked.data / "photos").glob("*.webp"))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "in"
        folder.mkdir()
        megapixels = make_folder(photographs, folder, asked.pictures, asked.seed)
        found = {"megapixels": round(megapixels, 1)} | shown_over_truth(folder, Path(place) / "out")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
