"""What `evaluate --downstream` does: labelled pictures drawn by seed, variants made, arms trained side by side."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safelight import randomness
from safelight.augment import AugmentRecipe, Bank, Sample, apply, draw
from safelight.augment.catalog import OPERATIONS
from safelight.augment.latent import LatentSpace
from safelight.augment.recipe import Step
from safelight.dataset import Form, ImageSet, PixelTable, choose_form, identities, open_set, split
from safelight.dataset.split import DIGITS, UNREADABLE
from safelight.errors import UsageError
from safelight.learn.downstream.arms import Arm, ArmResult, Bytes, Variants, train_arm
from safelight.runtime.machine import cores
from safelight.runtime.models import load
from safelight.runtime.vae import Vae

MOST_POOL, POOL_COPIES = 5000, 2
TEST_SHARE = 0.3
"""Of a set that names no parts and has no model that says how it was split."""
AT_ONCE = 512
NOISES = ("temperature", "spread")
"""Numbers of latent steps that a sweep multiplies."""


@dataclass(frozen=True)
class DownstreamSettings:
    """One comparison."""

    dataset: Path
    recipe: AugmentRecipe
    model: str | None = None
    test: Path | None = None
    """A set of its own to test on."""
    unlabelled: Path | None = None
    per_class: int | None = None
    """Labelled pictures of each class, drawn anew for each seed; None for all that train."""
    seeds: int = 5
    first_seed: int = 0
    steps: int = 800
    copies: int = 16
    """Variants of each labelled picture."""
    sweep: tuple[float, ...] = ()
    """Multiples of the recipe's latent noise that are tried, too."""
    cache: Path = Path(".cache/pixels")
    workers: int | None = None


