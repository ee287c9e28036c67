"""Samples of a VAE, in an independent feature space: distances, precision and recall, classes, time, and a sheet.

    python benchmarks/samples.py NAME BUNDLE SET [--samples 2000]

NAME is what the result is called in benchmarks/results/samples.json; SET is what the bundle was trained on. Features:
EfficientNet-Lite0's (trained on ImageNet; pictures are enlarged to 224 px), and those of the bundle's own classifier.
The reference is all held-out pictures. The Fréchet distance of samples stands beside that of as many training pictures,
which is what perfect samples would reach. Classes are named by two classifiers that had no part in the bundle: a linear
head on EfficientNet-Lite0's features, and a small network that is trained here for half a minute. Both are trained on
the training pictures. Needs the `dev` extra. Some minutes on two cores.
"""

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from downstream import load_classifier, look, train_head
from sets import ROOT

import safelight
from safelight import randomness
from safelight.dataset import PixelTable, identities, open_set, split
from safelight.evaluation.page import grid_picture
from safelight.learn.images.classify import Classifier, train_classifier
from safelight.learn.images.data import Subset
from safelight.metrics import coverage, frechet_distance
from safelight.runtime.images.vae import Vae
from safelight.runtime.machine import cores, processor

RESULTS = ROOT / "benchmarks" / "results" / "samples.json"
IMAGES = ROOT / "docs" / "images"
COLUMNS, TIMED, SEED, NETWORK_SEED = 10, 64, 7, 77


def main() -> None:
    """Measure one bundle."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("set", type=Path)
    parser.add_argument("--samples", type=int, default=2000)
    asked = parser.parse_args()
    vae = safelight.Vae.load(asked.bundle)
    found = measure(vae, asked.set, asked.samples)
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    results[asked.name] = found
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    draw_sheet(vae, asked.name)
    print(json.dumps(found, indent=1))


def measure(vae: Vae, source: Path, count: int) -> dict[str, Any]:
    """All numbers."""
    pictures, labels, training = parts_of(vae, source, count)
    classify, network = load_classifier(), train_classifier(training, len(vae.card.classes), seed=NETWORK_SEED)

    def both(x: np.ndarray) -> dict[str, np.ndarray]:
        eight_bits = x if x.dtype == np.uint8 else np.rint(255 * x).astype(np.uint8)
        colour = np.broadcast_to(eight_bits, (*eight_bits.shape[:3], 3))
        own = {"own": vae.features(x)[0]} if vae.has_classifier else {}
        return {"efficientnet_lite0": look(classify, colour).features, **own}

    of_held_out, of_training = both(pictures["held_out"]), both(pictures["train"])
    head = train_head(of_training["efficientnet_lite0"], labels["train"])

    def agreement(x: np.ndarray, features: np.ndarray, asked: np.ndarray) -> dict[str, float]:
        pairs = {"head": head(features), "network": seen_by(network, x)}
        return {name: float((seen == asked).mean()) for name, seen in pairs.items()}

    floor = {space: frechet_distance(of_held_out[space], of_training[space]) for space in of_held_out}
    found: dict[str, Any] = {
        "machine": f"{processor()}, {cores()} threads",
        "minutes": vae.card.training_minutes,
        "samples": count,
        "held_out": len(pictures["held_out"]),
        "class_agreement_of_held_out": agreement(
            pictures["held_out"], of_held_out["efficientnet_lite0"], labels["held_out"]
        ),
        "frechet_distance_of_training_pictures": floor,
    }
    for sampler in vae.samplers:
        asked = randomness.generator(SEED, "classes").choice(labels["train"], count)
        if sampler == "prior" and not vae.card.conditional:
            asked = None
        drawn = vae.sample(count, None if asked is None else asked.tolist(), seed=SEED, sampler=sampler)
        of_samples = both(drawn)
        equal = min(count, len(pictures["held_out"]))
        numbers: dict[str, Any] = {"frechet_distance": {}, "over_training_pictures": {}, "precision": {}, "recall": {}}
        for space, values in of_samples.items():
            distance = frechet_distance(of_held_out[space], values)
            near = coverage(of_held_out[space][:equal], values[:equal])
            numbers["frechet_distance"][space] = distance
            numbers["over_training_pictures"][space] = distance / floor[space]
            numbers["precision"][space], numbers["recall"][space] = near
        if asked is not None:
            numbers["class_agreement"] = agreement(drawn, of_samples["efficientnet_lite0"], asked)
        numbers[f"seconds_for_{TIMED}"] = seconds_for(vae, sampler)
        found[sampler] = numbers
        print(sampler, json.dumps(numbers), flush=True)
    return found


def seen_by(network: Classifier, x: np.ndarray) -> np.ndarray:
    """(N, H, W, C), of bytes or in [0, 1] → the class of each."""
    scaled = x.astype(np.float32) / (255 if x.dtype == np.uint8 else 1)
    with torch.inference_mode():
        logits = network(torch.from_numpy(np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))))[1]
    return logits.argmax(dim=1).numpy()


def parts_of(vae: Vae, source: Path, count: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], Subset]:
    """Held-out pictures, at most `count` of those that were trained on, and the numbers of their classes; and all of
    those that were trained on.
    """
    images = open_set(source)
    known = identities(images, cores())
    parts = split(images, known, vae.card.split.validation_share, vae.card.split.test_share)
    table = PixelTable(images, known, vae.form, ROOT / ".cache" / "pixels", workers=cores())
    order = randomness.generator(SEED, "training").permutation(len(parts["train"]))[:count]
    chosen = {"held_out": [*parts["validation"], *parts["test"]][:count], "train": [parts["train"][k] for k in order]}
    pixels = {name: table.rows(positions) for name, positions in chosen.items()}
    numbers = np.array([vae.card.classes.index(str(item.label)) for item in images.items])
    labels = {name: numbers[np.array(positions)] for name, positions in chosen.items()}
    return pixels, labels, Subset(table, np.array(parts["train"]), numbers)


def seconds_for(vae: Vae, sampler: Any) -> float:
    """The median of five times."""
    times = []
    for _ in range(5):
        began = time.perf_counter()
        vae.sample(TIMED, [0] * TIMED if vae.card.conditional else None, sampler=sampler)
        times.append(time.perf_counter() - began)
    return round(statistics.median(times), 2)


def draw_sheet(vae: Vae, name: str) -> None:
    """A row for each class by the best sampler, none of them picked."""
    rows = [vae.sample(COLUMNS, [k] * COLUMNS, seed=SEED) for k in range(len(vae.card.classes))]
    factor = 2 if vae.card.width < 40 else 1
    pixels = grid_picture(np.stack(rows)).repeat(factor, axis=0).repeat(factor, axis=1)
    safelight.write(safelight.Picture(pixels), IMAGES / f"samples-{name}.png", metadata="strip")


if __name__ == "__main__":
    main()
