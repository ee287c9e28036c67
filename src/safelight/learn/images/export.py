"""A VAE of a set of pictures → graphs. Noise, latents and classes are inputs; any batch."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim

from safelight.bundle import names
from safelight.bundle.images import (
    DECODE_GRAPH,
    DETAIL_GRAPH,
    ENCODE_GRAPH,
    PRIOR_GRAPH,
    PRIOR_UNITS,
    SCORE_GRAPH,
    PriorUnits,
)
from safelight.ladder.detail import DetailFlow
from safelight.ladder.image_vae import ImageVae
from safelight.ladder.prior import LatentPrior
from safelight.learn.graphs import Graph, export_graph, parity, save_shared_weights
from safelight.learn.images.objectives import Trainee
from safelight.learn.seeds import torch_generator

BATCH = Dim("batch", min=1, max=4096)


class _Part(nn.Module):
    """A graph's view of the model: rungs without latents are not seen from outside."""

    def __init__(self, vae: ImageVae) -> None:
        super().__init__()
        self.vae = vae
        self.used = [k for k, latents in enumerate(vae.ladder.latents) if latents]

    def whole(self, given: Sequence[Tensor]) -> list[Tensor]:
        """With an empty tensor for each scale without latents."""
        batch = given[0].shape[0]
        empty = [given[0].new_zeros((batch, 0, *shape[1:])) for shape in self.vae.noise_shapes]
        return [given[self.used.index(k)] if k in self.used else empty[k] for k in range(len(empty))]


class EncodeGraph(_Part):
    """x, noise, label → latents, stds."""

    def forward(self, x: Tensor, noise: list[Tensor], label: Tensor | None = None) -> tuple[Tensor, ...]:
        output = self.vae(x, self.whole(noise), label)
        return *(output.latents[k] for k in self.used), *(output.stds[k] for k in self.used)


class DecodeGraph(_Part):
    """Latents, label → mean."""

    def forward(self, latents: list[Tensor], label: Tensor | None = None) -> Tensor:
        return self.vae.sample(self.whole(latents), label).mean


class ScoreGraph(_Part):
    """x, noise, label → log p(x | z), the rate of each rung, log p(x | z) p(z) / q(z), in nats per picture."""

    def forward(self, x: Tensor, noise: list[Tensor], label: Tensor | None = None) -> tuple[Tensor, ...]:
        output = self.vae(x, self.whole(noise), label)
        log_prob = output.likelihood.log_prob(x).flatten(1).sum(dim=1)
        rates = [output.kl_nats[k].flatten(1).sum(dim=1) for k in self.used]
        return log_prob, *rates, output.log_weight_nats(x)


class PriorGraph(nn.Module):
    """x, time, label → the velocity of each rung."""

    def __init__(self, prior: LatentPrior) -> None:
        super().__init__()
        self.prior = prior

    def forward(self, x: list[Tensor], time: Tensor, label: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.prior(x, time, label))


class DetailGraph(nn.Module):
    """x, mean, time → the velocity of the detail."""

    def __init__(self, detail: DetailFlow) -> None:
        super().__init__()
        self.detail = detail

    def forward(self, x: Tensor, mean: Tensor, time: Tensor) -> Tensor:
        velocity: Tensor = self.detail(x, mean, time)
        return velocity


