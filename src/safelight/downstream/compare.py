"""What `evaluate --downstream` does: labelled pictures drawn by seed, variants made, arms trained side by side."""

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from safelight.augment import Bank, Sample, apply, draw
from safelight.augment.latent import LatentSpace
from safelight.augment.recipe import Step
from safelight.dataset import choose_form, open_set
from safelight.downstream.arms import ARMS, Arm, ArmResult, Bytes, Variants, train_arm
from safelight.downstream.check import CLASSLESS, available_arms, check, open_vae, steps_of, times
from safelight.downstream.lessons import Lesson, lessons
from safelight.downstream.sets import (
    DownstreamSettings,
    Labelled,
    check_honest,
    draw_labelled,
    open_parts,
    open_pool,
)  # fmt: skip
from safelight.runtime.images.vae import Vae
from safelight.runtime.machine import cores

POOL_COPIES, AT_ONCE = 2, 512


@dataclass(frozen=True)
class Downstream:
    """What was measured, as plain data."""

    counts: dict[str, int]
    """labelled (of one seed), test, unlabelled, seen_by_vae"""
    balanced: bool
    """Whether accuracies are averages over classes, since the test's are not about equally large."""
    test_labels: NDArray[np.int64]
    results: tuple[ArmResult, ...]
    notes: tuple[str, ...]

    def weights(self) -> NDArray[np.float64]:
        """(P,): what each test picture counts."""
        classes, of_picture, sizes = np.unique(self.test_labels, return_inverse=True, return_counts=True)
        if not self.balanced:
            return np.full(len(of_picture), 1 / len(of_picture))
        return np.asarray(1 / (len(classes) * sizes[of_picture]))


def run_downstream(settings: DownstreamSettings, on_progress: Callable[[str], None]) -> Downstream:
    """Raises UsageError for what makes no fair comparison."""
    check(settings)
    vae = open_vae(settings)
    images = open_set(settings.dataset)
    form = vae.form if vae is not None else choose_form(images, settings.recipe.size_px, None, "crop")
    training, test = open_parts(settings, images, form, vae)
    notes = check_honest(settings, vae, training, test)
    compared = _Comparison(settings, vae, images.classes, training, test, open_pool(settings, form, test))
    results: list[ArmResult] = []
    with ProcessPoolExecutor(settings.workers or cores(), multiprocessing.get_context("spawn")) as pool:
        for seed in range(settings.first_seed, settings.first_seed + settings.seeds):
            on_progress(f"seed {seed}: variants")
            for result in pool.map(train_arm, compared.arms(seed)):  # each on one thread
                on_progress(f"seed {seed}: {result.name}: {result.accuracy:.3f}")
                results.append(result)
    counts = {
        "labelled": len(draw_labelled(settings, training, images.classes, settings.first_seed)),
        "test": len(test.labels),
        "unlabelled": 0 if compared.pool is None else len(compared.pool),
        "seen_by_vae": 0 if vae is None else len(vae.training_identities),
    }
    return Downstream(counts, compared.balanced, test.labels, tuple(results), notes)


