"""MNIST: how soon reconstructions are good, and the likelihood of binarised digits.

    python benchmarks/vae_mnist.py [--data ../shared/data] [--binary runs/mnist-binary/bundle] [--only binary]

Trains `recipes/mnist.toml` and times the whole command; then takes the bundle that `recipes/mnist-binary.toml` left and
measures the importance-sampled likelihood of the first 1,000 test pictures with K = 1,000, and the ELBO of all 10,000.
Writes benchmarks/results/vae_mnist.json. Twenty minutes on two cores, most of them for the likelihood.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from sets import DATA, ROOT

import safelight
from safelight.dataset import PixelTable, identities, open_set
from safelight.runtime.images.vae import Vae
from safelight.runtime.machine import cores, processor

RESULTS = ROOT / "benchmarks" / "results" / "vae_mnist.json"
DRAWS, PICTURES, AT_ONCE = 1000, 1000, 100


def quick(data: Path, folder: Path) -> dict[str, float]:
    """From nothing to reconstructions, the command's start and the bundle's making included."""
    run = folder / "quick"
    command = [sys.executable, "-m", "safelight", "train", ROOT / "recipes" / "mnist.toml", "--budget", "60s"]
    command += ["--data", data / "labelled" / "mnist_train.npz", "--run", run, "--cache", folder / "cache"]
    began = time.perf_counter()
    subprocess.run([*map(str, command)], check=True)
    seconds = time.perf_counter() - began
    vae = safelight.Vae.load(run / "bundle")
    test = np.load(data / "labelled" / "mnist_test.npz")["images"][..., None]
    error = np.square(vae.reconstruct(test) - test / np.float32(255)).mean(dtype=np.float64)
    return {"seconds_of_the_command": seconds, "test_mse": float(error), "latents": vae.card.measured["val_latents"]}


def likelihood(vae: Vae, data: Path, folder: Path) -> dict[str, float]:
    """Of binarised test pictures, in nats; none of them was trained on."""
    images = open_set(data / "labelled" / "mnist_test.npz")
    known = identities(images, cores())
    assert not any(int(identity[:16], 16) in vae.training_identities for identity in known)
    table = PixelTable(images, known, vae.form, folder / "cache", binarise_seed=vae.card.binarise_seed, workers=cores())
    rows = table.rows(range(len(table)))
    found = []
    for start in range(0, PICTURES, AT_ONCE):
        score = vae.score(rows[start : start + AT_ONCE], draws=DRAWS, seed=start)
        found.append(score.log_likelihood_nats)
        print(f"{start + AT_ONCE} pictures: {-np.concatenate(found).mean():.3f} nats", file=sys.stderr)
    nats = np.concatenate(found)
    return {
        "negative_log_likelihood_nats": -float(nats.mean()),
        "standard_error_nats": float(nats.std() / np.sqrt(len(nats))),
        "draws": DRAWS,
        "pictures": PICTURES,
        "negative_elbo_nats_of_10000": -float(vae.elbo(rows).mean()),
        "minutes_of_training": vae.card.training_minutes,
    }


def main() -> None:
    """Both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--binary", type=Path, default=ROOT / "runs" / "mnist-binary" / "bundle")
    parser.add_argument("--only", choices=["quick", "binary"], nargs="*", default=["quick", "binary"])
    ask = parser.parse_args()
    results: dict[str, object] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    with tempfile.TemporaryDirectory() as place:
        if "quick" in ask.only:
            results |= {"cpu": processor(), "threads": cores(), "quick": quick(ask.data, Path(place))}
        if "binary" in ask.only:
            results["binary"] = likelihood(safelight.Vae.load(ask.binary), ask.data, Path(place))
    RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