def export_graphs(model: Trainee, folder: Path) -> float:
    """Write weights.safetensors, encode.onnx, decode.onnx, score.onnx; of a learned prior prior.onnx and its units, and
    of a detail's flow detail.onnx.

    Returns the largest difference to torch. Raises BundleError if that is too large. The weights of prior and detail
    are rounded to float16, in place.
    """
    vae, prior, detail = model.vae.eval().requires_grad_(False), model.prior, model.detail
    weights = dict(vae.state_dict())
    for prefix, flow in (("prior", prior), ("detail", detail)):
        weights |= {f"{prefix}.{name}": tensor for name, tensor in _halved(flow).items()}
    save_shared_weights(weights, folder)
    conditional = vae.context.of_class is not None
    label = [names.LABEL] if conditional else []
    rungs = names.scales(sum(latents > 0 for latents in vae.ladder.latents))
    kinds = (names.noise, names.latent, names.std, names.rate)
    noise, latents, stds, rates = ([name(k) for k in rungs] for name in kinds)
    worst = []
    for graph in (
        Graph(ENCODE_GRAPH, EncodeGraph(vae), [names.PIXELS, *noise, *label], [*latents, *stds]),
        Graph(DECODE_GRAPH, DecodeGraph(vae), [*latents, *label], [names.MEAN]),
        Graph(SCORE_GRAPH, ScoreGraph(vae), [names.PIXELS, *noise, *label], [names.LOG_PROB, *rates, names.LOG_WEIGHT]),
    ):
        example = _example(vae, graph.module, 3)
        export_graph(graph, example, _any_batch(example), folder)
        worst.append(parity(graph, [_example(vae, graph.module, batch) for batch in (3, 1, 7)], folder))
    if prior is not None:
        worst.append(_export_prior(prior, folder))
    if detail is not None:
        worst.append(_export_detail(detail, vae.size_px, folder))
    return max(worst)


def _export_prior(prior: LatentPrior, folder: Path) -> float:
    mean, std = (torch.cat([rung.flatten() for rung in rungs]).numpy() for rungs in (prior.means, prior.stds))
    PriorUnits(mean, std).save(folder / PRIOR_UNITS)
    rungs = names.scales(len(prior.means))
    inputs = [*map(names.latent, rungs), names.TIME, names.LABEL]
    graph = Graph(PRIOR_GRAPH, PriorGraph(prior), inputs, [*map(names.velocity, rungs)])
    examples = [_prior_example(prior, batch) for batch in (3, 1, 7)]
    export_graph(graph, examples[0], _any_batch(examples[0]), folder)
    return parity(graph, examples, folder)


def _export_detail(detail: DetailFlow, size_px: tuple[int, int], folder: Path) -> float:
    inputs = [names.DETAIL, names.MEAN, names.TIME]
    graph = Graph(DETAIL_GRAPH, DetailGraph(detail), inputs, [names.velocity(0)])
    examples = [_detail_example((detail.channels, *size_px), batch) for batch in (3, 1, 7)]
    export_graph(graph, examples[0], _any_batch(examples[0]), folder)
    return parity(graph, examples, folder)


def _detail_example(shape: tuple[int, ...], batch: int) -> tuple[Any, ...]:
    generator = torch_generator(batch, "detail example")
    x, mean = torch.randn(batch, *shape, generator=generator), torch.rand(batch, *shape, generator=generator)
    return x, mean, torch.rand(batch, generator=generator)


def _prior_example(prior: LatentPrior, batch: int) -> tuple[Any, ...]:
    generator = torch_generator(batch, "prior example")
    x = [torch.randn(batch, *shape, generator=generator) for shape in prior.shapes]
    return x, torch.rand(batch, generator=generator), torch.arange(batch) % (prior.classes + 1)


@torch.no_grad()
def _halved(flow: nn.Module | None) -> dict[str, Tensor]:
    """Its weights in float16; the module gets the same numbers. Empty without a module."""
    if flow is None:
        return {}
    flow.eval().requires_grad_(False)
    halves = {name: tensor.half() for name, tensor in flow.state_dict().items()}
    flow.load_state_dict({name: tensor.float() for name, tensor in halves.items()})
    return halves


def _example(vae: ImageVae, graph: nn.Module, batch: int) -> tuple[Any, ...]:
    """Random inputs, from a fixed seed."""
    generator = torch_generator(batch, "example")
    channels = vae.ladder.head.in_channels // 4
    x = torch.rand(batch, channels, *vae.size_px, generator=generator).round()  # 0 or 1, which all likelihoods take
    noise = [n for n in vae.draw_noise(batch, generator) if n.shape[1]]
    given = (noise,) if isinstance(graph, DecodeGraph) else (x, noise)
    if vae.context.of_class is None:
        return given
    return *given, torch.arange(batch) % vae.context.of_class.num_embeddings


def _any_batch(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return type(value)(_any_batch(item) for item in value)
    return {0: BATCH}