@dataclass(frozen=True)
class _Comparison:
    """Everything that the arms of all seeds share."""

    settings: DownstreamSettings
    vae: Vae | None
    classes: tuple[str, ...]
    training: Labelled
    test: Labelled
    pool: Bytes | None

    @cached_property
    def balanced(self) -> bool:
        """Whether accuracy is averaged over classes."""
        sizes = np.unique(self.test.labels, return_counts=True)[1]
        return bool(sizes.max() > 1.5 * sizes.min())

    def arms(self, seed: int) -> list[Arm]:
        """Those of one seed that are asked for, and its sweep; see `arms`."""
        settings, asked = self.settings, self.settings.arms or self.available
        chosen = draw_labelled(settings, self.training, self.classes, seed)
        pixels, labels = self.training.pixels[chosen], self.training.labels[chosen]
        plain = Arm(
            "none", seed, len(self.classes), settings.steps, pixels, labels, self.test.pixels, self.test.labels,
            balanced=self.balanced, border=settings.recipe.border,
        )  # fmt: skip
        bank = Bank(tuple(self.training.known[k] for k in chosen), tuple(self.classes[k] for k in labels), pixels)
        moved = replace(plain, classic=self._classic)
        found = []
        for name in asked:
            kind = ARMS[name]
            arm = replace(moved if kind.classic else plain, name=name)
            arm = replace(arm, copies=settings.copies + 1) if name == "duplicates" else arm
            arm = replace(arm, variants=self._variants(bank, self._latent, seed)) if kind.variants else arm
            arm = replace(arm, pool=self.pool) if kind.needs_pool else arm
            arm = replace(arm, pool_variants=self._pool_variants) if kind.consistent and kind.variants else arm
            found.append(replace(arm, lessons=self._lessons) if kind.taught else arm)
        for factor in settings.sweep:
            variants = self._variants(bank, times(self._latent, factor), seed)
            name = "classic_vae" if self._classic else "vae"
            found.append(replace(moved, name=name, variants=variants, noise=factor))
        return found

    @property
    def available(self) -> tuple[str, ...]:
        """Names of all arms that the recipe and the pictures allow."""
        return available_arms(self.settings)

    @cached_property
    def _latent(self) -> tuple[Step, ...]:
        return steps_of(self.settings.recipe, latent=True)

    @cached_property
    def _classic(self) -> tuple[dict[str, object], ...]:
        """As the keys of a recipe, since steps go to other processes."""
        return tuple(
            {"op": step.op, "probability": step.probability, **{name: list(ends) for name, ends in step.ranges.items()}}
            for step in steps_of(self.settings.recipe, latent=False)
        )

    @cached_property
    def _lessons(self) -> tuple[Lesson, ...]:
        assert self.pool is not None and self.vae is not None
        return lessons(self.vae, self.pool)

    @cached_property
    def _pool_variants(self) -> Variants:
        """Of unlabelled pictures, by the latent steps that ask for no class."""
        assert self.pool is not None and self.vae is not None
        alone = tuple(step for step in self._latent if step.op == CLASSLESS)
        names = tuple(map(str, range(len(self.pool))))
        return self._made(LatentSpace(self.vae), alone, names, [None] * len(names), self.pool, POOL_COPIES)

    def _variants(self, bank: Bank, steps: Sequence[Step], seed: int) -> Variants:
        assert self.vae is not None
        space = LatentSpace(self.vae, bank)
        return self._made(space, steps, bank.names, bank.labels, bank.pixels, self.settings.copies, seed)

    def _made(
        self,
        space: LatentSpace,
        steps: Sequence[Step],
        names: Sequence[str],
        labels: Sequence[str | None],
        pixels: Bytes,
        copies: int,
        seed: int = 0,
    ) -> Variants:
        """By the latent steps alone: classic ones are taken anew at each sight."""
        recipe = self.settings.recipe.model_copy(update={"steps": tuple(steps)})
        number = {name: k for k, name in enumerate(self.classes)}
        made = np.zeros((len(pixels), copies, *pixels.shape[1:]), dtype=np.uint8)
        targets = np.zeros((len(pixels), copies, len(self.classes)), dtype=np.float32)
        wants = [(k, copy) for k in range(len(pixels)) for copy in range(copies)]
        for start in range(0, len(wants), AT_ONCE):
            some = wants[start : start + AT_ONCE]
            records = [draw(recipe, seed, (names[k], copy), labels[k], space.bank) for k, copy in some]
            done = apply([Sample(pixels[k], labels[k]) for k, _ in some], records, space=space)
            for (k, copy), sample in zip(some, done, strict=True):
                made[k, copy] = sample.image
                if sample.label is not None:
                    for name, weight in (sample.soft_label or {sample.label: 1.0}).items():
                        targets[k, copy, number[name]] = weight
        return Variants(made, targets)
