"""Use a VAE of a set of pictures, on onnxruntime: encode, move in the latent space, decode, and measure.

>>> vae = Vae.load("runs/flowers/bundle")                            # doctest: +SKIP
>>> latents = vae.encode(x)                                          # doctest: +SKIP
>>> vae.decode(latents), vae.perturb(x, temperature=0.5), vae.sample(64), vae.elbo(x)   # doctest: +SKIP

Pictures are (N, H, W, C), float in [0, 1] or uint8, of the card's size. Latents are in units of their prior: one
array (N, channels, h, w) for each rung, fine to coarse, which is N(0, 1) under the prior whatever the coarser ones are.
"""

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from safelight import randomness
from safelight.bundle import AggregatePosterior, Bundle, VaeCard, find_bundle, names
from safelight.bundle import images as files
from safelight.bundle.arrays import load_array
from safelight.bundle.images import PriorUnits
from safelight.dataset.form import Form, fitted
from safelight.dataset.images import content_hash, eight_bits
from safelight.dataset.table import binarised
from safelight.errors import BundleError, UsageError
from safelight.picture import Picture
from safelight.runtime.graphs import Graphs
from safelight.runtime.images.aggregate import draw_from_aggregate
from safelight.runtime.images.detail import Detail
from safelight.runtime.images.inputs import as_rungs, check_labels, planar_pictures
from safelight.runtime.images.prior import FlowPrior
from safelight.runtime.images.score import Score
from safelight.runtime.images.ways import Rungs, between
from safelight.runtime.machine import Device

Array = NDArray[np.float32]
Sampler = Literal["auto", "flow", "aggregate", "prior"]
"""flow: the learned prior; aggregate: the density of the set's latents; prior: N(0, 1). auto: the best."""
MOST_AT_ONCE, VALUES_AT_ONCE = 64, 1_000_000
"""Pictures, and values of pictures, that go through a graph together."""


