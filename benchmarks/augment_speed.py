"""How fast augmentation is, beside albumentations, on one thread each; and latent operations on two.

    python benchmarks/augment_speed.py [--peer /path/to/a/python/with/albumentations] [--model BUNDLE]

The same chain on 256x256 colour pictures in 8 bits: rotation, scale and shift; hue, saturation, brightness and
contrast; blur. Ours and the peer's take turns, seven times each; the median of the ratios is what is said. The peer
lives in an environment of its own (python -m venv V; V/bin/pip install albumentations==2.0.8). Writes
benchmarks/results/augment_speed.json. Half a minute.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from sets import ROOT

import safelight
from safelight.augmentation import Augment, AugmentRecipe, Bank, Sample, apply, draw
from safelight.runtime.machine import processor

RESULTS = ROOT / "benchmarks" / "results" / "augment_speed.json"
PICTURES, TURNS, SIDE = 200, 7, 256
CHAIN = [
    {"op": "rotate", "degrees": [-15, 15]},
    {"op": "scale", "factor": [0.9, 1.1]},
    {"op": "translate", "x_share": [-0.06, 0.06], "y_share": [-0.06, 0.06]},
    {"op": "brightness", "shift": [-0.2, 0.2]},
    {"op": "contrast", "factor": [0.8, 1.2]},
    {"op": "saturation", "factor": [0.7, 1.3]},
    {"op": "hue", "degrees": [-18, 18]},
    {"op": "blur", "sigma_px": [0.5, 1.0]},
]
PEER = """
import sys, time
import albumentations as A, cv2, numpy as np
cv2.setNumThreads(1)
x = np.random.default_rng(0).integers(0, 255, (256, 256, 3), dtype=np.uint8)
chain = A.Compose([
    A.Affine(rotate=(-15, 15), scale=(0.9, 1.1), translate_percent=(-0.06, 0.06), border_mode=cv2.BORDER_REFLECT, p=1),
    A.ColorJitter(brightness=(0.8, 1.2), contrast=(0.8, 1.2), saturation=(0.7, 1.3), hue=(-0.05, 0.05), p=1),
    A.GaussianBlur(blur_limit=0, sigma_limit=(0.5, 1.0), p=1),
], seed=0)
chain(image=x)
print(A.__version__, flush=True)
for _ in sys.stdin:
    began = time.perf_counter()
    for _ in range(200):
        chain(image=x)
    print(200 / (time.perf_counter() - began), flush=True)
"""


def main() -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", default="/tmp/albu/bin/python", help="a python that has albumentations 2.0.8")
    parser.add_argument("--model", type=Path, default=ROOT / "runs" / "augment" / "flowers" / "bundle")
    arguments = parser.parse_args()
    found: dict[str, object] = {"processor": processor(), "side_px": SIDE}
    pixels = np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)
    augment = Augment.of(CHAIN)
    peer = subprocess.Popen(
        [arguments.peer, "-W", "ignore", "-c", PEER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert peer.stdin is not None and peer.stdout is not None
    found["peer"] = f"albumentations {peer.stdout.readline().strip()}"
    ours, theirs = [], []
    for turn in range(TURNS):
        began = time.perf_counter()
        for k in range(PICTURES):
            augment(image=pixels, seed=(turn, k))
        ours.append(PICTURES / (time.perf_counter() - began))
        peer.stdin.write("go\n")
        peer.stdin.flush()
        theirs.append(float(peer.stdout.readline()))
    peer.stdin.close()
    found |= {"ours_per_s": float(np.median(ours)), "peer_per_s": float(np.median(theirs))}
    found["ratio"] = float(np.median(np.array(ours) / np.array(theirs)))
    if arguments.model.is_dir():
        found["latent_per_s"] = latent(arguments.model)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    sys.stdout.write(json.dumps(found, indent=1) + "\n")


def latent(model: Path) -> dict[str, float]:
    """Pictures a second for each latent operation that the model can do, on two threads."""
    vae = safelight.Vae.load(model, threads=2)
    assert isinstance(vae, safelight.Vae)
    form, found = vae.form, {}
    pixels = np.random.default_rng(0).integers(0, 255, (256, form.height, form.width, form.channels), dtype=np.uint8)
    names, labels = tuple(map(str, range(256))), tuple(str(k % 2) for k in range(256))
    bank = Bank(names, labels, pixels)
    for op in ("latent_noise", "latent_mix"):
        augment = Augment(AugmentRecipe.model_validate({"steps": [_step(op)]}), vae, bank)
        records = [draw(augment.recipe, 0, (name,), label, bank) for name, label in zip(names, labels, strict=True)]
        samples = [Sample(image, label) for image, label in zip(pixels, labels, strict=True)]
        rates = []
        for _ in range(5):
            began = time.perf_counter()
            apply(samples, records, space=augment.space)
            rates.append(len(samples) / (time.perf_counter() - began))
        found[f"{op}, {form.width} px"] = float(np.median(rates[1:]))
    return found


def _step(op: str) -> dict[str, object]:
    from safelight.augmentation import OPERATIONS

    return {"op": op, "ranges": {name: known.usual for name, known in OPERATIONS[op].parameters.items()}}


if __name__ == "__main__":
    main()
