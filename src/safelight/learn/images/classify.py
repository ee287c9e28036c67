"""A small classifier of a set's own labels: the feature space in which samples are compared with pictures."""

import itertools
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from safelight.bundle import names
from safelight.bundle.images import FEATURES_GRAPH
from safelight.learn.device import place
from safelight.learn.graphs import Graph, export_graph, parity
from safelight.learn.images.data import Order, Subset
from safelight.learn.images.recipe import DataSettings
from safelight.learn.seeds import torch_generator

BATCH, MOST_EPOCHS, MOST_STEPS, MOST_SECONDS = 64, 30, 2000, 30
FEATURES = 64


class Classifier(nn.Module):
    """(B, C, H, W) in [0, 1] → features (B, 64) and logits (B, classes)."""

    def __init__(self, channels: int, classes: int, side_px: int) -> None:
        super().__init__()
        widths = [channels, 32, 64, FEATURES, *([FEATURES] if side_px > 64 else [])]
        pairs = itertools.pairwise(widths)
        self.layers = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairs)
        self.after = nn.ModuleList(nn.Conv2d(b, b, 3, padding=1) for b in widths[1:])
        self.tail = nn.Linear(FEATURES, classes)

    def maps(self, x: Tensor) -> list[Tensor]:
        """The features of each layer, (B, C, h, w), from large maps to small ones."""
        h, found = 2 * x - 1, []
        for layer, after in zip(self.layers, self.after, strict=True):
            h = F.relu(layer(h))
            h = h + F.relu(after(h))
            found.append(h)
        return found

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.maps(x)[-1].mean(dim=(2, 3))
        return features, self.tail(F.dropout(features, 0.2, self.training))


def train_classifier(train: Subset, classes: int, seed: int) -> Classifier:
    """A set with labels. AdamW, one cycle of 30 epochs, 2,000 steps or half a minute, whatever ends first."""
    form = train.table.form
    torch.manual_seed(seed)
    model = Classifier(form.channels, classes, min(form.height, form.width))
    place(model)
    steps = max(1, min(MOST_STEPS, MOST_EPOCHS * len(train) // BATCH))
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.05)
    still = DataSettings.model_validate({"shift_px": max(1, form.width // 16)})
    began, share = time.monotonic(), 0.0
    for step, images in enumerate(train.stream(Order(seed, -1, min(BATCH, len(train))), still)):
        share = max(step / steps, (time.monotonic() - began) / MOST_SECONDS)
        if share >= 1:
            break
        optimiser.param_groups[0]["lr"] = 2e-3 * min(1.0, 10 * share + 0.02) * (1 - share)
        assert images.labels is not None
        loss = F.cross_entropy(model(images.x)[1], images.labels, label_smoothing=0.05)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return model.eval().requires_grad_(False)


def perceptual_distance(model: Classifier, x: Tensor, other: Tensor) -> Tensor:
    """How different pictures (B, C, H, W) are to a classifier: squared differences of its features, averaged.

    At every place the features of a layer have length 1 (Zhang et al., "The unreasonable effectiveness of deep features
    as a perceptual metric", CVPR 2018).
    """
    pairs = zip(model.maps(x), model.maps(other), strict=True)
    layers = [(F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(dim=1).mean() for a, b in pairs]
    return torch.stack(layers).mean()


@torch.inference_mode()
def accuracy_of(model: Classifier, subset: Subset) -> float:
    """The share of pictures whose class it names."""
    right = []
    for images in subset.in_order(len(subset)):
        assert images.labels is not None
        right.append(model(images.x)[1].argmax(dim=1) == images.labels)
    return float(torch.cat(right).float().mean())


def export_classifier(model: Classifier, subset: Subset, folder: Path) -> None:
    """Write features.onnx, whose weights are its own."""
    form = subset.table.form
    example = (torch.rand(2, form.channels, form.height, form.width, generator=torch_generator(0, "classifier")),)
    graph = Graph(FEATURES_GRAPH, model, [names.PIXELS], [names.FEATURES, names.LOGITS])
    export_graph(graph, example, ({0: torch.export.Dim("batch", min=1, max=4096)},), folder, shared=False)
    parity(graph, [example], folder)
