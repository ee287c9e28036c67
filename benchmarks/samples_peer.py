"""Samples of pythae's VAE on the same pictures in the same minutes, measured as ours are.

    python -m venv /tmp/pythae && /tmp/pythae/bin/pip install torch==2.13.0 pythae
    python benchmarks/samples_peer.py NAME BUNDLE SET --peer /tmp/pythae/bin/python [--samples 2000] [--minutes M]

NAME and SET are as for benchmarks/samples.py, which has measured BUNDLE, ours. Pythae's VAE learns the pictures that
the bundle learned, for as many minutes: with its convolutions where it has some for this size (64 px in colour, 28 px
in grey), and with its default network, of dense layers, for its default of 100 epochs. Then its samplers draw: N(0, 1),
a Gaussian mixture and a masked autoregressive flow (MAF). Fitting them does not count. Everything else is pythae's
default; MAF is chosen by the held-out pictures, which favours it. Adds to benchmarks/results/samples.json, with a sheet
of the best.

pythae: Chadebec, Vincent & Allassonnière, NeurIPS Datasets and Benchmarks 2022.
"""

import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from samples import COLUMNS, add_result, save
from samples_measures import SEED, Measures

import safelight
from safelight.runtime.machine import cores

PEER = """
import json, sys, time
import numpy as np, torch
from pythae.models import VAE, VAEConfig
from pythae.pipelines import TrainingPipeline
from pythae.samplers import (GaussianMixtureSampler, GaussianMixtureSamplerConfig, MAFSampler, MAFSamplerConfig,
                             NormalSampler)
from pythae.trainers import BaseTrainerConfig
from pythae.trainers.training_callbacks import TrainingCallback

folder, net, seconds, count, threads, seed = sys.argv[1], sys.argv[2], *map(float, sys.argv[3:])
torch.set_num_threads(int(threads))
torch.manual_seed(int(seed))
train, held_out = (np.load(f"{folder}/{name}.npy").astype(np.float32).transpose(0, 3, 1, 2) / 255
                   for name in ("train", "held_out"))

class Over(Exception):
    pass

class Steps(TrainingCallback):
    done = 0
    def on_train_step_end(self, training_config, **kwargs):
        Steps.done += 1
        if time.time() > began + seconds:
            raise Over

config = VAEConfig(input_dim=train.shape[1:], latent_dim=64 if train.shape[1] == 3 else 16)
parts = {}
if net == "conv" and train.shape[1:] == (3, 64, 64):
    from pythae.models.nn.benchmarks.celeba import Decoder_Conv_AE_CELEBA, Encoder_Conv_VAE_CELEBA
    parts = {"encoder": Encoder_Conv_VAE_CELEBA(config), "decoder": Decoder_Conv_AE_CELEBA(config)}
if net == "conv" and train.shape[1:] == (1, 28, 28):
    from pythae.models.nn.benchmarks.mnist import Decoder_Conv_AE_MNIST, Encoder_Conv_VAE_MNIST
    parts = {"encoder": Encoder_Conv_VAE_MNIST(config), "decoder": Decoder_Conv_AE_MNIST(config)}
if net == "conv" and not parts:
    raise SystemExit("pythae has no convolutions for this size; use --nets mlp")
model = VAE(config, **parts)
settings = BaseTrainerConfig(output_dir=f"{folder}/pythae", num_epochs=100 if net == "mlp" else 100_000,
                             learning_rate=1e-3, per_device_train_batch_size=64, no_cuda=True)
began = time.time()
try:
    TrainingPipeline(training_config=settings, model=model)(train_data=train, callbacks=[Steps()])
except Over:
    pass
minutes = (time.time() - began) / 60
model.eval()
flow = BaseTrainerConfig(output_dir=f"{folder}/maf", num_epochs=100, learning_rate=1e-3,
                         per_device_train_batch_size=64, no_cuda=True)
samplers = {"normal": NormalSampler(model),
            "mixture": GaussianMixtureSampler(model, GaussianMixtureSamplerConfig(n_components=10)),
            "maf": MAFSampler(model, MAFSamplerConfig(n_made_blocks=2, n_hidden_in_made=3, hidden_size=128))}
for name, sampler in samplers.items():
    if name == "mixture":
        sampler.fit(train)
    if name == "maf":
        sampler.fit(train, eval_data=held_out, training_config=flow)
    drawn = sampler.sample(int(count), batch_size=100).clamp(0, 1).cpu().numpy().transpose(0, 2, 3, 1)
    np.save(f"{folder}/{name}.npy", drawn)
print(json.dumps({"minutes": round(minutes, 1), "steps": Steps.done,
                  "parameters": sum(p.numel() for p in model.parameters())}))
"""
ROWS = 3
SAMPLERS = ("normal", "mixture", "maf")


def main() -> None:
    """Train the peer, and measure its samplers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("set", type=Path)
    parser.add_argument("--peer", type=Path, required=True)
    parser.add_argument("--nets", nargs="+", default=["mlp", "conv"], choices=["mlp", "conv"])
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--minutes", type=float, help="default: those of the bundle")
    asked = parser.parse_args()
    vae = safelight.Vae.load(asked.bundle)
    asked.minutes = asked.minutes or vae.card.training_minutes
    measures = Measures(vae, asked.set, asked.samples)
    for net in asked.nets:
        with tempfile.TemporaryDirectory() as place:
            found, drawn = peer(measures, Path(place), net, asked)
        add_result(asked.name, {f"pythae_{net}": found})
        print(json.dumps(found, indent=1), flush=True)
        best = min(SAMPLERS, key=lambda name: found[name]["frechet_distance"]["efficientnet_lite0"])
        save(f"samples-{asked.name}-pythae-{net}", [drawn[best][k * COLUMNS : (k + 1) * COLUMNS] for k in range(ROWS)])


def peer(
    measures: Measures, folder: Path, net: str, asked: argparse.Namespace
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Pythae's run, in its own environment; what came of it."""
    training, _ = measures.training.pixels(np.arange(len(measures.training)))
    np.save(folder / "train.npy", training)
    np.save(folder / "held_out.npy", measures.pictures["held_out"])
    command = [asked.peer, "-c", PEER, folder, net, 60 * asked.minutes, asked.samples, cores(), SEED]
    done = subprocess.run([*map(str, command)], stdout=subprocess.PIPE, text=True, check=True, env=os.environ)
    found = json.loads(done.stdout.splitlines()[-1])
    drawn = {name: np.load(folder / f"{name}.npy") for name in SAMPLERS}
    return found | {name: measures.of_samples(x, None) for name, x in drawn.items()}, drawn


if __name__ == "__main__":
    main()
