"""A record applied: geometry in a row as one resampling, colour in a row as one matrix, latent steps in batches."""

import itertools
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from safelight import randomness
from safelight.augmentation.catalog import OPERATIONS
from safelight.augmentation.latent import LatentInput, LatentSpace
from safelight.augmentation.record import AppliedStep, VariantRecord
from safelight.augmentation.shapes import Points, Shape, move
from safelight.classic import Kind
from safelight.classic.colour import recolour
from safelight.classic.formats import Pixels, full_scale
from safelight.classic.geometry import Border, moved, warp
from safelight.classic.threads import single_threaded
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


class StepRun(NamedTuple):
    """Steps of one kind that follow each other in a record, and so are taken together; a latent step stands alone."""

    kind: Kind
    steps: tuple[AppliedStep, ...]
    record: VariantRecord

    def rng(self, step: AppliedStep) -> np.random.Generator:
        """The stream of a step's noise."""
        return randomness.generator(self.record.seed, *self.record.identity, step.position, step.op)


def runs_of(record: VariantRecord) -> list[StepRun]:
    """All steps of a record, in order."""
    runs = []
    for kind, group in itertools.groupby(record.steps, lambda step: OPERATIONS[step.op].kind):
        steps = tuple(group)
        parts = [(step,) for step in steps] if kind == "latent" else [steps]
        runs += [StepRun(kind, part, record) for part in parts]
    return runs


def apply(
    samples: Sequence[Sample],
    records: Sequence[VariantRecord],
    border: Literal["auto", "reflect", "constant"] = "auto",
    keep_visible: float = 0.25,
    space: LatentSpace | None = None,
) -> list[Sample]:
    """Each sample by its record. The result for one does not depend on the others.

    `border` and `keep_visible` are those of a recipe. Raises UsageError for a latent step without a model, on a
    picture of another form, or on boxes and masks.
    """
    done, queues = list(samples), [deque(runs_of(record)) for record in records]
    with single_threaded():
        while True:
            for k, queue in enumerate(queues):
                while queue and queue[0].kind != "latent":
                    done[k] = on_pixels(done[k], queue.popleft(), border, keep_visible)
            waiting = [k for k, queue in enumerate(queues) if queue]
            if not waiting:
                return [replace(s, image=s.image.clip(0, 1)) if s.image.dtype == np.float32 else s for s in done]
            by_op: dict[str, list[int]] = {}
            for k in waiting:
                by_op.setdefault(queues[k][0].steps[0].op, []).append(k)
            checked = {op: _checked_space(space, op, [done[k] for k in chosen]) for op, chosen in by_op.items()}
            for op, chosen in by_op.items():
                for start in range(0, len(chosen), LATENT_AT_ONCE):
                    some = chosen[start : start + LATENT_AT_ONCE]
                    runs = [queues[k].popleft() for k in some]
                    made = _in_latent_space(checked[op], op, [done[k] for k in some], runs)
                    for k, sample in zip(some, made, strict=True):
                        done[k] = sample


def on_pixels(sample: Sample, run: StepRun, border: str, keep_visible: float = 0.0) -> Sample:
    """A run of steps that are not latent."""
    image = sample.image
    height, width = image.shape[:2]
    if run.kind == "geometry":
        whole = _product(OPERATIONS[step.op].function((width, height), **step.numbers) for step in run.steps)
        chosen: Border = "reflect" if border == "reflect" or (border == "auto" and sample.bare) else "constant"
        mask = None if sample.mask is None else warp(sample.mask, whole, "constant", nearest=True)
        shapes = tuple(s and move(s, whole, (width, height), keep_visible) for s in sample.shapes)
        points = None if sample.points is None else moved(sample.points, whole)
        return replace(sample, image=warp(image, whole, chosen), mask=mask, shapes=shapes, points=points)
    if run.kind == "colour":
        matrix = _product(OPERATIONS[step.op].function(**step.numbers) for step in run.steps)
        return replace(sample, image=recolour(image, matrix))
    for step in run.steps:
        image = OPERATIONS[step.op].function(image, run.rng(step), **step.numbers)
    return replace(sample, image=image)


def _product(matrices: Iterable[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Of a chain: what comes later is multiplied from the left."""
    return reduce(lambda before, matrix: matrix @ before, matrices)


def _checked_space(space: LatentSpace | None, op: str, samples: Sequence[Sample]) -> LatentSpace:
    """A space that can take these. Raises UsageError."""
    if space is None:
        raise UsageError(f"{op} needs a model; give --model, or model = ... in the recipe")
    if not all(sample.bare for sample in samples):
        raise UsageError(f"{op} cannot move boxes, masks or keypoints; take it out, or cut the objects out first")
    form = space.vae.form
    for height, width, channels in (sample.image.shape for sample in samples):
        if (height, width, channels) != (form.height, form.width, form.channels):
            raise UsageError(
                f"{op}: the picture is {width}x{height} with {channels} channels, and {space.vae.card.name} was "
                f"trained on {form.width}x{form.height} with {form.channels}; set size_px = {form.width}, or train "
                "another model"
            )
    return space


def _in_latent_space(space: LatentSpace, op: str, samples: Sequence[Sample], runs: Sequence[StepRun]) -> list[Sample]:
    """A batch through the model; each run is one step of that operation."""
    inputs = [
        LatentInput(sample.label, step.numbers, step.partner, run.rng(step))
        for sample, run in zip(samples, runs, strict=True)
        for step in run.steps
    ]
    made = OPERATIONS[op].function(space, np.stack([in_bytes(sample.image) for sample in samples]), inputs)
    after = []
    for sample, one, pixels in zip(samples, inputs, made, strict=True):
        soft = _blended(sample, one, space) if op == "latent_blend" else sample.soft_label
        exact = pixels if sample.image.dtype == np.float32 else np.rint(pixels * np.float32(full_scale(sample.image)))
        after.append(replace(sample, image=exact.astype(sample.image.dtype), soft_label=soft))
    return after


def _blended(sample: Sample, one: LatentInput, space: LatentSpace) -> dict[str, float]:
    """The soft label of a picture that is moved towards its partner."""
    if sample.label is None or space.bank is None:
        return sample.soft_label
    share, other = one.numbers["share"], space.bank.label_of(str(one.partner))
    before = sample.soft_label or {sample.label: 1.0}
    soft = {name: (1 - share) * weight for name, weight in before.items()}
    soft[other] = soft.get(other, 0.0) + share
    return soft


def in_bytes(image: Pixels) -> Bytes:
    """As models are fed: (H, W, C) in 8 bits."""
    if image.dtype == np.uint8:
        return image
    scaled = np.rint(image.astype(np.float32) * np.float32(255 / full_scale(image))).clip(0, 255)
    eight: Bytes = scaled.astype(np.uint8)
    return eight
