"""What `evaluate --downstream` does: labelled pictures drawn by seed, variants made, arms trained side by side."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from safelight.augment import Bank, Sample, apply, draw
from safelight.augment.catalog import OPERATIONS
from safelight.augment.latent import LatentSpace
from safelight.augment.recipe import Step
from safelight.dataset import choose_form, open_set
from safelight.errors import UsageError
from safelight.learn.downstream.arms import ARMS, Arm, ArmResult, Bytes, Variants, train_arm
from safelight.learn.downstream.sets import (
    DownstreamSettings,
    Labelled,
    check_honest,
    draw_labelled,
    open_parts,
    open_pool,
)  # fmt: skip
from safelight.runtime.machine import cores
from safelight.runtime.models import load
from safelight.runtime.vae import Vae

POOL_COPIES, AT_ONCE = 2, 512
NOISES = ("temperature", "spread")
"""Numbers of latent steps that a sweep multiplies."""


@dataclass(frozen=True)
class Downstream:
    """What was measured, as plain data."""

    counts: dict[str, int]
    """labelled (of one seed), test, unlabelled, seen_by_vae"""
    balanced: bool
    """Whether the test's classes are about equally large."""
    results: tuple[ArmResult, ...]
    notes: tuple[str, ...]


def run_downstream(settings: DownstreamSettings, on_progress: Callable[[str], None]) -> Downstream:
    """Raises UsageError for what makes no fair comparison."""
    _check(settings)
    vae = _vae(settings)
    images = open_set(settings.dataset)
    form = vae.form if vae is not None else choose_form(images, settings.recipe.size_px, None, "crop")
    training, test = open_parts(settings, images, form, vae)
    notes = check_honest(settings, vae, training, test)
    compared = _Comparison(settings, vae, images.classes, training, test, open_pool(settings, form, test))
    jobs: list[Arm] = []
    for seed in range(settings.first_seed, settings.first_seed + settings.seeds):
        on_progress(f"seed {seed}: variants")
        jobs += [arm for arm in compared.arms(seed) if not settings.arms or arm.name in settings.arms]
    results = []
    for done, result in enumerate(_trained(jobs, settings.workers or cores()), 1):
        on_progress(f"{done} of {len(jobs)}: {result.name}, seed {result.seed}: {result.accuracy:.3f}")
        results.append(result)
    sizes = np.unique(test.labels, return_counts=True)[1]
    counts = {
        "labelled": len(jobs[0].train),
        "test": len(test.labels),
        "unlabelled": 0 if compared.pool is None else len(compared.pool),
        "seen_by_vae": 0 if vae is None else len(vae.seen),
    }
    return Downstream(counts, bool(sizes.max() <= 1.5 * sizes.min()), tuple(results), notes)


