"""Operations in the latent space of a VAE of the set: encode, move, decode. Each takes a batch, and noise by picture.

latent_noise    a draw around the picture: at temperature 1 one from its posterior, above it farther away
latent_mix      part of the way to another picture of the class, along a great circle of the prior
latent_blend    the same to a picture of another class; the label becomes soft
latent_sample   a new picture of the class, from the learned prior, or without one from the aggregate posterior
geometric       a new picture of the class, from the posterior's own metric (`augmentation.geometric`)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from safelight.augmentation.bank import Bank
from safelight.augmentation.geometric import GeometricSampler
from safelight.classic.catalog import Operation, Parameter
from safelight.errors import UsageError
from safelight.runtime.images.vae import Array, Vae
from safelight.runtime.images.ways import Rungs, between

Batch = NDArray[np.uint8]
"""(B, H, W, C), as the model takes it."""
MOST_CENTROIDS = 2000
SEEDS = 1 << 62


class LatentInput(NamedTuple):
    """What an operation gets for one picture of a batch."""

    label: str | None
    numbers: dict[str, float]
    """The step's parameters by name."""
    partner: str | None
    """Name of the other picture, for operations that mix two."""
    rng: np.random.Generator
    """The picture's own stream."""


@dataclass
class LatentSpace:
    """A VAE and the set's own pictures."""

    vae: Vae
    bank: Bank | None = None
    _samplers: dict[str, GeometricSampler] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.vae.card.binarise_seed is not None:
            raise UsageError(f"{self.vae.card.name} is of black and white pictures; augment with a model of grey ones")

    def classes(self, labels: Sequence[str | None]) -> list[int] | None:
        """Numbers of the card's classes for a conditional model, else None. Raises UsageError."""
        return [self.class_of(label) for label in labels] if self.vae.card.conditional else None

    def class_of(self, label: str | None) -> int:
        """Raises UsageError for a class that the model does not know."""
        card = self.vae.card
        if label not in card.classes:
            known = f"it knows {', '.join(card.classes)}" if card.classes else "it was trained without labels"
            raise UsageError(
                f"{card.name} does not know class '{label}' ({known}); use 'geometric', or train with labels"
            )
        return card.classes.index(label)

    def sampler(self, label: str | None) -> GeometricSampler:
        """Of the bank's pictures of a class. Raises UsageError."""
        if label is None or self.bank is None or not self.bank.of_class(label):
            raise UsageError("geometric draws among pictures of a labelled set; give one (bank=...)")
        if label not in self._samplers:
            pixels = self.bank.pictures(self.bank.of_class(label)[:MOST_CENTROIDS])
            self._samplers[label] = GeometricSampler.of(self.vae, pixels, self.classes([label] * len(pixels)))
        return self._samplers[label]

    def noise(self, inputs: Sequence[LatentInput]) -> Rungs:
        """N(0, 1) of each picture's own stream, for every rung."""
        shapes = self.vae.card.latents
        drawn = [[one.rng.standard_normal(shape, dtype=np.float32) for shape in shapes] for one in inputs]
        return tuple(np.stack(rung) for rung in zip(*drawn, strict=True))


def latent_noise(space: LatentSpace, pictures: Batch, inputs: Sequence[LatentInput]) -> Array:
    """Encoded, moved by noise, decoded: `temperature` is in units of the posterior, `spread` of the prior.

    `fine` multiplies both at all rungs but the coarsest. `detail` is the share of what the model cannot reconstruct
    of the picture that is put back: at 1 only what the noise changed is changed.
    """
    names = ("temperature", "spread", "fine")
    temperature, spread, fine = (_column([one.numbers[name] for one in inputs]) for name in names)
    noise, of_class = space.noise(inputs), space.classes([one.label for one in inputs])
    noise = (*(fine * rung for rung in noise[:-1]), noise[-1])
    latents = space.vae.encode(pictures, of_class, noise=tuple(temperature * rung for rung in noise))
    moved = space.vae.decode([z + spread * rung for z, rung in zip(latents, noise, strict=True)], of_class)
    return _with_own_detail(space, pictures, inputs, moved, means=None if temperature.any() else latents)


def latent_mix(space: LatentSpace, pictures: Batch, inputs: Sequence[LatentInput]) -> Array:
    """Moved by `share` of the way to another picture of the same class."""
    return _mixed(space, pictures, inputs)


def latent_blend(space: LatentSpace, pictures: Batch, inputs: Sequence[LatentInput]) -> Array:
    """Moved by `share` of the way to a picture of another class; the label follows. Raises UsageError."""
    if space.vae.card.conditional:
        raise UsageError(f"{space.vae.card.name} is conditional on one class, and a blend is of two; use another model")
    return _mixed(space, pictures, inputs)


