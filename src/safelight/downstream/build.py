"""The arms of every seed, with the pictures that each is trained on: labelled, made of them, and unlabelled."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from safelight.augmentation import Bank, Sample, apply, draw
from safelight.augmentation.guard import LabelGuard, poor_guard
from safelight.augmentation.latent import LatentSpace
from safelight.augmentation.recipe import RecipeStep
from safelight.downstream.arms import ARMS, Arm, Bytes, Lesson, Variants
from safelight.downstream.check import CLASSLESS, Plan, times
from safelight.downstream.lessons import lessons
from safelight.downstream.sets import Labelled, draw_labelled
from safelight.runtime.images.vae import Vae

POOL_COPIES, AT_ONCE = 2, 512


class _Pictures(NamedTuple):
    """What variants are made of."""

    names: Sequence[str]
    labels: Sequence[str | None]
    pixels: Bytes


@dataclass(frozen=True)
class ArmBuilder:
    """Everything that the arms of all seeds share."""

    plan: Plan
    vae: Vae | None
    classes: tuple[str, ...]
    training: Labelled
    test: Labelled
    pool: Bytes | None
    """Unlabelled pictures."""
    guarded: Counter[str] = field(default_factory=Counter)
    """Variants of labelled pictures that a guard looked at: `all`, and those of which each draw was `refused`."""

    @cached_property
    def balanced(self) -> bool:
        """Whether accuracy is averaged over classes, since the test's are not about equally large."""
        sizes = np.unique(self.test.labels, return_counts=True)[1]
        return bool(sizes.max() > 1.5 * sizes.min())

    def arms(self, seed: int, tell: Callable[[str], None]) -> list[Arm]:
        """Those of one seed that are planned, and its sweep. `tell` is called while variants are made."""
        settings = self.plan.settings
        chosen = draw_labelled(settings, self.training, self.classes, seed)
        pixels, labels = self.training.pixels[chosen], self.training.labels[chosen]
        names, words = (self.training.identities[k] for k in chosen), (self.classes[k] for k in labels)
        bank = Bank(tuple(names), tuple(words), pixels)
        plain = Arm(
            name="none",
            seed=seed,
            classes=len(self.classes),
            steps=settings.steps,
            train=pixels,
            labels=labels,
            test=self.test.pixels,
            test_labels=self.test.labels,
            balanced=self.balanced,
            border=self.plan.recipe.border,
        )
        makes_variants = any(ARMS[name].variants for name in self.plan.arms)
        tell(f"seed {seed}: making variants")
        variants = self._variants(bank, self.plan.latent, seed, tell) if makes_variants else None
        arms = [self._arm(name, plain, variants) for name in self.plan.arms]
        for factor in settings.sweep:
            name = "classic_vae" if self._classic else "vae"
            louder = self._variants(bank, times(self.plan.latent, factor), seed, tell)
            arms.append(replace(plain, name=name, classic=self._classic, variants=louder, noise=factor))
        return arms

    def _arm(self, name: str, plain: Arm, variants: Variants | None) -> Arm:
        """The arm `none` of a seed, made another one."""
        kind = ARMS[name]
        return replace(
            plain,
            name=name,
            copies=self.plan.settings.copies + 1 if name == "duplicates" else 1,
            classic=self._classic if kind.classic else (),
            variants=variants if kind.variants else None,
            pool=self.pool if kind.needs_pool else None,
            pool_variants=self._pool_variants if kind.consistent and kind.variants else None,
            lessons=self._lessons if kind.taught else (),
        )

    @cached_property
    def _classic(self) -> tuple[dict[str, Any], ...]:
        """The classic steps as the keys of a recipe, since they go to other processes."""
        return tuple(
            {"op": step.op, "probability": step.probability, **{name: list(ends) for name, ends in step.ranges.items()}}
            for step in self.plan.classic
        )

    @cached_property
    def _lessons(self) -> tuple[Lesson, ...]:
        assert self.pool is not None and self.vae is not None
        return lessons(self.vae, self.pool)

    @cached_property
    def _pool_variants(self) -> Variants:
        """Of unlabelled pictures, by the latent steps that need no class."""
        assert self.pool is not None and self.vae is not None
        steps = tuple(step for step in self.plan.latent if step.op == CLASSLESS)
        names = tuple(map(str, range(len(self.pool))))
        pictures = _Pictures(names, [None] * len(names), self.pool)
        space = LatentSpace(self.vae)
        return self._made(space, steps, pictures, copies=POOL_COPIES, seed=0, on_made=lambda number: None)

    def _variants(self, bank: Bank, steps: Sequence[RecipeStep], seed: int, tell: Callable[[str], None]) -> Variants:
        """Of labelled pictures."""
        assert self.vae is not None
        pictures = _Pictures(bank.names, bank.labels, bank.pixels)
        space = LatentSpace(self.vae, bank)
        copies, total = self.plan.settings.copies, self.plan.settings.copies * len(bank.names)

        def on_made(number: int) -> None:
            tell(f"seed {seed}: making variants, {number} of {total}")

        return self._made(space, steps, pictures, copies=copies, seed=seed, on_made=on_made)

    def _made(
        self,
        space: LatentSpace,
        steps: Sequence[RecipeStep],
        pictures: _Pictures,
        *,
        copies: int,
        seed: int,
        on_made: Callable[[int], None],
    ) -> Variants:
        """By the latent steps alone: classic ones are drawn anew at each sight.

        What the recipe's guard refuses is drawn again. A picture of which all draws are refused stands for them itself.
        """
        names, labels, pixels = pictures
        recipe, guard = self.plan.recipe.model_copy(update={"steps": tuple(steps)}), self._guard(space.bank)
        made = np.repeat(pixels[:, None], copies, axis=1)
        targets = np.repeat([[self._target(label)] for label in labels], copies, axis=1)
        left = [(k, copy) for k in range(len(pixels)) for copy in range(copies)]
        for attempt in range(1 if guard is None else guard.settings.attempts):
            refused = []
            for start in range(0, len(left), AT_ONCE):
                on_made(len(pixels) * copies - len(left) + start)
                some = left[start : start + AT_ONCE]
                again = (attempt,) if attempt else ()  # of a first draw, the name and the number of the copy are all
                records = [
                    draw(recipe, seed, (names[k], copy, *again), label=labels[k], bank=space.bank) for k, copy in some
                ]
                samples = apply([Sample(pixels[k], labels[k]) for k, _ in some], records, space=space)
                for place, sample, why in zip(some, samples, _refusals(guard, samples), strict=True):
                    if why is not None:
                        refused.append(place)
                        continue
                    made[place], targets[place] = sample.image, self._target(sample.label, sample.soft_label)
            left = refused
        if guard is not None:
            self.guarded.update(all=len(pixels) * copies, refused=len(left))
        return Variants(made, targets)

    @property
    def notes(self) -> list[str]:
        """What a reader must know of the variants that were made."""
        told = (
            [] if self.vae is None or self.plan.recipe.guard is None else [poor_guard(self.vae, self.plan.recipe.guard)]
        )
        if self.guarded["refused"]:
            told.append(
                f"The guard refused each draw of {self.guarded['refused']} of {self.guarded['all']} variants. "
                "The pictures themselves stand for these."
            )
        return [note for note in told if note]

    def _guard(self, bank: Bank | None) -> LabelGuard | None:
        """The recipe's, of labelled pictures. Raises UsageError for a VAE that cannot guard."""
        settings = self.plan.recipe.guard
        if settings is None or bank is None or self.vae is None:
            return None
        return LabelGuard.of(self.vae, bank, settings)

    def _target(self, label: str | None, soft_label: Mapping[str, float] | None = None) -> NDArray[np.float32]:
        """(classes,): how much of each class a picture is; 0 if that is not known."""
        weights = soft_label or ({} if label is None else {label: 1.0})
        return np.array([weights.get(name, 0.0) for name in self.classes], dtype=np.float32)


def _refusals(guard: LabelGuard | None, samples: Sequence[Sample]) -> list[str | None]:
    """Why the guard refuses each; None for what passes."""
    if guard is None:
        return [None] * len(samples)
    return guard.refusals(np.stack([sample.image for sample in samples]), [str(sample.label) for sample in samples])
