"""What `safelight train` does for a set of pictures, from a recipe to a bundle."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from safelight.dataset import Form, ImageSet, Part, PixelTable, choose_form, identities, open_set, split
from safelight.dataset.split import UNREADABLE
from safelight.errors import UsageError, shown
from safelight.learn.images.data import Subset
from safelight.learn.images.finish import finish
from safelight.learn.images.objectives import Trainee
from safelight.learn.images.settings import ImageRecipe
from safelight.learn.images.sizes import build_model
from safelight.learn.images.task import ImageTask, build_critic
from safelight.learn.job import Tell, TrainJob
from safelight.learn.loop import train
from safelight.runtime.machine import cores

LISTED = 5
SUMMARY = ("neg_elbo_nats", "mse", "active_units", "latents")


class TrainingSet(NamedTuple):
    """A set, ready to be trained on."""

    form: Form
    classes: tuple[str, ...]
    labels: NDArray[np.int64] | None
    """Of every picture, if all have one."""
    of: dict[Part, Subset]

    @property
    def fingerprint(self) -> str:
        """Of who is in which part, in which order, with which label."""
        words = [(part, shelf.positions.tolist()) for part, shelf in self.of.items()]
        labels = None if self.labels is None else self.labels.tolist()
        return hashlib.sha256(json.dumps([words, labels, self.classes]).encode()).hexdigest()[:16]

    @property
    def train(self) -> Subset:
        """What is trained on."""
        return self.of["train"]


def train_images(job: TrainJob, recipe: ImageRecipe, tell: Tell) -> bool:
    """Train a VAE of a set of pictures, then export it. False if interrupted; raises UsageError and RecipeError."""
    if job.start:
        raise UsageError("--start is for restoration recipes in this version")
    source = job.data or recipe.data.folder
    if source is None:
        raise UsageError(f"{job.recipe}: names no data.folder; give --data")
    images = open_set(source)
    if recipe.data.ignore_labels:
        images = replace(images, items=tuple(replace(item, label=None) for item in images.items))
    shelves = open_shelves(images, recipe, job)
    torch.manual_seed(recipe.seed)
    vae = build_model(recipe, shelves.form, len(shelves.classes), len(shelves.train))
    model = Trainee(vae, build_critic(recipe, shelves.form.channels)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    run = job.folder(recipe.name)
    asked = {
        "recipe": recipe.model_dump(mode="json", exclude={"card": True, "data": {"folder"}}),
        "pixels": shelves.train.table.name,
        "split": shelves.fingerprint,
        "budget_s": job.limits.budget_s,
    }
    if not job.is_first:
        tell = _silent
    elif job.resume:
        run.resume(asked)
    else:
        run.start(asked)
    table = shelves.train.table
    _tell_of([images.items[k].name for k, known in enumerate(table.known) if known == UNREADABLE], "left out", tell)
    counts = {part: len(shelf) for part, shelf in shelves.of.items()}
    tell(
        f"{counts['train']} pictures to train on, {counts['validation']} to validate, {counts['test']} to test; "
        f"{shelves.form.width}x{shelves.form.height}, {'grey' if shelves.form.channels == 1 else 'colour'}; "
        f"{sum(p.numel() for p in vae.parameters()) / 1e6:.2f} M parameters, "
        f"{sum(np.prod(shape) for shape in vae.noise_shapes)} latents; run in {run.folder}"
    )
    task = ImageTask(recipe, model, shelves.train, shelves.of["validation"], len(shelves.classes))
    done = train(task, run, job.resume, job.limits)
    _tell_of(table.broken, "skipped", tell)
    if not done:
        tell(job.how_to_resume)
        return False
    if not job.is_first:
        return True
    bundle = finish(recipe, job.recipe, shelves.classes, shelves.labels, vae, shelves.of, run)
    measured = bundle.card.measured
    part = "test" if len(shelves.of["test"]) else "val"
    told = (f"{name} {measured[name]:g}" for name in (f"{part}_{what}" for what in SUMMARY) if name in measured)
    tell(f"bundle in {bundle.folder}: {', '.join(told)}")
    return True


def _tell_of(names: Sequence[str], what: str, tell: Tell) -> None:
    """Of pictures that cannot be read, if there are any."""
    if names:
        more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
        tell(f"{what}, since they cannot be read: {shown(', '.join(names[:LISTED]))}{more}")


def _silent(line: str) -> None:
    """What all processes but the first tell."""


def open_shelves(images: ImageSet, recipe: ImageRecipe, job: TrainJob) -> TrainingSet:
    """Hash, split and check a set; nothing but a few pictures is decoded yet. Raises UsageError."""
    data = recipe.data
    form = choose_form(images, data.size_px, data.channels, data.fit)
    known = identities(images, cores())
    parts = split(images, known, data.validation_share, data.test_share)
    if not parts["train"] or not parts["validation"]:
        raise UsageError(
            f"{len(images)} pictures give {len(parts['train'])} to train on, {len(parts['validation'])} to validate; "
            "each needs one: add pictures or change data.validation_share"
        )
    if recipe.model.conditional:
        _check_classes(images, parts["train"])
    number = {label: k for k, label in enumerate(images.classes)}
    known_labels = [number[item.label] for item in images.items if item.label is not None]
    labels = np.array(known_labels, dtype=np.int64) if len(known_labels) == len(images) else None
    table = PixelTable(images, known, form, job.cache, data.binarise_seed, job.workers or cores())
    asked = labels if recipe.model.conditional else None
    of: dict[Part, Subset] = {p: Subset(table, np.array(k, dtype=np.int64), asked) for p, k in parts.items()}
    return TrainingSet(form, images.classes, labels, of)


def _check_classes(images: ImageSet, training: Sequence[int]) -> None:
    """Raises UsageError for what cannot teach a model about classes."""
    counts = Counter(item.label for item in images.items)
    mend = "or set model.conditional = false"
    if counts[None]:
        raise UsageError(f"{counts[None]} pictures have no label, and the model is conditional; label them {mend}")
    if len(counts) == 1:
        raise UsageError(f"all pictures are of one class, '{next(iter(counts))}'; add another {mend}")
    known = {images.items[k].label for k in training}
    rare = [str(label) for label, count in counts.items() if count == 1 or label not in known]
    if rare:
        named = ", ".join(rare[:LISTED])
        raise UsageError(f"classes of a single picture, or of none to train on: {named}; add pictures {mend}")