def latent_sample(space: LatentSpace, pictures: Batch, inputs: Sequence[LatentInput]) -> Array:
    """Replaced by a new picture of the class; the temperature is that of the noise which it is made of."""
    seeds = [int(one.rng.integers(SEEDS)) for one in inputs]
    drawn = [
        space.vae.draw_latents(1, [space.class_of(one.label)], temperature=one.numbers["temperature"], seed=seed)
        for one, seed in zip(inputs, seeds, strict=True)
    ]
    return _finished(space, inputs, [np.concatenate(rung) for rung in zip(*drawn, strict=True)], seeds)


def geometric(space: LatentSpace, pictures: Batch, inputs: Sequence[LatentInput]) -> Array:
    """Replaced by a new picture of the class, drawn along the metric of the set's own posteriors."""
    drawn = [space.sampler(one.label).draw(one.rng, round(one.numbers["moves"])) for one in inputs]
    latents = np.stack(drawn).reshape(len(inputs), *space.vae.card.latents[0])
    return _finished(space, inputs, [latents], [int(one.rng.integers(SEEDS)) for one in inputs])


def _finished(space: LatentSpace, inputs: Sequence[LatentInput], latents: list[Array], seeds: Sequence[int]) -> Array:
    """New pictures, each of which depends on its own seed alone."""
    means = space.vae.decode(latents, space.classes([one.label for one in inputs]))
    return np.concatenate([space.vae.finished(mean[None], seed) for mean, seed in zip(means, seeds, strict=True)])


def _mixed(space: LatentSpace, pictures: Batch, inputs: Sequence[LatentInput]) -> Array:
    vae, of_class = space.vae, space.classes([one.label for one in inputs])
    assert space.bank is not None
    names = [str(one.partner) for one in inputs]
    missing = next((name for name in names if space.bank.picture(name) is None), None)
    if missing is not None:
        raise UsageError(f"'{missing}', which was mixed in, is not in the set; use the set that was augmented")
    of_partners = space.classes([space.bank.label_of(name) for name in names])
    own, others = vae.encode(pictures, of_class), vae.encode(space.bank.pictures(names), of_partners)
    mixed = []
    for k, one in enumerate(inputs):
        here, there = [rung[k : k + 1] for rung in own], [rung[k : k + 1] for rung in others]
        mixed.append(between(here, there, one.numbers["share"]))
    moved = vae.decode([np.concatenate(rung) for rung in zip(*mixed, strict=True)], of_class)
    return _with_own_detail(space, pictures, inputs, moved, means=own)


def _with_own_detail(
    space: LatentSpace, pictures: Batch, inputs: Sequence[LatentInput], moved: Array, *, means: Rungs | None
) -> Array:
    """`moved`, with the pictures' own detail where it is asked for. `means`: of their posteriors, if at hand."""
    share = _column([one.numbers["detail"] for one in inputs])
    if not share.any():
        return moved
    of_class = space.classes([one.label for one in inputs])
    if means is None:
        means = space.vae.encode(pictures, of_class)
    lost = pictures / np.float32(255) - space.vae.decode(means, of_class)
    whole: Array = (moved + share * lost).clip(0, 1)
    return whole


def _column(values: Sequence[float]) -> Array:
    return np.array(values, dtype=np.float32).reshape(-1, 1, 1, 1)


LatentFunction = Callable[[LatentSpace, Batch, Sequence[LatentInput]], Array]
_DETAIL = {"detail": Parameter(0, 1, (1, 1), "of what the model loses", fixed=1)}
_NOISE = {
    "temperature": Parameter(0, 10, (1, 1), "of the posterior's spread"),
    "spread": Parameter(0, 3, (0, 0.3), "of the prior's spread", fixed=0),
    "fine": Parameter(0, 10, (1, 1), "times both at finer rungs", fixed=1),
} | _DETAIL
_KEEPS = "kept, if the noise is not too strong: use a guard; boxes, masks and keypoints are refused"


def _entry(function: LatentFunction, labels: str, parameters: dict[str, Parameter]) -> Operation:
    known: Any = function
    return Operation("latent", known, labels, parameters)


LATENT: dict[str, Operation] = {
    "latent_noise": _entry(latent_noise, _KEEPS, _NOISE),
    "latent_mix": _entry(latent_mix, _KEEPS, {"share": Parameter(0, 1, (0.1, 0.4), "of the way")} | _DETAIL),
    "latent_blend": _entry(
        latent_blend,
        "mixed: soft labels, written as a list",
        {"share": Parameter(0, 0.5, (0, 0.3), "of the way")} | _DETAIL,
    ),
    "latent_sample": _entry(latent_sample, _KEEPS, {"temperature": Parameter(0, 2, (0.7, 1))}),
    "geometric": _entry(geometric, _KEEPS, {"moves": Parameter(1, 200, (10, 30), "moves of the chain")}),
}
