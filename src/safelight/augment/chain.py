"""A record applied: geometry in a row as one resampling, colour in a row as one matrix, latent steps in batches."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from safelight import randomness
from safelight.augment.catalog import OPERATIONS
from safelight.augment.draw import Applied, Record
from safelight.augment.latent import Ask, LatentSpace
from safelight.augment.shapes import Points, Shape, move
from safelight.classic.colour import recolour
from safelight.classic.formats import Pixels, full_scale
from safelight.classic.geometry import Border, moved, warp
from safelight.dataset.images import Pixels as Bytes
from safelight.errors import UsageError

LATENT_AT_ONCE = 64
"""Pictures that go through a model together."""


@dataclass(frozen=True)
class Sample:
    """A picture and what belongs to it."""

    image: Pixels
    """(H, W, 1) or (H, W, 3); uint8, uint16, or float32 in [0, 1]."""
    label: str | None = None
    mask: NDArray[Any] | None = None
    """(H, W, C) of class numbers or colours."""
    shapes: tuple[Shape | None, ...] = ()
    """None where one has left the picture."""
    points: Points | None = None
    """Keypoints of no object; they may leave the picture."""
    soft_label: dict[str, float] = field(default_factory=dict)
    """Classes and their weights, where pictures of two were blended."""

    @property
    def bare(self) -> bool:
        """Whether there is nothing that geometry must move along."""
        return self.mask is None and not self.shapes and self.points is None


def apply(
    samples: Sequence[Sample],
    records: Sequence[Record],
    border: Literal["auto", "reflect", "constant"] = "auto",
    keep_visible: float = 0.25,
    space: LatentSpace | None = None,
) -> list[Sample]:
    """Each sample by its record. The result for one does not depend on the others.

    Raises UsageError for a latent step without a model, on a picture of another form, or on boxes and masks.
    """
    done = list(samples)
    runs = [[(kind, list(steps)) for kind, steps in itertools.groupby(r.steps, kind_of)] for r in records]
    places = [0] * len(done)
    while True:
        waiting: list[int] = []
        for k, own in enumerate(runs):
            while places[k] < len(own) and own[places[k]][0] != "latent":
                done[k] = on_pixels(done[k], *own[places[k]], records[k], border, keep_visible)
                places[k] += 1
            if places[k] < len(own):
                waiting.append(k)
        if not waiting:
            return [replace(s, image=s.image.clip(0, 1)) if s.image.dtype == np.float32 else s for s in done]
        for k in waiting:
            _check_latent(done[k], runs[k][places[k]][1][0].op, space)
        assert space is not None
        by_op: dict[str, list[int]] = {}
        for k in waiting:
            by_op.setdefault(runs[k][places[k]][1][0].op, []).append(k)
        for op, chosen in by_op.items():
            for start in range(0, len(chosen), LATENT_AT_ONCE):
                some = chosen[start : start + LATENT_AT_ONCE]
                steps = [runs[k][places[k]][1].pop(0) for k in some]
                made = _in_latent_space(op, [done[k] for k in some], steps, [records[k] for k in some], space)
                for k, sample in zip(some, made, strict=True):
                    done[k] = sample
        for k in waiting:
            places[k] += not runs[k][places[k]][1]


def kind_of(step: Applied) -> str:
    """geometry, colour, pixels or latent."""
    return OPERATIONS[step.op].kind


def _rng(record: Record, step: Applied) -> np.random.Generator:
    return randomness.generator(record.seed, *record.identity, step.position, step.op)


def on_pixels(
    sample: Sample, kind: str, steps: Sequence[Applied], record: Record, border: str, keep_visible: float = 0.0
) -> Sample:
    """Steps of one kind, in a row; none of them latent."""
    image = sample.image
    height, width = image.shape[:2]
    if kind == "geometry":
        whole = _product(OPERATIONS[step.op].function((width, height), **step.numbers) for step in steps)
        chosen: Border = "reflect" if border == "reflect" or (border == "auto" and sample.bare) else "constant"
        mask = None if sample.mask is None else warp(sample.mask, whole, "constant", nearest=True)
        shapes = tuple(s and move(s, whole, (width, height), keep_visible) for s in sample.shapes)
        points = None if sample.points is None else moved(sample.points, whole)
        return replace(sample, image=warp(image, whole, chosen), mask=mask, shapes=shapes, points=points)
    if kind == "colour":
        matrix = _product(OPERATIONS[step.op].function(**step.numbers) for step in steps)
        return replace(sample, image=recolour(image, matrix))
    for step in steps:
        image = OPERATIONS[step.op].function(image, _rng(record, step), **step.numbers)
    return replace(sample, image=image)


def _product(matrices: Iterable[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Of a chain: what comes later is multiplied from the left."""
    return reduce(lambda before, matrix: matrix @ before, matrices)


def _check_latent(sample: Sample, op: str, space: LatentSpace | None) -> None:
    """Raises UsageError."""
    if space is None:
        raise UsageError(f"{op} needs a model; give --model, or model = ... in the recipe")
    if not sample.bare:
        raise UsageError(f"{op} cannot move boxes, masks or keypoints; take it out, or cut the objects out first")
    form, (height, width, channels) = space.vae.form, sample.image.shape
    if (height, width, channels) != (form.height, form.width, form.channels):
        raise UsageError(
            f"{op}: the picture is {width}x{height} with {channels} channels, and {space.vae.card.name} was trained on "
            f"{form.width}x{form.height} with {form.channels}; set size_px = {form.width}, or train another model"
        )


def _in_latent_space(
    op: str, samples: Sequence[Sample], steps: Sequence[Applied], records: Sequence[Record], space: LatentSpace
) -> list[Sample]:
    asks = [
        Ask(sample.label, step.numbers, step.partner, _rng(record, step))
        for sample, step, record in zip(samples, steps, records, strict=True)
    ]
    made = OPERATIONS[op].function(space, np.stack([in_bytes(sample.image) for sample in samples]), asks)
    found = []
    for sample, ask, pixels in zip(samples, asks, made, strict=True):
        soft = sample.soft_label
        if op == "latent_blend" and sample.label is not None and space.bank is not None:
            share, other = ask.numbers["share"], space.bank.label_of(str(ask.partner))
            before = soft or {sample.label: 1.0}
            soft = {name: (1 - share) * weight for name, weight in before.items()}
            soft[other] = soft.get(other, 0.0) + share
        kept = pixels if sample.image.dtype == np.float32 else np.rint(pixels * np.float32(full_scale(sample.image)))
        found.append(replace(sample, image=kept.astype(sample.image.dtype), soft_label=soft))
    return found


def in_bytes(image: Pixels) -> Bytes:
    """As models are fed."""
    if image.dtype == np.uint8:
        return image
    scaled = np.rint(image.astype(np.float32) * np.float32(255 / full_scale(image))).clip(0, 255)
    eight: Bytes = scaled.astype(np.uint8)
    return eight
