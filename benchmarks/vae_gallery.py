"""VAEs of sets of pictures as a page: those with a learned prior, and four without one side by side.

    python benchmarks/vae_gallery.py [--data ../shared/data] [--only NAME] [--scale 1] [--page]

The first part of the page is what benchmarks/samples.py and samples_peer.py have measured and drawn. For the second
part the four runs below are trained within their time (`--scale` stretches all) and evaluated on held-out pictures.
Writes docs/vae-gallery.md, pictures, and benchmarks/results/vae_gallery.json; `--page` writes the page alone. Needs the
`dev` extra. Ten minutes on two cores.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from samples import RESULTS as SAMPLES
from samples import save
from sets import DATA, ROOT
from vae_gallery_page import page

import safelight
from safelight.dataset import PixelTable, identities, open_set, split
from safelight.runtime.machine import cores

RESULTS = ROOT / "benchmarks" / "results" / "vae_gallery.json"
PAGE = ROOT / "docs" / "vae-gallery.md"
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
{stage}
"""


class Run(NamedTuple):
    """One model."""

    name: str
    title: str
    source: str
    data: str
    model: str = ""
    stage: str = ""


FLOWERS = ("flowers5", "size_px = 64\nflip = true")
ALL = (
    Run("vae", "Flowers, VAE", *FLOWERS),
    Run("vae-gan", "Flowers, VAE-GAN", *FLOWERS, stage="adversarial = 0.1"),
    Run("autoencoder", "Flowers, autoencoder", *FLOWERS, stage="beta = 0"),
    Run("digits", "Digits, exact for 8 bits", "mnist_train.npz", "", model='likelihood = "logistic_mixture"'),
)
SECONDS = 60


def train(run: Run, data: Path, scale: float) -> Path:
    """Its bundle; a run that is there already is kept."""
    folder = RUNS / run.name
    if (folder / "bundle" / "SHA256SUMS").exists():
        return folder / "bundle"
    RUNS.mkdir(parents=True, exist_ok=True)
    recipe = RUNS / f"{run.name}.toml"
    recipe.write_text(RECIPE.format(**run._asdict()))
    command = [sys.executable, "-m", "safelight", "train", recipe, "--data", data / "labelled" / run.source]
    command += ["--run", folder, "--cache", CACHE, "--budget", f"{scale * SECONDS:.0f}s"]
    subprocess.run([*map(str, command)], check=True)
    return folder / "bundle"


def measure(run: Run, bundle: Path, data: Path) -> dict[str, float]:
    """`safelight evaluate` as JSON."""
    command = [sys.executable, "-m", "safelight", "evaluate", "--model", bundle, "--cache", CACHE, "--json"]
    command += ["--data", data / "labelled" / run.source, "--draws", 20, "--likelihood-of", 100, "--most", 1000]
    done = subprocess.run([*map(str, command)], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def show(run: Run, bundle: Path, data: Path) -> None:
    """Reconstructions of test pictures, and samples."""
    vae, images = safelight.Vae.load(bundle), open_set(data / "labelled" / run.source)
    known = identities(images, cores())
    tested = split(images, known, vae.card.split.validation_share, vae.card.split.test_share)["test"][:COLUMNS]
    some = PixelTable(images, known, vae.form, CACHE, workers=cores()).rows(tested) / np.float32(255)
    save(f"vae-{run.name}-reconstructions", [some, vae.reconstruct(some)])
    save(
        f"vae-{run.name}-samples", [vae.sample(COLUMNS, seed=1, sampler=sampler) for sampler in ("prior", "aggregate")]
    )


def main() -> None:
    """All runs, or one of them, or the page alone."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--only")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--page", action="store_true")
    ask = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for run in () if ask.page else ALL:
        if ask.only in (None, run.name):
            bundle = train(run, ask.data, ask.scale)
            card = safelight.Vae.load(bundle).card
            results[run.name] = measure(run, bundle, ask.data) | {"minutes": card.training_minutes}
            results["machine"] = card.trained_with
            show(run, bundle, ask.data)
            RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    PAGE.write_text(
        page(results, {run.name: run.title for run in ALL}, json.loads(SAMPLES.read_text())), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