@dataclass(frozen=True)
class Downstream:
    """What was measured, as plain data."""

    classes: tuple[str, ...]
    counts: dict[str, int]
    """labelled (of one seed), test, unlabelled, seen by the VAE"""
    balanced: bool
    """Whether the test's classes are about equally large."""
    results: tuple[ArmResult, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Set:
    pixels: Bytes
    labels: NDArray[np.int64]
    known: tuple[str, ...]


def run_downstream(settings: DownstreamSettings, on_progress: Callable[[str], None]) -> Downstream:
    """Raises UsageError for what makes no fair comparison."""
    _check(settings)
    vae = _vae(settings)
    images = open_set(settings.dataset)
    classes = images.classes
    form = vae.form if vae is not None else choose_form(images, settings.recipe.size_px, None, "crop")
    training, test = _parts(settings, images, form, vae)
    pool, notes = _pool(settings, form, test), _honest(settings, vae, training, test)
    latent = _steps(settings.recipe, latent=True)
    classic = tuple(_as_keys(step) for step in _steps(settings.recipe, latent=False))
    pool_variants = None
    if pool is not None and vae is not None:
        on_progress(f"variants of {len(pool)} unlabelled pictures")
        alone = [step for step in latent if step.op == "latent_noise"]
        if not alone:
            raise UsageError("unlabelled pictures have no class to mix or sample; add a latent_noise step")
        pool_variants = _variants(LatentSpace(vae), settings.recipe, alone, pool, None, POOL_COPIES, len(classes))
    jobs: list[Arm] = []
    for seed in range(settings.first_seed, settings.first_seed + settings.seeds):
        on_progress(f"seed {seed}: variants")
        chosen = _labelled(settings, training, len(classes), seed)
        pixels, labels = training.pixels[chosen], training.labels[chosen]
        plain = Arm("none", seed, len(classes), settings.steps, pixels, labels, test.pixels, test.labels)
        jobs += [plain, _duplicated(plain, settings.copies)]
        moved = replace(plain, name="classic", classic=classic)
        jobs += [moved] if classic else []
        jobs += [replace(moved, name="classic_pool", pool=pool)] if classic and pool is not None else []
        if vae is None:
            continue
        names = tuple(training.known[k] for k in chosen)
        bank = Bank(names, tuple(classes[k] for k in labels), pixels)
        for factor in (None, *settings.sweep):
            steps = _times(latent, factor)
            made = _variants(
                LatentSpace(vae, bank), settings.recipe, steps, pixels, bank, settings.copies, len(classes), classes
            )
            arm = replace(plain, name="vae", variants=made, noise=factor)
            jobs += [arm] if factor is None or not classic else []
            jobs += [replace(arm, name="classic_vae", classic=classic)] if classic else []
            if classic and pool is not None and factor is None:
                jobs.append(
                    replace(arm, name="classic_vae_pool", classic=classic, pool=pool, pool_variants=pool_variants)
                )
    results = []
    for done, result in enumerate(_trained(jobs, settings.workers or cores()), 1):
        on_progress(f"{done} of {len(jobs)}: {result.name}, seed {result.seed}: {result.accuracy:.3f}")
        results.append(result)
    sizes = np.bincount(test.labels, minlength=len(classes))
    counts = {
        "labelled": len(_labelled(settings, training, len(classes), 0)),
        "test": len(test.labels),
        "unlabelled": 0 if pool is None else len(pool),
        "seen_by_vae": 0 if vae is None else len(vae.seen),
    }
    return Downstream(classes, counts, bool(sizes.max() <= 1.5 * max(1, sizes[sizes > 0].min())), tuple(results), notes)


def as_dict(result: ArmResult) -> dict[str, Any]:
    """For JSON."""
    return result._asdict() | {"balanced_accuracy": result.balanced_accuracy}


def _check(settings: DownstreamSettings) -> None:
    if settings.seeds < 2:
        raise UsageError(f"{settings.seeds} seeds give no interval; take 2 or more, 5 for a verdict")
    if settings.recipe.guard is not None:
        raise UsageError("[guard] is for 'safelight augment'; take it out to compare arms, or augment first")
    if settings.recipe.latent and (settings.model or settings.recipe.model) is None:
        raise UsageError(f"{settings.recipe.latent[0]} needs a model; give --model, or model = ... in the recipe")
    if settings.unlabelled is not None and not settings.recipe.latent:
        raise UsageError("--unlabelled is for recipes with latent steps; add one, or leave it out")


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


def _steps(recipe: AugmentRecipe, latent: bool) -> tuple[Step, ...]:
    return tuple(step for step in recipe.steps if (OPERATIONS[step.op].kind == "latent") == latent)


def _times(steps: Sequence[Step], factor: float | None) -> tuple[Step, ...]:
    """Latent steps with so many times the noise."""
    if factor is None:
        return tuple(steps)
    found = []
    for step in steps:
        takes = OPERATIONS[step.op].parameters
        ranges = {
            name: (min(low * factor, takes[name].most), min(high * factor, takes[name].most))
            if name in NOISES
            else (low, high)
            for name, (low, high) in step.ranges.items()
        }
        found.append(step.model_copy(update={"ranges": ranges}))
    return tuple(found)


def _parts(settings: DownstreamSettings, images: ImageSet, form: Form, vae: Vae | None) -> tuple[_Set, _Set]:
    """Pictures to draw labelled ones from, and those to test on."""
    bare = sum(item.label is None for item in images.items)
    if bare or len(images.classes) < 2:
        raise UsageError(
            f"{settings.dataset}: {bare} pictures have no label, {len(images.classes)} classes; label them all"
        )
    known = identities(images, cores())
    share = vae.card.split.test_share if vae is not None else TEST_SHARE
    own = settings.test is not None
    parts = split(images, known, 0.0, 0.0 if own else share or TEST_SHARE)
    training = _opened(images, known, (*parts["train"], *parts["validation"]), form, settings.cache, images.classes)
    if settings.test is not None:
        others = open_set(settings.test)
        strange = sorted(set(others.classes) - set(images.classes))
        if strange:
            raise UsageError(f"{settings.test}: has classes that {settings.dataset} does not: {', '.join(strange[:5])}")
        of_others = identities(others, cores())
        test = _opened(others, of_others, range(len(others)), form, settings.cache, images.classes)
    else:
        test = _opened(images, known, parts["test"], form, settings.cache, images.classes)
    twice = set(training.known) & set(test.known)
    if twice:
        raise UsageError(f"{len(twice)} test pictures are among those to train on; take them out of one")
    if len(test.labels) < 2 * len(images.classes):
        raise UsageError(f"{len(test.labels)} pictures to test on are too few; give --test SET")
    return training, test


def _opened(
    images: ImageSet, known: Sequence[str], positions: Sequence[int], form: Form, cache: Path, classes: Sequence[str]
) -> _Set:
    table = PixelTable(images, known, form, cache, workers=cores())
    wanted = sorted((k for k in positions if known[k] != UNREADABLE), key=known.__getitem__)
    sound = [k for k, fine in zip(wanted, table.sound(wanted), strict=True) if fine] if wanted else []
    number = {name: k for k, name in enumerate(classes)}
    labels = np.array([number.get(str(images.items[k].label), -1) for k in sound], dtype=np.int64)
    pixels = (
        table.rows(sound).copy() if sound else np.zeros((0, form.height, form.width, form.channels), dtype=np.uint8)
    )
    return _Set(pixels, labels, tuple(known[k] for k in sound))


def _pool(settings: DownstreamSettings, form: Form, test: _Set) -> Bytes | None:
    """Unlabelled pictures, a fair sample of at most `MOST_POOL`; none that is tested on."""
    if settings.unlabelled is None:
        return None
    images = open_set(settings.unlabelled)
    known = identities(images, cores())
    tested = set(test.known)
    chosen = sorted((k for k in range(len(images)) if known[k] not in tested), key=known.__getitem__)[:MOST_POOL]
    pool = _opened(images, known, chosen, form, settings.cache, ()).pixels
    if not len(pool):
        raise UsageError(f"{settings.unlabelled}: holds no readable picture beside those to test on; give others")
    return pool


def _honest(settings: DownstreamSettings, vae: Vae | None, training: _Set, test: _Set) -> tuple[str, ...]:
    """What a reader must know of what the VAE has seen. Raises UsageError if that is the test."""
    if vae is None:
        return ()
    tested = len({int(known[:DIGITS], 16) for known in test.known} & vae.seen)
    if tested:
        raise UsageError(
            f"{vae.card.name} was trained on {tested} of the {len(test.known)} test pictures; train it without them "
            "(data.test_share, or a set without them)"
        )
    notes = []
    if settings.per_class is not None:
        notes.append(f"The VAE was trained on {len(vae.seen)} pictures without their labels; the arms have few labels.")
    return tuple(notes)


def _labelled(settings: DownstreamSettings, training: _Set, classes: int, seed: int) -> NDArray[np.int64]:
    """So many of each class. Raises UsageError if a class has fewer."""
    if settings.per_class is None:
        return np.arange(len(training.labels))
    found = []
    for number in range(classes):
        members = np.flatnonzero(training.labels == number)
        if len(members) < settings.per_class:
            raise UsageError(
                f"a class has {len(members)} pictures to train on; use --per-class {len(members)} or fewer"
            )
        rng = randomness.generator(seed, "labelled", number)
        found.append(np.sort(rng.choice(members, settings.per_class, replace=False)))
    return np.concatenate(found)


def _duplicated(arm: Arm, copies: int) -> Arm:
    pixels = np.repeat(arm.train, copies + 1, axis=0)
    return replace(arm, name="duplicates", train=pixels, labels=np.repeat(arm.labels, copies + 1))


def _variants(
    space: LatentSpace,
    recipe: AugmentRecipe,
    steps: Sequence[Step],
    pixels: Bytes,
    bank: Bank | None,
    copies: int,
    classes: int,
    names: Sequence[str] = (),
) -> Variants:
    """By the latent steps alone; classic ones are taken anew at each sight."""
    recipe = recipe.model_copy(update={"steps": tuple(steps)})
    labels = bank.labels if bank is not None else None
    wants = [(k, copy) for k in range(len(pixels)) for copy in range(copies)]
    made, targets = np.zeros((len(pixels), copies, *pixels.shape[1:]), dtype=np.uint8), None
    if names:
        targets = np.zeros((len(pixels), copies, classes), dtype=np.float32)
    for start in range(0, len(wants), AT_ONCE):
        some = wants[start : start + AT_ONCE]
        samples = [Sample(pixels[k], labels[k] if labels else None) for k, _ in some]
        identity = [(bank.names[k] if bank else str(k), copy) for k, copy in some]
        records = [draw(recipe, 0, one, s.label, bank) for one, s in zip(identity, samples, strict=True)]
        for (k, copy), done in zip(some, apply(samples, records, space=space), strict=True):
            made[k, copy] = done.image
            if targets is not None:
                for name, weight in (done.soft_label or {str(done.label): 1.0}).items():
                    targets[k, copy, names.index(name)] = weight
    return Variants(made, targets)


def _trained(jobs: Sequence[Arm], workers: int) -> Iterator[ArmResult]:
    """In order; each on one thread."""
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(train_arm, jobs)


def _as_keys(step: Step) -> dict[str, Any]:
    return {"op": step.op, "probability": step.probability, **{name: list(ends) for name, ends in step.ranges.items()}}
