"""Samples of a VAE: a sheet, distances in an independent feature space, precision and recall, classes, time.

    python benchmarks/samples.py NAME BUNDLE SET [--samples 2000]

NAME is what the result is called in benchmarks/results/samples.json; SET is what the bundle was trained on. What is
measured stands in samples_measures.py. The Fréchet distance of samples stands beside that of as many training
pictures, which is what perfect samples would reach. Where a model has learned detail, samples with detail and samples
without are measured. Four pictures go to docs/images: samples, samples beside the training pictures that are nearest to
them, reconstructions, and a way from one picture to another. docs/vae-gallery.md shows them all: python
benchmarks/vae_gallery.py --page. Needs the `dev` extra. Some minutes on two cores.
"""

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
from samples_measures import SEED, Measures
from sets import ROOT
from vae_gallery_page import sheet_file

import safelight
from safelight import randomness
from safelight.evaluation.page import grid_picture
from safelight.runtime.images.vae import Vae
from safelight.runtime.machine import cores, processor

RESULTS = ROOT / "benchmarks" / "results" / "samples.json"
IMAGES = ROOT / "docs" / "images"
COLUMNS, TIMED = 10, 64


def main() -> None:
    """Measure one bundle."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("set", type=Path)
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--shown-px", type=int, help="samples are enlarged to this side for EfficientNet-Lite0")
    asked = parser.parse_args()
    vae = safelight.Vae.load(asked.bundle)
    measures = Measures(vae, asked.set, asked.samples, asked.shown_px)
    draw(measures, asked.name)
    found = {"side_px": vae.form.width, "shown_px": asked.shown_px or vae.form.width} | measure(measures, asked.samples)
    add_result(asked.name, found)
    print(json.dumps(found, indent=1))


def add_result(name: str, found: dict[str, Any]) -> None:
    """Numbers of one bundle; what the file has of it beside these stays."""
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    results[name] = results.get(name, {}) | found
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def measure(measures: Measures, count: int) -> dict[str, Any]:
    """All numbers."""
    vae = measures.vae
    found: dict[str, Any] = {
        "machine": f"{processor()}, {cores()} threads",
        "minutes": vae.card.training_minutes,
        "trained_with": vae.card.trained_with,
        "samples": count,
        "held_out": len(measures.pictures["held_out"]),
        **measures.of_pictures,
    }
    for sampler in vae.samplers:
        asked = randomness.generator(SEED, "classes").choice(measures.labels["train"], count)
        if sampler == "prior" and not vae.card.conditional:
            asked = None
        drawn = vae.sample(count, None if asked is None else asked.tolist(), seed=SEED, sampler=sampler)
        found[sampler] = measures.of_samples(drawn, asked) | {f"seconds_for_{TIMED}": seconds_for(vae, sampler)}
        print(sampler, json.dumps(found[sampler]), flush=True)
        if sampler == "flow" and vae.card.detail is not None:
            labels = asked.tolist()
            means = vae.decode(
                vae.draw_latents(count, labels, seed=SEED, sampler=sampler), labels if vae.card.conditional else None
            )
            is_drawn = vae.card.draws_detail
            other = means if is_drawn else vae.with_detail(means, SEED)
            found["flow_without_detail" if is_drawn else "flow_with_detail"] = measures.of_samples(other, asked)
    return found


def seconds_for(vae: Vae, sampler: Any) -> float:
    """The median of five times."""
    times = []
    for _ in range(5):
        began = time.perf_counter()
        vae.sample(TIMED, [0] * TIMED if vae.card.conditional else None, sampler=sampler)
        times.append(time.perf_counter() - began)
    return round(statistics.median(times), 2)


def draw(measures: Measures, name: str) -> None:
    """All pictures; none of their parts is picked."""
    vae, classes = measures.vae, len(measures.vae.card.classes)
    pictures, labels = measures.pictures["held_out"] / np.float32(255), measures.labels["held_out"]
    of_classes = [k % classes for k in range(COLUMNS)]
    save(f"samples-{name}", [vae.sample(COLUMNS, [k] * COLUMNS, seed=SEED) for k in range(classes)])
    some = vae.sample(COLUMNS, of_classes, seed=SEED + 1)
    save(f"samples-{name}-nearest", [some, measures.nearest_pictures(some)])
    known = labels[:COLUMNS].tolist() if vae.card.conditional else None
    save(f"samples-{name}-reconstructions", [pictures[:COLUMNS], vae.reconstruct(pictures[:COLUMNS], known)])
    first, last = (pictures[labels == k][:1] for k in (0, 1))
    way = vae.decode(vae.interpolate(vae.encode(first), vae.encode(last), COLUMNS))
    save(f"samples-{name}-way", [vae.finished(way, is_way=True)])


def save(name: str, rows: list[np.ndarray]) -> None:
    """Rows of (N, H, W, C) as one picture; small ones are enlarged."""
    side_px = rows[0].shape[2]
    factor = 2 if side_px < 40 else 1
    pixels = grid_picture(np.stack(rows)).repeat(factor, axis=0).repeat(factor, axis=1)
    safelight.write(safelight.Picture(pixels), IMAGES / sheet_file(name, side_px), metadata="strip")


if __name__ == "__main__":
    main()
