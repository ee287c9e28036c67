"""A VAE of binarised MNIST, ours and pythae's, one after the other on the same threads.

    python -m venv /tmp/pythae && /tmp/pythae/bin/pip install torch==2.13.0 pythae
    python benchmarks/vae_peer.py --peer /tmp/pythae/bin/python [--data ../shared/data] [--epochs 30]

Pythae trains its VAE with its own networks and trainer; then ours gets a third of the time that this took, whole
command against whole command, and both are measured alike on the 10,000 test pictures: squared error of the mean
reconstruction, and the ELBO by one draw, in nats. Writes benchmarks/results/vae_peer.json.

pythae: Chadebec, Vincent & Allassonnière, NeurIPS Datasets and Benchmarks 2022.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from sets import DATA, ROOT

import safelight
from safelight.dataset import Form, PixelTable, identities, open_set
from safelight.runtime.machine import cores, processor

RESULTS = ROOT / "benchmarks" / "results" / "vae_peer.json"
RECIPE = ROOT / "recipes" / "mnist-binary.toml"
SEED = 1
PEER = """
import json, sys, time
import numpy as np, torch
from pythae.models import VAE, VAEConfig
from pythae.pipelines import TrainingPipeline
from pythae.trainers import BaseTrainerConfig
began = time.time()
folder, epochs, net, threads = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
torch.set_num_threads(threads)
sets = [np.load(f"{folder}/{name}.npz")["images"] for name in ("train", "test")]
train, test = (images.astype(np.float32)[:, None] / 255 for images in sets)
config = VAEConfig(input_dim=(1, 28, 28), latent_dim=32, reconstruction_loss="bce")
parts = {}
if net == "conv":
    from pythae.models.nn.benchmarks.mnist import Decoder_Conv_AE_MNIST, Encoder_Conv_VAE_MNIST
    parts = {"encoder": Encoder_Conv_VAE_MNIST(config), "decoder": Decoder_Conv_AE_MNIST(config)}
model = VAE(config, **parts)
settings = BaseTrainerConfig(output_dir=f"{folder}/pythae", num_epochs=epochs, learning_rate=1e-3,
                             per_device_train_batch_size=128, per_device_eval_batch_size=128, no_cuda=True)
TrainingPipeline(training_config=settings, model=model)(train_data=train, eval_data=test[:1000])
seconds = time.time() - began
elbo, error, generator = [], [], torch.manual_seed(0)
with torch.no_grad():
    for x in torch.from_numpy(test).split(500):
        out = model.encoder(x)
        mean, log_var = out.embedding, out.log_covariance
        for z, noisy in ((mean, False), (mean + torch.randn_like(mean) * (0.5 * log_var).exp(), True)):
            decoded = model.decoder(z).reconstruction.view(x.shape).clamp(1e-7, 1 - 1e-7)
            if noisy:
                log_prob = (x * decoded.log() + (1 - x) * (1 - decoded).log()).flatten(1).sum(1)
                kl = 0.5 * (mean**2 + log_var.exp() - 1 - log_var).sum(1)
                elbo.append(log_prob - kl)
            else:
                error.append((decoded - x).square().flatten(1).mean(1))
print(json.dumps({"seconds": seconds, "elbo_nats": torch.cat(elbo).mean().item(),
                  "mse": torch.cat(error).mean().item(),
                  "parameters": sum(p.numel() for p in model.parameters())}))
"""


def binarised(data: Path, folder: Path) -> np.ndarray:
    """Both parts as .npz for all; returns the test pictures, (N, 28, 28, 1) of 0 and 255."""
    for name in ("train", "test"):
        images = open_set(data / "labelled" / f"mnist_{name}.npz")
        table = PixelTable(
            images, identities(images, cores()), Form(28, 28, 1), folder, binarise_seed=SEED, workers=cores()
        )
        rows = table.rows(range(len(table)))
        np.savez(folder / f"{name}.npz", images=rows[..., 0])
    return rows


def peer(python: Path, folder: Path, epochs: int, net: str) -> dict[str, float]:
    """Pythae's own run, in its own environment."""
    command = [python, "-c", PEER, folder, epochs, net, cores()]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def ours(folder: Path, test: np.ndarray, budget_s: float) -> dict[str, float]:
    """The whole command, and what came of it."""
    began = time.perf_counter()
    run = folder / f"run{budget_s:.0f}"
    command = [sys.executable, "-m", "safelight", "train", RECIPE, "--data", folder / "train.npz", "--run", run]
    command += ["--cache", folder / "cache", "--budget", f"{budget_s:.0f}s"]
    subprocess.run([*map(str, command)], check=True, capture_output=True, env=os.environ)
    seconds = time.perf_counter() - began
    vae = safelight.Vae.load(run / "bundle")
    error = float(np.square(vae.reconstruct(test) - test / 255).mean())
    parameters = sum(np.prod(s) for s in _shapes(run / "bundle" / "weights.safetensors"))
    return {
        "seconds": seconds,
        "seconds_of_training": budget_s,
        "elbo_nats": float(vae.elbo(test).mean()),
        "mse": error,
        "parameters": float(parameters),
    }


def _shapes(weights: Path) -> list[list[int]]:
    data = weights.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return [entry["shape"] for name, entry in header.items() if name != "__metadata__"]


def main() -> None:
    """Each of the peer's networks, and ours in a third of its time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--nets", nargs="+", default=["mlp"], choices=["mlp", "conv"], help="conv: minutes an epoch")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--overhead", type=float, default=20, help="seconds of our command that are not training")
    ask = parser.parse_args()
    results: dict[str, object] = {"cpu": processor(), "threads": cores(), "epochs_of_the_peer": ask.epochs}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        test = binarised(ask.data, folder)
        for net in ask.nets:
            theirs = peer(ask.peer, folder, ask.epochs, net)
            third = theirs["seconds"] / 3
            results[f"pythae_{net}"] = theirs
            results[f"ours_in_a_third_of_{net}"] = ours(folder, test, max(3.0, third - ask.overhead))
            print(json.dumps(results, indent=2))
    RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
