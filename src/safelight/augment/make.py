"""Variants of a set's pictures: drawn, applied, guarded, and drawn anew where the guard refuses."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from safelight.augment.bank import Bank
from safelight.augment.chain import LATENT_AT_ONCE, Sample, apply, in_bytes
from safelight.augment.draw import Record, draw
from safelight.augment.guard import LabelGuard
from safelight.augment.latent import LatentSpace
from safelight.augment.recipe import Guard
from safelight.augment.sets import AugmentableSet, open_augmentable
from safelight.augment.sets.classes import ClassSet
from safelight.augment.settings import AugmentSettings
from safelight.dataset import Form, choose_form
from safelight.dataset.form import fitted
from safelight.errors import PictureError, UsageError
from safelight.picture.picture import Metadata
from safelight.runtime.images.vae import Vae

Want = tuple[int, int]
"""Number of a picture, and of its copy from 1."""


class Variant(NamedTuple):
    """What became of one."""

    number: int
    copy: int
    sample: Sample | None
    """None if every draw was refused."""
    record: Record | None
    metadata: Metadata
    refusals: tuple[str, ...]
    """Why draws before it were refused."""
    failure: str | None = None
    """Why its picture cannot be read."""


@dataclass
class Maker:
    """A set and a recipe, with a model if the recipe needs one."""

    settings: AugmentSettings
    guarded: bool = True
    """Whether the recipe's guard is heeded: what is replayed has passed it."""
    pictures: AugmentableSet = field(init=False)

    def __post_init__(self) -> None:
        """Raises UsageError for what does not fit together, before anything is written."""
        settings, recipe = self.settings, self.settings.recipe
        self.pictures = open_augmentable(settings.dataset, settings.soft_labels)
        self.pictures.check()
        if not self.pictures.labelled:
            needs = [f"'{op}'" for op in recipe.latent] + (["[guard]"] if self._guard else [])
            needs += ["size_px"] if recipe.size_px else []
            if needs:
                raise UsageError(
                    f"{settings.dataset}: {needs[0]} is for sets with one label for each picture, and boxes or masks "
                    "cannot follow; take it out, or cut the objects out first"
                )
        if self.needs_model and self.model_name is None:
            what = recipe.latent[0] if recipe.latent else "the guard"
            raise UsageError(f"{what} needs a model; give --model, or model = ... in the recipe")
        if self.vae is not None:
            self._check_form(self.vae)
            _ = self.guard

    @property
    def model_name(self) -> str | None:
        """As given, or as the recipe has it."""
        return self.settings.model or self.settings.recipe.model

    @property
    def needs_model(self) -> bool:
        """For a latent step or the guard."""
        return bool(self.settings.recipe.latent) or self._guard is not None

    @property
    def _guard(self) -> Guard | None:
        return self.settings.recipe.guard if self.guarded else None

    @cached_property
    def vae(self) -> Vae | None:
        """None if nothing needs it. Raises UsageError for a model that restores."""
        if not self.needs_model or self.model_name is None:
            return None
        return Vae.load(self.model_name, threads=self.settings.threads)

    @cached_property
    def form(self) -> Form | None:
        """What pictures are brought to first; None for leaving them as they are."""
        side = self.settings.recipe.size_px
        if side is None or not isinstance(self.pictures, ClassSet):
            return None
        if self.vae is not None:
            return self.vae.form._replace(height=side, width=side)
        return choose_form(self.pictures.images, side, None, "crop")

    @cached_property
    def bank(self) -> Bank | None:
        """The set, as the model takes it, for operations and guards that compare."""
        if self.vae is None or not self.pictures.labelled:
            return None
        sound, form = [], self.vae.form
        for number, name in enumerate(self.pictures.names):
            try:
                sound.append((name, self.pictures.label(number), fitted(in_bytes(self.load(number)[0].image), form)))
            except PictureError:
                continue  # it is told of when its variants are made
        if not sound:
            raise UsageError(f"{self.settings.dataset}: none of its pictures can be read; look at it: safelight data")
        names, labels, pixels = zip(*sound, strict=True)
        return Bank(names, labels, np.stack(pixels))

    @cached_property
    def guard(self) -> LabelGuard | None:
        """None if the recipe has none."""
        if self._guard is None or self.vae is None or self.bank is None:
            return None
        return LabelGuard.of(self.vae, self.bank, self._guard)

    @cached_property
    def space(self) -> LatentSpace | None:
        """None without a model."""
        return None if self.vae is None else LatentSpace(self.vae, self.bank)

    def set_sha256(self) -> str:
        """Of every picture and every label: a list, an array or COCO's JSON holds what no other file does."""
        found, dataset = hashlib.sha256(), self.settings.dataset
        found.update((_file_sha256(dataset) if dataset.is_file() else "").encode())
        for original in self.pictures.originals():
            content = _file_sha256(original.source) if original.source else None
            found.update(repr((original.output, original.label, content)).encode())
        return found.hexdigest()

    def load(self, number: int) -> tuple[Sample, Metadata]:
        """A picture as the recipe's first step takes it."""
        sample, metadata = self.pictures.load(number)
        if self.form is not None:
            sample = replace(sample, image=fitted(in_bytes(sample.image), self.form))
        return sample, metadata

    def make(self, wants: Sequence[Want]) -> list[Variant]:
        """Each depends on the set, the recipe, the seed, and its own name and copy; not on what is made with it."""
        recipe, seed = self.settings.recipe, self.settings.seed
        loaded, failed = self._loaded({number for number, _ in wants})
        left, refused = [want for want in wants if want[0] in loaded], dict[Want, tuple[str, ...]]()
        found = {w: Variant(*w, None, None, Metadata(), (), failed[w[0]]) for w in wants if w[0] in failed}
        for attempt in range(self._guard.attempts if self._guard else 1):
            names = [self.pictures.names[number] for number, _ in left]
            records = [
                draw(recipe, seed, (name, copy, attempt), self.pictures.label(number), self.bank)
                for name, (number, copy) in zip(names, left, strict=True)
            ]
            samples = self.applied([loaded[number][0] for number, _ in left], records)
            again = []
            for want, record, sample, why in zip(left, records, samples, self._refusals(samples), strict=True):
                if why is None:
                    found[want] = Variant(*want, sample, record, loaded[want[0]][1], refused.get(want, ()))
                else:
                    refused[want] = (*refused.get(want, ()), why)
                    again.append(want)
            left = again
        found |= {want: Variant(*want, None, None, Metadata(), refused[want]) for want in left}
        return [found[want] for want in wants]

    def replay(self, wants: Sequence[Want], records: Sequence[Record]) -> list[Variant]:
        """Each by a record that was made before."""
        loaded, failed = self._loaded({number for number, _ in wants})
        sound = [(want, record) for want, record in zip(wants, records, strict=True) if want[0] in loaded]
        samples = self.applied([loaded[number][0] for (number, _), _ in sound], [record for _, record in sound])
        found = {w: Variant(*w, None, None, Metadata(), (), failed[w[0]]) for w in wants if w[0] in failed}
        for (want, record), sample in zip(sound, samples, strict=True):
            found[want] = Variant(*want, sample, record, loaded[want[0]][1], ())
        return [found[want] for want in wants]

    def _loaded(self, numbers: Iterable[int]) -> tuple[dict[int, tuple[Sample, Metadata]], dict[int, str]]:
        """Pictures, and why others cannot be read."""
        loaded, failed = {}, {}
        for number in numbers:
            try:
                loaded[number] = self.load(number)
            except PictureError as error:
                failed[number] = str(error)
        return loaded, failed

    def applied(self, samples: Sequence[Sample], records: Sequence[Record]) -> list[Sample]:
        """By the recipe's rules."""
        recipe = self.settings.recipe
        return apply(samples, records, recipe.border, recipe.keep_visible, self.space)

    def _refusals(self, samples: Sequence[Sample]) -> list[str | None]:
        if self.guard is None:
            return [None] * len(samples)
        form, found = self.guard.vae.form, list[str | None]()
        for start in range(0, len(samples), LATENT_AT_ONCE):
            some = samples[start : start + LATENT_AT_ONCE]
            pixels = np.stack([fitted(in_bytes(sample.image), form) for sample in some])
            found += self.guard.passes(pixels, [str(sample.label) for sample in some])
        return found

    def _check_form(self, vae: Vae) -> None:
        """Raises UsageError for a model that was trained on pictures of another form."""
        if not self.settings.recipe.latent:
            return
        loaded = next((s for k in range(len(self.pictures.names)) if (s := self._loaded([k])[0].get(k))), None)
        height, width, channels = loaded[0].image.shape if loaded else vae.form[:3]
        form = vae.form
        if (height, width, channels) != (form.height, form.width, form.channels):
            raise UsageError(
                f"{vae.card.name} was trained on {form.width}x{form.height} with {form.channels} channels, and the "
                f"pictures are {width}x{height} with {channels}; set size_px = {form.width}, or train another model"
            )


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
