"""The latents that are decoded: random draws, a way between two pictures, or one latent varied."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from safelight.errors import UsageError
from safelight.jobs.generate.settings import GenerateSettings
from safelight.picture import read
from safelight.runtime.images.vae import Array, Vae

LOWEST, HIGHEST = -3, 3
"""The ends of a traversal, in standard deviations of the prior."""


class Drawn(NamedTuple):
    """Latents, and how they came about."""

    latents: Sequence[Array]
    """One array (N, channels, h, w) for each rung."""
    facts: dict[str, Any]


def chosen_classes(vae: Vae, settings: GenerateSettings) -> list[int] | None:
    """One class for all pictures; without a name the classes in turn, if the model needs them. Raises UsageError."""
    classes, name = vae.card.classes, settings.class_name
    if name is not None and name not in classes:
        known = ", ".join(classes) or "none, the set had none"
        raise UsageError(f"class '{name}' is not known; use one of: {known}")
    if name is not None and settings.is_way and not vae.card.conditional:
        raise UsageError(f"{vae.card.name} is not conditional: a way through it has no class; leave --class out")
    if name is not None:
        return [classes.index(name)] * settings.count
    if not vae.card.conditional:
        return None
    if settings.is_way:
        raise UsageError(f"{vae.card.name} is conditional; give a way its --class: {', '.join(classes)}")
    return [k % len(classes) for k in range(settings.count)]


def draw(vae: Vae, settings: GenerateSettings, labels: list[int] | None) -> Drawn:
    """What the settings ask for. Raises UsageError, and PictureError for an end of a way that cannot be read."""
    if settings.interpolate is not None:
        return _interpolation(vae, settings, settings.interpolate, labels)
    if settings.traverse is not None:
        return _traversal(vae, settings, settings.traverse, labels)
    temperature, seed = settings.temperature, settings.seed
    sampler = vae.chosen(settings.sampler)
    latents = vae.draw_latents(settings.count, labels, temperature=temperature, seed=seed, sampler=sampler)
    return Drawn(latents, {"seed": seed, "temperature": temperature, "sampler": sampler})


def _interpolation(vae: Vae, settings: GenerateSettings, ends: tuple[Path, Path], labels: list[int] | None) -> Drawn:
    first, last = (vae.encode(vae.prepare([read(path)]), labels and labels[:1]) for path in ends)
    way = "linear" if settings.linear else "spherical"
    facts = {"from": str(ends[0]), "to": str(ends[1]), "steps": settings.count, "way": way, "seed": settings.seed}
    return Drawn(vae.interpolate(first, last, settings.count, spherical=not settings.linear), facts)


def _traversal(vae: Vae, settings: GenerateSettings, rank: int, labels: list[int] | None) -> Drawn:
    """One picture, its latent of that rank of activity moved from one end to the other."""
    order, count = np.argsort(-vae.aggregate_posterior.activity, kind="stable"), settings.count
    if rank > len(order):
        raise UsageError(f"--traverse {rank}: the model has {len(order)} latents")
    one = vae.draw_latents(1, labels and labels[:1], seed=settings.seed, sampler="aggregate")
    flat = np.concatenate([rung.reshape(1, -1) for rung in one], axis=1).repeat(count, axis=0)  # (N, all latents)
    flat[:, order[rank - 1]] = np.linspace(LOWEST, HIGHEST, count)
    ends = np.cumsum([rung.size for rung in one])[:-1]
    parts = np.split(flat.astype(np.float32), ends, axis=1)
    moved = [part.reshape(count, *rung.shape[1:]) for part, rung in zip(parts, one, strict=True)]
    return Drawn(moved, {"seed": settings.seed, "latent": int(order[rank - 1]), "steps": count})
