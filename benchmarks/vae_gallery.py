"""What VAEs of three sets look like and measure, and a VAE, a VAE-GAN and an autoencoder of one set side by side.

    python benchmarks/vae_gallery.py [--data ../shared/data] [--only NAME] [--scale 1]

Trains each run below within its time (`--scale` stretches all), evaluates it on held-out pictures, and writes
docs/vae-gallery.md, its pictures, and benchmarks/results/vae_gallery.json. Needs the `dev` extra. Twenty minutes.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sets import DATA, ROOT
from vae_gallery_page import page

import safelight
from safelight.dataset import Form, PixelTable, identities, open_set, split
from safelight.evaluation.page import grid_picture
from safelight.picture import Picture, write
from safelight.runtime.images.vae import Vae
from safelight.runtime.machine import cores, processor

RESULTS = ROOT / "benchmarks" / "results" / "vae_gallery.json"
SAMPLES = ROOT / "benchmarks" / "results" / "samples.json"
PAGE, IMAGES = ROOT / "docs" / "vae-gallery.md", ROOT / "docs" / "images"
RUNS, CACHE = ROOT / "runs" / "gallery", ROOT / ".cache" / "pixels"
COLUMNS = 12
RECIPE = """
task = "images"
name = "{name}"
validate_every = 150
patience = 0
[card]
summary = "For docs/vae-gallery.md."
data_licences = "See the set."
[data]
{data}
[model]
{model}
[[stages]]
steps = 20000
batch = 64
learning_rate = 2e-3
warmup_steps = 50
kl_warmup_share = 0.05
ema_decay = 0.995
optimiser = "muon"
precision = "bfloat16"
{stage}
"""


class Run(NamedTuple):
    """One model."""

    name: str
    title: str
    source: str
    seconds: float
    data: str
    model: str
    stage: str = ""


FLOWERS = "size_px = 64\nflip = true"
ALL = (
    Run("digits", "MNIST, 8-bit grey", "mnist_train.npz", 120, "", 'size = "small"\nlikelihood = "logistic_mixture"'),
    Run("steel", "NEU steel defects, 64 px", "neu_defects_64.npz", 120, "flip = true", 'size = "small"'),
    Run("vae", "Flowers, VAE", "flowers5", 180, FLOWERS, 'size = "small"'),
    Run("vae-gan", "Flowers, VAE-GAN", "flowers5", 180, FLOWERS, 'size = "small"', "adversarial = 0.1"),
    Run("autoencoder", "Flowers, autoencoder", "flowers5", 180, FLOWERS, 'size = "small"', "beta = 0"),
)


def train(run: Run, data: Path, scale: float) -> Path:
    """Its bundle; a run that is there already is kept."""
    folder = RUNS / run.name
    if (folder / "bundle" / "SHA256SUMS").exists():
        return folder / "bundle"
    RUNS.mkdir(parents=True, exist_ok=True)
    recipe = RUNS / f"{run.name}.toml"
    recipe.write_text(RECIPE.format(name=run.name, data=run.data, model=run.model, stage=run.stage))
    command = [sys.executable, "-m", "safelight", "train", recipe, "--data", data / "labelled" / run.source]
    command += ["--run", folder, "--cache", CACHE, "--budget", f"{scale * run.seconds:.0f}s"]
    subprocess.run([*map(str, command)], check=True)
    return folder / "bundle"


def measure(run: Run, bundle: Path, data: Path) -> dict[str, float]:
    """`safelight evaluate` as JSON."""
    command = [sys.executable, "-m", "safelight", "evaluate", "--model", bundle, "--cache", CACHE, "--json"]
    command += ["--data", data / "labelled" / run.source, "--draws", 20, "--likelihood-of", 100, "--most", 1000]
    done = subprocess.run([*map(str, command)], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def held_out(vae: Vae, source: Path) -> tuple[np.ndarray, np.ndarray]:
    """Test pictures, (N, H, W, C) of uint8, and the numbers of their classes."""
    images = open_set(source)
    known = identities(images, cores())
    form = Form(vae.card.height, vae.card.width, vae.card.channels, vae.card.fit)
    positions = split(images, known, vae.card.split.validation_share, vae.card.split.test_share)["test"][:2000]
    table = PixelTable(images, known, form, CACHE, workers=cores())
    return table.rows(positions), np.array([vae.card.classes.index(images.items[k].label) for k in positions])


def save(name: str, rows: list[np.ndarray], factor: int = 1) -> None:
    """Rows of (N, H, W, C) as one picture."""
    pixels = grid_picture(np.stack(rows)).repeat(factor, axis=0).repeat(factor, axis=1)
    write(Picture(pixels), IMAGES / f"{name}.png", metadata="strip")


def show(run: Run, vae: Vae, pixels: np.ndarray, labels: np.ndarray) -> None:
    """Reconstructions, samples of both kinds, samples by class, a way."""
    factor = 2 if vae.card.width < 40 else 1
    some = pixels[:COLUMNS] / np.float32(255)
    save(f"vae-{run.name}-reconstructions", [some, vae.reconstruct(some)], factor)
    for sampler in ("prior", "aggregate"):
        drawn = vae.sample(2 * COLUMNS, seed=1, sampler=sampler)
        save(f"vae-{run.name}-{sampler}", [drawn[:COLUMNS], drawn[COLUMNS:]], factor)
    by_class = [vae.sample(COLUMNS, [k] * COLUMNS, seed=2, sampler="aggregate") for k in range(len(vae.card.classes))]
    save(f"vae-{run.name}-classes", by_class, factor)
    ends = [int(np.flatnonzero(labels == k)[0]) for k in (0, 1)]
    ways = [vae.interpolate(*(vae.encode(pixels[[k]]) for k in ends), COLUMNS, spherical=s) for s in (True, False)]
    save(f"vae-{run.name}-way", [vae.decode(way) for way in ways], factor)


def latent_map(vae: Vae, pixels: np.ndarray, labels: np.ndarray) -> None:
    """Means of the coarsest rung, by the two directions that tell the classes apart best (Fisher, 1936)."""
    points = vae.encode(pixels)[-1].reshape(len(pixels), -1)
    within = sum(np.cov(points[labels == k].T) * (labels == k).mean() for k in np.unique(labels))
    values, vectors = np.linalg.eigh(within)
    whitened = points @ (vectors / np.sqrt(values + 1e-3))
    centres = np.stack([whitened[labels == k].mean(axis=0) for k in np.unique(labels)])
    _, _, directions = np.linalg.svd(centres - centres.mean(axis=0), full_matrices=False)
    x, y = (whitened @ directions[:2].T).T
    figure, axes = plt.subplots(figsize=(6, 5), layout="constrained")
    for k, label in enumerate(vae.card.classes):
        axes.scatter(x[labels == k], y[labels == k], s=6, label=label, color=plt.get_cmap("tab10")(k))
    axes.legend(markerscale=3, fontsize=8, frameon=False)
    axes.set(xlabel="first discriminant", ylabel="second discriminant", title="Held-out digits in latent space")
    figure.savefig(IMAGES / "vae-latent-map.png", dpi=110)


def curves() -> None:
    """Error of held-out pictures over minutes of training, for all runs."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
    for run in ALL:
        lines = [json.loads(line) for line in (RUNS / run.name / "metrics.jsonl").read_text().splitlines()]
        seconds, minutes, errors, rates = 0.0, [], [], []
        for line in lines:
            seconds = line.get("seconds", seconds)
            if "val_mse" in line:
                minutes.append(seconds / 60)
                errors.append(line["val_mse"])
                rates.append(line["val_rate_nats"])
        left.plot(minutes, errors, label=run.title)
        right.plot(minutes, rates, label=run.title)
    left.set(xlabel="minutes of training", ylabel="squared error of held-out pictures", yscale="log")
    right.set(xlabel="minutes of training", ylabel="rate of held-out pictures, nats", yscale="symlog")
    left.legend(fontsize=7, frameon=False)
    figure.savefig(IMAGES / "vae-curves.png", dpi=110)


def main() -> None:
    """All runs, or one of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--only")
    parser.add_argument("--scale", type=float, default=1.0)
    ask = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for run in ALL:
        if ask.only in (None, run.name):
            bundle = train(run, ask.data, ask.scale)
            vae = safelight.Vae.load(bundle)
            results[run.name] = measure(run, bundle, ask.data) | {"minutes": vae.card.training_minutes}
            pixels, labels = held_out(vae, ask.data / "labelled" / run.source)
            show(run, vae, pixels, labels)
            if run.name == "digits":
                latent_map(vae, pixels, labels)
            RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    if results.keys() >= {run.name for run in ALL}:
        curves()
        machine, titles = f"{processor()}, {cores()} threads", {run.name: run.title for run in ALL}
        samples = json.loads(SAMPLES.read_text(encoding="utf-8")) if SAMPLES.is_file() else {}
        PAGE.write_text(page(results, titles, machine, samples), encoding="utf-8")


if __name__ == "__main__":
    main()