@dataclass(frozen=True)
class _Comparison:
    """Everything that the arms of all seeds share."""

    settings: DownstreamSettings
    vae: Vae | None
    classes: tuple[str, ...]
    training: Labelled
    test: Labelled
    pool: Bytes | None

    def arms(self, seed: int) -> list[Arm]:
        """Those of one seed, and its sweep; see `arms`."""
        settings, classic = self.settings, self._classic
        chosen = draw_labelled(settings, self.training, len(self.classes), seed)
        pixels, labels = self.training.pixels[chosen], self.training.labels[chosen]
        plain = Arm("none", seed, len(self.classes), settings.steps, pixels, labels, self.test.pixels, self.test.labels)
        often = np.repeat(chosen, settings.copies + 1)
        repeated = replace(plain, train=self.training.pixels[often], labels=self.training.labels[often])
        found = [plain, replace(repeated, name="duplicates")]
        moved = replace(plain, name="classic", classic=classic)
        found += [moved] if classic else []
        found += [replace(moved, name="classic_pool", pool=self.pool)] if classic and self.pool is not None else []
        if self.vae is None:
            return found
        bank = Bank(tuple(self.training.known[k] for k in chosen), tuple(self.classes[k] for k in labels), pixels)
        arm = replace(plain, name="vae", variants=self._variants(bank, self._latent))
        found += [arm, replace(arm, name="classic_vae", classic=classic)] if classic else [arm]
        if classic and self.pool is not None:
            both = replace(arm, name="classic_vae_pool", classic=classic)
            found.append(replace(both, pool=self.pool, pool_variants=self._pool_variants))
        for factor in settings.sweep:
            variants = self._variants(bank, _times(self._latent, factor))
            name = "classic_vae" if classic else "vae"
            found.append(replace(plain, name=name, variants=variants, classic=classic, noise=factor))
        return found

    @cached_property
    def _latent(self) -> tuple[Step, ...]:
        return tuple(step for step in self.settings.recipe.steps if OPERATIONS[step.op].kind == "latent")

    @cached_property
    def _classic(self) -> tuple[dict[str, object], ...]:
        """As the keys of a recipe, since steps go to other processes."""
        steps = (step for step in self.settings.recipe.steps if OPERATIONS[step.op].kind != "latent")
        return tuple(
            {"op": step.op, "probability": step.probability, **{name: list(ends) for name, ends in step.ranges.items()}}
            for step in steps
        )

    @cached_property
    def _pool_variants(self) -> Variants:
        """Of unlabelled pictures, by the latent steps that ask for no class."""
        assert self.pool is not None and self.vae is not None
        alone = tuple(step for step in self._latent if step.op == "latent_noise")
        if not alone:
            raise UsageError("unlabelled pictures have no class to mix or sample; add a latent_noise step")
        names = tuple(map(str, range(len(self.pool))))
        return self._made(LatentSpace(self.vae), alone, names, [None] * len(names), self.pool, POOL_COPIES)

    def _variants(self, bank: Bank, steps: Sequence[Step]) -> Variants:
        assert self.vae is not None
        space = LatentSpace(self.vae, bank)
        return self._made(space, steps, bank.names, bank.labels, bank.pixels, self.settings.copies)

    def _made(
        self,
        space: LatentSpace,
        steps: Sequence[Step],
        names: Sequence[str],
        labels: Sequence[str | None],
        pixels: Bytes,
        copies: int,
    ) -> Variants:
        """By the latent steps alone: classic ones are taken anew at each sight."""
        recipe = self.settings.recipe.model_copy(update={"steps": tuple(steps)})
        number = {name: k for k, name in enumerate(self.classes)}
        made = np.zeros((len(pixels), copies, *pixels.shape[1:]), dtype=np.uint8)
        targets = np.zeros((len(pixels), copies, len(self.classes)), dtype=np.float32)
        wants = [(k, copy) for k in range(len(pixels)) for copy in range(copies)]
        for start in range(0, len(wants), AT_ONCE):
            some = wants[start : start + AT_ONCE]
            records = [draw(recipe, 0, (names[k], copy), labels[k], space.bank) for k, copy in some]
            done = apply([Sample(pixels[k], labels[k]) for k, _ in some], records, space=space)
            for (k, copy), sample in zip(some, done, strict=True):
                made[k, copy] = sample.image
                if sample.label is not None:
                    for name, weight in (sample.soft_label or {sample.label: 1.0}).items():
                        targets[k, copy, number[name]] = weight
        return Variants(made, targets)


def _check(settings: DownstreamSettings) -> None:
    if settings.seeds < 2:
        raise UsageError(f"{settings.seeds} seeds give no interval; take 2 or more, 5 for a verdict")
    if settings.recipe.guard is not None:
        raise UsageError("[guard] is for 'safelight augment'; take it out to compare arms, or augment first")
    if settings.recipe.latent and (settings.model or settings.recipe.model) is None:
        raise UsageError(f"{settings.recipe.latent[0]} needs a model; give --model, or model = ... in the recipe")
    strange = sorted(set(settings.arms) - set(ARMS))
    if strange:
        raise UsageError(f"--arms '{strange[0]}': use {', '.join(ARMS)}")
    if settings.arms and not {"none", "classic"} & set(settings.arms):
        raise UsageError("--arms needs 'none' or 'classic', with which others are compared")
    for option, given in (("--unlabelled", settings.unlabelled is not None), ("--sweep", bool(settings.sweep))):
        if given and not settings.recipe.latent:
            raise UsageError(f"{option} is for recipes with latent steps; add one, or leave it out")


def _vae(settings: DownstreamSettings) -> Vae | None:
    if not settings.recipe.latent:
        return None
    name = settings.model or settings.recipe.model
    assert name is not None
    vae = load(name)
    if not isinstance(vae, Vae):
        raise UsageError(f"{name}: restores pictures; give a VAE of this set (safelight train)")
    if settings.per_class is not None and vae.card.classes:
        raise UsageError(
            f"{name}: was trained with the labels of all its pictures, which the arms do not have; "
            "train it with data.ignore_labels = true"
        )
    return vae


def _times(steps: Sequence[Step], factor: float) -> tuple[Step, ...]:
    """Latent steps with so many times the noise."""
    found = []
    for step in steps:
        most = {name: known.most for name, known in OPERATIONS[step.op].parameters.items()}
        times = {name: factor if name in NOISES else 1.0 for name in step.ranges}
        ranges = {n: (min(a * times[n], most[n]), min(b * times[n], most[n])) for n, (a, b) in step.ranges.items()}
        found.append(step.model_copy(update={"ranges": ranges}))
    return tuple(found)


def _trained(jobs: Sequence[Arm], workers: int) -> Iterator[ArmResult]:
    """In order; each on one thread."""
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(train_arm, jobs)
