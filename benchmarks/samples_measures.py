"""What samples of a set are measured by, for benchmarks/samples.py and samples_peer.py.

Two feature spaces: EfficientNet-Lite0's (trained on ImageNet; pictures are enlarged to 224 px), and those of the
bundle's own classifier. The reference is held-out pictures, at most as many as samples. Classes are named by two
classifiers that had no part in the bundle: a linear head on EfficientNet-Lite0's features, and a small network that is
trained here for half a minute. Both are trained on the training pictures.
"""

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from downstream import load_classifier, look, train_head
from PIL import Image
from sets import ROOT

from safelight import randomness
from safelight.dataset import Form, PixelTable, identities, open_set, split
from safelight.evaluation.samples import NEAREST_OF, nearest
from safelight.learn.images.classify import Classifier, train_classifier
from safelight.learn.images.data import Subset
from safelight.metrics import coverage, frechet_distance
from safelight.runtime.images.vae import Vae
from safelight.runtime.machine import cores

SEED, NETWORK_SEED = 7, 77


class Measures:
    """Of one set, as a bundle divides it."""

    def __init__(self, vae: Vae, source: Path, count: int, shown_px: int | None = None) -> None:
        """Held-out pictures, and `count` of those that were trained on to compare with.

        EfficientNet-Lite0 sees pictures of this side: samples are enlarged to it, and compared with pictures that have
        as many pixels. None for the side of the model.
        """
        self.vae, self._classify = vae, load_classifier()
        self._shown_px = shown_px or vae.form.height
        self.pictures, self.labels, self.training = parts_of(vae, source, count, vae.form)
        form = vae.form._replace(height=self._shown_px, width=self._shown_px)
        shown = self.pictures if form == vae.form else parts_of(vae, source, count, form)[0]
        self._network = train_classifier(self.training, len(vae.card.classes), seed=NETWORK_SEED)
        self._held_out, trained = (self._features(self.pictures[part], shown[part]) for part in ("held_out", "train"))
        self._head = train_head(trained["efficientnet_lite0"], self.labels["train"])
        self.floor = {space: frechet_distance(self._held_out[space], trained[space]) for space in trained}

    @property
    def of_pictures(self) -> dict[str, Any]:
        """What perfect samples would reach."""
        held_out, features = self.pictures["held_out"], self._held_out["efficientnet_lite0"]
        reconstructed = self._reconstructed(held_out)
        error = np.square(reconstructed - held_out[: len(reconstructed)] / 255).mean()
        return {
            "psnr_db_of_reconstructions": float(-10 * np.log10(error)),
            "class_agreement_of_held_out": self._agreement(held_out, features, self.labels["held_out"]),
            "frechet_distance_of_training_pictures": self.floor,
            "nearest_training_rms_of_held_out": self.nearest_training(held_out),
            "nearest_training_rms_of_reconstructions": self.nearest_training(self.vae.finished(reconstructed)),
        }

    def of_samples(self, drawn: np.ndarray, asked: np.ndarray | None) -> dict[str, Any]:
        """(N, H, W, C) in [0, 1], and the class that each was asked to be of."""
        features = self._features(drawn, enlarged(drawn, self._shown_px))
        equal = min(len(drawn), len(self.pictures["held_out"]))
        numbers: dict[str, Any] = {"frechet_distance": {}, "over_training_pictures": {}, "precision": {}, "recall": {}}
        for space, values in features.items():
            distance = frechet_distance(self._held_out[space], values)
            near = coverage(self._held_out[space][:equal], values[:equal])
            numbers["frechet_distance"][space] = distance
            numbers["over_training_pictures"][space] = distance / self.floor[space]
            numbers["precision"][space], numbers["recall"][space] = near
        if asked is not None:
            numbers["class_agreement"] = self._agreement(drawn, features["efficientnet_lite0"], asked)
        return numbers | {"nearest_training_rms": self.nearest_training(drawn)}

    def nearest_training(self, x: np.ndarray) -> dict[str, float]:
        """Root mean square of the difference to the nearest training picture, where white is 1."""
        rms = nearest(in_bytes(x[:NEAREST_OF]), self._trained)[1]
        return {"mean": float(rms.mean()), "lowest_5_percent": float(np.quantile(rms, 0.05))}

    def nearest_pictures(self, x: np.ndarray) -> np.ndarray:
        """The training picture that is nearest to each, in [0, 1]."""
        return self._trained[nearest(in_bytes(x), self._trained)[0]] / np.float32(255)

    @cached_property
    def _trained(self) -> np.ndarray:
        return self.training.pixels(np.arange(len(self.training)))[0]

    def _reconstructed(self, pixels: np.ndarray) -> np.ndarray:
        labels = self.labels["held_out"][:NEAREST_OF].tolist() if self.vae.card.conditional else None
        return self.vae.reconstruct(pixels[:NEAREST_OF], labels)

    def _features(self, x: np.ndarray, shown: np.ndarray) -> dict[str, np.ndarray]:
        """Of pictures as the model has them, and as they are shown."""
        colour = np.broadcast_to(shown, (*shown.shape[:3], 3))
        own = {"own": self.vae.features(x)[0]} if self.vae.has_classifier else {}
        return {"efficientnet_lite0": look(self._classify, colour).features, **own}

    def _agreement(self, x: np.ndarray, features: np.ndarray, asked: np.ndarray) -> dict[str, float]:
        pairs = {"head": self._head(features), "network": seen_by(self._network, x)}
        return {name: float((seen == asked).mean()) for name, seen in pairs.items()}


def enlarged(x: np.ndarray, side: int) -> np.ndarray:
    """(N, H, W, C) of bytes or in [0, 1] → bytes of this side, by bicubic interpolation."""
    x = in_bytes(x)
    if x.shape[1:3] == (side, side):
        return x
    planes = [
        [Image.fromarray(one[..., k]).resize((side, side), Image.Resampling.BICUBIC) for k in range(x.shape[3])]
        for one in x
    ]
    return np.stack([np.stack(list(map(np.asarray, channels)), axis=-1) for channels in planes])


def in_bytes(x: np.ndarray) -> np.ndarray:
    """Of bytes or in [0, 1] → bytes."""
    return x if x.dtype == np.uint8 else np.rint(255 * x).astype(np.uint8)


def seen_by(network: Classifier, x: np.ndarray) -> np.ndarray:
    """(N, H, W, C), of bytes or in [0, 1] → the class of each."""
    scaled = x.astype(np.float32) / (255 if x.dtype == np.uint8 else 1)
    with torch.inference_mode():
        logits = network(torch.from_numpy(np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))))[1]
    return logits.argmax(dim=1).numpy()


def parts_of(
    vae: Vae, source: Path, count: int, form: Form
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], Subset]:
    """Held-out pictures, at most `count` of those that were trained on, and the numbers of their classes; and all of
    those that were trained on.
    """
    images = open_set(source)
    known = identities(images, cores())
    parts = split(images, known, vae.card.split.validation_share, vae.card.split.test_share)
    table = PixelTable(images, known, form, ROOT / ".cache" / "pixels", workers=cores())
    order = randomness.generator(SEED, "training").permutation(len(parts["train"]))[:count]
    chosen = {"held_out": [*parts["validation"], *parts["test"]][:count], "train": [parts["train"][k] for k in order]}
    pixels = {name: table.rows(positions) for name, positions in chosen.items()}
    numbers = np.array([vae.card.classes.index(str(item.label)) for item in images.items])
    labels = {name: numbers[np.array(positions)] for name, positions in chosen.items()}
    return pixels, labels, Subset(table, np.array(parts["train"]), numbers)
