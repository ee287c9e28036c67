"""Train a VAE of a set of pictures: from a recipe and the set to a bundle."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from safelight.dataset import finest_px, grouped, open_set
from safelight.dataset.split import UNREADABLE
from safelight.errors import UsageError, shown
from safelight.ladder.image_vae import ImageVae
from safelight.learn.images.finish import detail_in_words, finish
from safelight.learn.images.recipe import ImagesRecipe
from safelight.learn.images.sizes import build_model
from safelight.learn.images.task import ImageTask, build_trainee
from safelight.learn.images.training_set import LISTED, TrainingSet, open_training_set
from safelight.learn.job import TrainJob
from safelight.learn.loop import run_stages
from safelight.learn.run import RunFolder
from safelight.learn.settings import TrainReport

SUMMARY = ("neg_elbo_nats", "mse", "active_units", "latents")
"""What is told of a finished model, of the part that it was measured on."""

Recipe = ImagesRecipe


def train_task(job: TrainJob, recipe: ImagesRecipe) -> TrainReport:
    """Train a VAE of a set of pictures, then export it. Raises UsageError and RecipeError."""
    source = job.settings.data or recipe.data.folder
    if job.settings.start:
        raise UsageError("--start is for restoration recipes in this version")
    if source is None:
        raise UsageError(f"{job.settings.recipe}: names no data.folder; give --data")
    with job.first_alone():
        images = grouped(open_set(source, job.on_progress), recipe.data.group_by)
    if recipe.data.ignore_labels:
        images = replace(images, items=tuple(replace(item, label=None) for item in images.items))
    with job.first_alone():
        pictures = open_training_set(images, recipe, job.settings)
    torch.manual_seed(recipe.seed)
    vae = build_model(recipe, pictures.form, len(pictures.classes), len(pictures.train))
    model = build_trainee(recipe, vae, pictures)
    run = job.folder(recipe.name)
    _open_run(job, run, recipe, pictures)
    table = pictures.train.table
    unreadable = [k for k, identity in enumerate(table.identities) if identity == UNREADABLE]
    _tell_names(job, [images.items[k].name for k in unreadable], "left out")
    if others := images.others_in_words:
        job.tell(f"not looked at: {others}")
    _tell_sizes(job, run, pictures, vae)
    task = ImageTask(recipe, model, pictures)
    done = run_stages(task, run, job)
    _tell_names(job, table.broken, "skipped")
    if not done:
        return job.stopped(run)
    if not job.is_first:
        return TrainReport(run.folder, run.bundle, {})
    part = "test" if len(pictures.parts["test"]) else "val"
    bundle = finish(recipe, pictures, model, run, recipe_path=job.settings.recipe)
    if told := detail_in_words(bundle.card):
        job.tell(told)
    return job.finished(run, bundle, tuple(f"{part}_{name}" for name in SUMMARY))


def _open_run(job: TrainJob, run: RunFolder, recipe: ImagesRecipe, pictures: TrainingSet) -> None:
    """Begin or go on with a run folder, in one process of several."""
    asked = {
        "recipe": recipe.model_dump(mode="json", exclude={"card": True, "data": {"folder"}}),
        "pixels": pictures.train.table.name,
        "split": pictures.fingerprint,
        "budget_s": job.settings.budget_s,
    }
    if job.is_first and job.settings.resume:
        run.resume(asked)
    elif job.is_first:
        run.start(asked)


def _tell_names(job: TrainJob, names: Sequence[str], what: str) -> None:
    """Of pictures that cannot be read, if there are any."""
    if names:
        more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
        job.tell(f"{what}, since they cannot be read: {shown(', '.join(names[:LISTED]))}{more}")


def _tell_sizes(job: TrainJob, run: RunFolder, pictures: TrainingSet, vae: ImageVae) -> None:
    counts, form = {part: len(subset) for part, subset in pictures.parts.items()}, pictures.form
    job.tell(
        f"{counts['train']} pictures to train on, {counts['validation']} to validate, {counts['test']} to test; "
        f"{form.width}x{form.height}, {'grey' if form.channels == 1 else 'colour'}; "
        f"{sum(p.numel() for p in vae.parameters()) / 1e6:.2f} M parameters, "
        f"{sum(np.prod(shape) for shape in vae.noise_shapes)} latents; run in {run.folder}"
    )
    finest = finest_px(pictures.train.table.images, form) if form.height == form.width else form.width
    if finest < form.width:
        job.tell(
            f"pictures of {finest} px would hold nearly all detail of these: data.size_px = {finest} trains faster"
        )
    for part, subset in pictures.parts.items():
        missed = pictures.missed_classes(part) if len(subset) else []
        if missed:
            named = ", ".join(missed[:LISTED])
            job.tell(f"warning: part '{part}' has no picture of {named}; see 'Parts' in docs/data-sets.md")
