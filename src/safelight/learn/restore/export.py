"""A restoration ladder → graphs, with which the learning side hands over to the pixel side.

All graphs take any batch, height and width; noise and temperature are inputs, so that all randomness
stays outside.
"""

import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim

from safelight.bundle import names
from safelight.bundle.restore import DRAW_GRAPH, MEAN_GRAPH, SCALE_GRAPH
from safelight.ladder.restorer import Experts, RestorerNet
from safelight.learn.graphs import Graph, export_graph, parity, save_shared_weights
from safelight.learn.restore.objectives import draw_noise

TRAINING_ONLY = re.compile(r"ladder\.(head|encode|down)\.|ladder\.rungs\.\d+\.posterior\.")
"""Weights that see the clean picture; no graph needs them, and a bundle goes without."""
BATCH, ROWS, COLUMNS = Dim("batch", min=1, max=4096), Dim("rows", min=1, max=65536), Dim("columns", min=1, max=65536)


class MeanGraph(nn.Module):
    """degraded, sigma_01 → mean, features."""

    def __init__(self, model: RestorerNet) -> None:
        super().__init__()
        self.trunk = model.trunk

    def forward(self, degraded: Tensor, sigma_01: Tensor) -> tuple[Tensor, ...]:
        output = self.trunk(degraded, sigma_01)
        return output.mean, *output.features


class ScaleGraph(nn.Module):
    """degraded, mean, the finest features → scale."""

    def __init__(self, model: RestorerNet) -> None:
        super().__init__()
        self.scale = model.scale

    def forward(self, degraded: Tensor, mean: Tensor, features: Tensor) -> Tensor:
        scale: Tensor = self.scale(features, degraded - mean).exp()
        return scale


class DrawGraph(nn.Module):
    """mean, scale, features, noise, temperature → sample."""

    def __init__(self, model: RestorerNet) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, mean: Tensor, scale: Tensor, features: list[Tensor], noise: list[Tensor], temperature: Tensor
    ) -> Tensor:
        return self.model.draw(mean, scale, features, [temperature * n for n in noise])


def halved(model: Experts) -> Experts:
    """Rounded to float16 and back, in place: what is stored, and so what is to be measured and calibrated."""
    return model.half().float()


def export_graphs(model: RestorerNet, folder: Path) -> float:
    """Write weights.safetensors, mean.onnx, scale.onnx and draw.onnx into `folder`.

    The weights must be exact in float16, as they are stored: see `halved`. Returns the largest difference to torch.
    Raises BundleError if that is too large.
    """
    model = model.eval().requires_grad_(False)
    save_shared_weights({k: t.half() for k, t in model.state_dict().items() if not TRAINING_ONLY.match(k)}, folder)
    cell = model.trunk.size_multiple
    features = [names.feature(k) for k in names.scales(len(model.ladder.latents))]
    noise = [names.noise(k) for k in range(len(model.noise_inputs))]
    drawn_from = [names.MEAN, names.SCALE, *features, *noise, names.TEMPERATURE]
    worst = []
    for graph in (
        Graph(MEAN_GRAPH, MeanGraph(model), [names.DEGRADED, names.SIGMA], [names.MEAN, *features]),
        Graph(SCALE_GRAPH, ScaleGraph(model), [names.DEGRADED, names.MEAN, features[0]], [names.SCALE]),
        Graph(DRAW_GRAPH, DrawGraph(model), drawn_from, [names.SAMPLE]),
    ):
        example = _example(model, graph.module, (2, 8 * cell, 12 * cell))
        export_graph(graph, example, _dynamic(example, example[0].shape[2], cell), folder)
        sizes = ((1, 8, 12), (3, 5, 9), (1, 1, 1))
        worst.append(
            parity(graph, [_example(model, graph.module, (b, h * cell, w * cell)) for b, h, w in sizes], folder)
        )
    return max(worst)


def _example(model: RestorerNet, graph: nn.Module, size: tuple[int, int, int]) -> tuple[Any, ...]:
    """Random inputs of one size, (batch, height, width), from a fixed seed."""
    batch, height, width = size
    generator = torch.Generator().manual_seed(batch * height * width)
    degraded = torch.rand(batch, 3, height, width, generator=generator)
    sigma_01 = torch.linspace(-0.1, 0.2, batch)
    if isinstance(graph, MeanGraph):
        return degraded, sigma_01
    output = model(degraded, sigma_01)
    if isinstance(graph, ScaleGraph):
        return degraded, output.mean, output.features[0]
    noise = draw_noise(model, degraded.shape, generator)
    return output.mean, output.log_scale.exp(), list(output.features), noise, torch.tensor(0.7)


def _dynamic(value: Any, height: int, multiple: int) -> Any:
    """Any batch; rows and columns that are multiples of the coarsest stride, counted in each tensor's own stride."""
    if isinstance(value, list | tuple):
        return type(value)(_dynamic(item, height, multiple) for item in value)
    if value.ndim < 4:
        return {0: BATCH} if value.ndim else {}
    per_cell = multiple * value.shape[2] // height
    return {0: BATCH, 2: per_cell * ROWS, 3: per_cell * COLUMNS}