class Vae:
    """A VAE of a set of pictures, ready to run."""

    def __init__(self, bundle: Bundle[VaeCard], device: Device = "auto", threads: int | None = None) -> None:
        """Raises DeviceError and UsageError as `runtime.graphs.Graphs` does."""
        self.bundle, self.card = bundle, bundle.card
        self._graphs = Graphs(bundle.folder, device, threads, probe=files.DECODE_GRAPH)

    @classmethod
    def load(cls, model: str | Path, device: Device = "auto", threads: int | None = None) -> "Vae":
        """By name or path (`bundle.find_bundle`). `threads` is None for all cores.

        Raises BundleError for another kind of model, DeviceError and UsageError.
        """
        return cls(find_bundle(model, VaeCard), device, threads)

    def __repr__(self) -> str:
        card = self.card
        return f"<Vae {card.name}: {card.width}x{card.height}x{card.channels}, latents {list(card.latents)}>"

    @property
    def form(self) -> Form:
        """Of the pictures that it takes."""
        return Form(self.card.height, self.card.width, self.card.channels, self.card.fit)

    def prepare(self, pictures: Sequence[Picture]) -> Array:
        """Pictures of any size → (N, H, W, C) as the model takes them, by the card's rule. Raises UsageError."""
        if not pictures:
            raise UsageError("there are no pictures; give at least one")
        rows = [fitted(eight_bits(picture, f"picture {k}"), self.form) for k, picture in enumerate(pictures)]
        if self.card.binarise_seed is not None:
            rows = [binarised(row, self.card.binarise_seed, content_hash(row)) for row in rows]
        return np.stack(rows).astype(np.float32) / np.float32(255)

    def encode(
        self,
        x: NDArray[Any],
        labels: Sequence[int] | None = None,
        temperature: float = 0.0,
        seed: int = 0,
        noise: Rungs | None = None,
    ) -> Rungs:
        """The posterior's mean, at temperature 0, or a draw around it; at 1 an honest one. Raises UsageError.

        `noise`, an array (N, channels, h, w) for each rung, stands in for what temperature and seed would draw.
        """
        x, of_class = planar_pictures(self.card, x), self._classes(len(x), labels)
        if noise is None:
            noise = tuple(np.float32(temperature) * n for n in self._noise("encode", seed, len(x)))
        noise = as_rungs(self.card, noise, "noise", len(x))
        outputs = [names.latent(k) for k in names.scales(len(self.card.latents))]
        feeds = {names.PIXELS: x, **_named(names.noise, noise), **of_class}
        return tuple(self._run(files.ENCODE_GRAPH, outputs, feeds))

    def decode(self, latents: Sequence[NDArray[Any]], labels: Sequence[int] | None = None) -> Array:
        """(N, H, W, C) in [0, 1]: the mean of p(x | z), without detail. Raises UsageError for other shapes."""
        latents = as_rungs(self.card, latents, "latents")
        feeds = {**_named(names.latent, latents), **self._classes(len(latents[0]), labels)}
        return _last(self._run(files.DECODE_GRAPH, [names.MEAN], feeds)[0])

    def reconstruct(self, x: NDArray[Any], labels: Sequence[int] | None = None) -> Array:
        """(N, H, W, C) encoded to the posterior's mean, and decoded to (N, H, W, C)."""
        return self.decode(self.encode(x, labels), labels)

    def perturb(
        self, x: NDArray[Any], labels: Sequence[int] | None = None, temperature: float = 1.0, seed: int = 0
    ) -> Array:
        """Variants of (N, H, W, C): encoded, moved by noise, decoded. At temperature 1 draws from the posterior."""
        return self.decode(self.encode(x, labels, temperature, seed), labels)

    def sample(
        self,
        count: int,
        labels: Sequence[int] | None = None,
        temperature: float = 1.0,
        seed: int = 0,
        sampler: Sampler = "auto",
    ) -> Array:
        """New pictures (N, H, W, C), by a sampler. Raises UsageError.

        A model that is not conditional has no classes in N(0, 1). Samples are means of p(x | z), as of `decode`; those
        of a model that draws detail have it (`card.draws_detail`).
        """
        latents = self.draw_latents(count, labels, temperature, seed, sampler=sampler)
        means = self.decode(latents, labels if self.card.conditional else None)
        return self.finished(means, seed)

    def with_detail(self, means: NDArray[Any], seed: int = 0, is_way: bool = False) -> Array:
        """(N, H, W, C) from `decode` → pictures with the detail that means lack: grain, edges, hairs.

        Drawn by a flow (`ladder.detail`), from the same noise for all pictures of a way from one to another. A model
        without a flow gives the means back. Raises UsageError for other shapes.
        """
        planar = planar_pictures(self.card, means)
        return _last(planar if self.card.detail is None else self._detail.added(planar, seed, is_way))

    def finished(self, means: Array, seed: int = 0, is_way: bool = False) -> Array:
        """(N, H, W, C) from `decode` → as `sample` returns them: with detail if samples of this model get it."""
        if not self.card.draws_detail:
            return means
        return _last(self._detail.added(np.ascontiguousarray(means.transpose(0, 3, 1, 2)), seed, is_way))

    def draw_latents(
        self,
        count: int,
        labels: Sequence[int] | None = None,
        temperature: float = 1.0,
        seed: int = 0,
        sampler: Sampler = "auto",
    ) -> Rungs:
        """What `sample` decodes: (N, channels, h, w) for each rung. Picture k depends on seed, class and k alone.

        Raises UsageError.
        """
        if count < 1:
            raise UsageError(f"{count} pictures; ask for 1 or more")
        sampler = self.chosen(sampler)
        noise = tuple(np.float32(temperature) * n for n in self._noise("sample", seed, count))
        if labels is not None:
            check_labels(self.card, count, labels)
        if sampler == "prior":
            if labels is not None and not self.card.conditional:
                raise UsageError(f"{self.card.name}: N(0, 1) knows no classes; use the sampler '{self.samplers[0]}'")
            return noise
        if sampler == "flow":
            return self.flow_prior.draw(noise, labels)
        return draw_from_aggregate(self.aggregate_posterior, noise, labels, temperature=temperature, seed=seed)

    @property
    def samplers(self) -> tuple[Sampler, ...]:
        """Those that the model has, the best first."""
        if self.card.prior is None:
            return "aggregate", "prior"
        return ("flow", "aggregate", "prior") if self.card.prior.is_best else ("aggregate", "flow", "prior")

    def chosen(self, sampler: Sampler) -> Sampler:
        """The sampler that a name means. Raises UsageError for one that is not there."""
        if sampler not in get_args(Sampler):
            raise UsageError(f"sampler '{sampler}': use one of {', '.join(get_args(Sampler))}")
        if sampler == "flow" and self.card.prior is None:
            raise UsageError(f"{self.card.name} has no learned prior; use the sampler 'aggregate', or train one")
        return self.samplers[0] if sampler == "auto" else sampler

    def interpolate(self, a: Sequence[Array], b: Sequence[Array], steps: int, spherical: bool = True) -> Rungs:
        """Latents of one picture each, (1, ...) → of `steps` pictures from a to b, along a great circle or a line."""
        places = [between(a, b, share, spherical) for share in np.linspace(0, 1, steps)]
        return tuple(np.concatenate(rung) for rung in zip(*places, strict=True))

    def score(self, x: NDArray[Any], labels: Sequence[int] | None = None, draws: int = 1, seed: int = 0) -> Score:
        """`draws` from the posterior of each picture, and what each says of it. Raises UsageError."""
        if draws < 1:
            raise UsageError(f"{draws} draws; take 1 or more")
        x, of_class = planar_pictures(self.card, x), self._classes(len(x), labels)
        rungs = [names.rate(k) for k in names.scales(len(self.card.latents))]
        outputs, scores = [names.LOG_PROB, *rungs, names.LOG_WEIGHT], []
        for draw in range(draws):
            noise = self._noise(f"score {draw}", seed, len(x))
            feeds = {names.PIXELS: x, **_named(names.noise, noise), **of_class}
            scores.append(self._run(files.SCORE_GRAPH, outputs, feeds))
        log_prob, *rates, log_weight = (np.stack(each) for each in zip(*scores, strict=True))
        return Score(log_prob, tuple(rates), log_weight)

    def elbo(self, x: NDArray[Any], labels: Sequence[int] | None = None, draws: int = 1, seed: int = 0) -> Array:
        """(N,), in nats per picture; a density for the Gaussian likelihood (`card.likelihood`)."""
        return self.score(x, labels, draws, seed).elbo_nats

    def features(self, x: NDArray[Any]) -> tuple[Array, Array]:
        """(N, F) features and (N, classes) logits of the classifier that was trained on the set's labels.

        Raises UsageError if the set had none.
        """
        if not self.has_classifier:
            raise UsageError(f"{self.card.name}: its set has no classes, so no classifier was trained on them")
        feeds = {names.PIXELS: planar_pictures(self.card, x)}
        features, logits = self._run(files.FEATURES_GRAPH, [names.FEATURES, names.LOGITS], feeds)
        return features, logits

    @property
    def has_classifier(self) -> bool:
        """Whether `features` can be asked for."""
        return self.bundle.has(files.FEATURES_GRAPH)

    @property
    def knows_classes(self) -> bool:
        """Whether there is a classifier, and it is so much better than chance that its features say something."""
        return self.has_classifier and self.card.tells_classes_apart

    @cached_property
    def training_identities(self) -> frozenset[int]:
        """Pictures that it was trained on, by 16 digits of their identities (`dataset.split`). Raises BundleError."""
        return frozenset(load_array(self.bundle.path(files.TRAINING_IDENTITIES)).ravel().tolist())

    @cached_property
    def aggregate_posterior(self) -> AggregatePosterior:
        """The density of the latents of the set's pictures. Raises BundleError."""
        density = AggregatePosterior.load(self.bundle.path(files.AGGREGATE))
        if len(density.activity) != sum(math.prod(shape) for shape in self.card.latents):
            raise BundleError(f"{self.bundle.folder}: its latents and its card do not fit; export the bundle again")
        return density

    @cached_property
    def _detail(self) -> Detail:
        return Detail(self._graphs, self.card)

    @cached_property
    def flow_prior(self) -> FlowPrior:
        """The learned prior, of a card that has one. Raises BundleError."""
        return FlowPrior(self._graphs, self.card, PriorUnits.load(self.bundle.path(files.PRIOR_UNITS)))

    def _noise(self, stream: str, seed: int, count: int) -> Rungs:
        """N(0, 1) for every rung, picture by picture."""
        streams = [randomness.generator(seed, stream, k) for k in range(count)]
        return tuple(
            np.stack([rng.standard_normal(shape, dtype=np.float32) for rng in streams]) for shape in self.card.latents
        )

    def _classes(self, count: int, labels: Sequence[int] | None) -> dict[str, NDArray[np.int64]]:
        """What a conditional model is fed of classes. Raises UsageError."""
        if not self.card.conditional and labels is not None:
            raise UsageError(f"{self.card.name} is not conditional on a class; leave labels out")
        if not self.card.conditional:
            return {}
        if labels is None:
            raise UsageError(f"{self.card.name} is conditional on a class; give one of: {', '.join(self.card.classes)}")
        check_labels(self.card, count, labels)
        return {names.LABEL: np.asarray(labels, dtype=np.int64)}

    def _run(self, file: str, outputs: list[str], feeds: dict[str, Any]) -> list[Array]:
        """In batches, so that memory does not grow with the number of pictures."""
        count = len(next(iter(feeds.values())))
        at_once = max(1, min(MOST_AT_ONCE, VALUES_AT_ONCE // self.form.values))
        parts = [
            self._graphs.run(file, outputs, {name: values[start : start + at_once] for name, values in feeds.items()})
            for start in range(0, count, at_once)
        ]
        return [np.concatenate(part) for part in zip(*parts, strict=True)]


def _named(name: Callable[[int], str], arrays: Sequence[Array]) -> dict[str, Array]:
    return {name(k): array for k, array in enumerate(arrays, 1)}


def _last(planar: Array) -> Array:
    """(N, C, H, W) → (N, H, W, C), within [0, 1]."""
    return np.ascontiguousarray(planar.transpose(0, 2, 3, 1)).clip(0, 1)
