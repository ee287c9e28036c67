"""From a finished run to a bundle: graphs, aggregate posterior, classifier, measurements, card."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from safelight.bundle import Bundle, Split, VaeCard, seal
from safelight.bundle.images import (
    AGGREGATE,
    CLASSIFIER_ACCURACY,
    FEATURES_GRAPH,
    TRAINING_IDENTITIES,
    DetailCard,
    PriorCard,
)
from safelight.dataset import Part
from safelight.dataset.split import DIGITS
from safelight.learn import checkpoint
from safelight.learn.images.aggregate import Draws, fit_aggregate_posterior
from safelight.learn.images.classify import accuracy_of, export_classifier, train_classifier
from safelight.learn.images.data import Subset
from safelight.learn.images.detail import validate_detail
from safelight.learn.images.export import export_graphs
from safelight.learn.images.objectives import Trainee
from safelight.learn.images.prior import validate_prior
from safelight.learn.images.recipe import ImagesRecipe
from safelight.learn.images.training_set import TrainingSet
from safelight.learn.images.validate import validate_images
from safelight.learn.run import RunFolder
from safelight.metrics import frechet_distance
from safelight.runtime.images.vae import Array, Sampler, Vae
from safelight.work import file_sha256

SMALLEST_SET, MOST_COMPARED = 20, 500
"""Held-out pictures that samples are compared with; if there are fewer, training pictures stand in."""
DETAIL_WORTH = 0.8
"""Samples get detail if their distance with it is at most this share of the distance without: it costs time, and small
gains in the features of the set's own classifier were losses in those of an independent one (docs/lab-notebook.md)."""
AUTOENCODER = "Trained without noise in the latents: do not sample with --sampler prior; the ELBO says nothing."


def finish(
    recipe: ImagesRecipe, pictures: TrainingSet, model: Trainee, run: RunFolder, recipe_path: Path
) -> Bundle[VaeCard]:
    """Export the weights that were judged best, and write `<run>/bundle`."""
    stage, folder = recipe.vae_stage, run.bundle
    model.load_state_dict(_weights(run, judged=recipe.stages[-1].is_judged), strict=False)  # buffers are not averaged
    vae = model.vae.eval().requires_grad_(False)
    folder.mkdir(exist_ok=True)
    measured = {"onnx_parity": export_graphs(model, folder)}
    train, labels = pictures.train, pictures.labels
    density = fit_aggregate_posterior(vae, train, labels, Draws(noisy=stage.beta > 0, seed=recipe.seed))
    density.save(folder / AGGREGATE)
    prefixes = [int(train.table.identities[k][:DIGITS], 16) for k in train.positions]
    np.save(folder / TRAINING_IDENTITIES, np.array(prefixes, dtype=np.uint64))
    measured |= _finish_classifier(recipe, pictures, model, folder)
    held_out = replace(pictures.parts["validation"], labels=labels)
    if model.detail is not None:
        measured |= validate_detail(model, pictures.parts["validation"], recipe.seed, is_noisy=stage.beta > 0)
    if model.prior is not None:
        measured |= validate_prior(model, held_out, recipe.seed, is_noisy=stage.beta > 0)
    named: tuple[tuple[Part, str], ...] = (("validation", "val_"), ("test", "test_"))
    for part, prefix in named:
        subset = pictures.parts[part]
        if len(subset):
            scores = validate_images(vae, subset, stage, recipe.seed)
            measured |= {name.replace("val_", prefix, 1): value for name, value in scores.items()}
    origin = _Origin(recipe_path, run.minutes, run.trained_with, finite(measured))
    bundle = seal(folder, _card(recipe, pictures, model, origin))
    if len(held_out) < SMALLEST_SET:
        return with_best_samples(bundle, replace(train, labels=labels), "train", recipe.seed)
    return with_best_samples(bundle, held_out, "val", recipe.seed)


def _finish_classifier(recipe: ImagesRecipe, pictures: TrainingSet, model: Trainee, folder: Path) -> dict[str, float]:
    """Write a classifier of the set's labels, trained now if it was not before; returns its accuracy."""
    (folder / FEATURES_GRAPH).unlink(missing_ok=True)
    if not pictures.known_classes:
        return {}
    own: tuple[Part, Part] = ("train", "validation")
    training, held_out = (replace(pictures.parts[part], labels=pictures.labels) for part in own)
    classifier = model.classifier
    if classifier is None:
        classifier = train_classifier(training, pictures.known_classes, recipe.seed)
    export_classifier(classifier.eval(), training, folder)
    return {CLASSIFIER_ACCURACY: accuracy_of(classifier, held_out)}


def with_best_samples(bundle: Bundle[VaeCard], subset: Subset, part: str, seed: int) -> Bundle[VaeCard]:
    """Say on the card which samples are nearest to pictures of a part: of which sampler, with detail or without.

    By the Fréchet distance in the features of the classifier. Without one that tells classes apart, they are means of
    the learned prior.
    """
    vae = Vae(bundle, threads=torch.get_num_threads())
    if not vae.knows_classes or vae.card.prior is None or len(subset) < SMALLEST_SET:
        return bundle
    pixels, rows = subset.pixels(np.arange(min(len(subset), MOST_COMPARED)))
    assert subset.labels is not None
    classes, known = subset.labels[rows].tolist(), vae.features(pixels)[0]

    def drawn(sampler: Sampler) -> Array:
        latents = vae.draw_latents(len(pixels), classes, seed=seed, sampler=sampler)
        return vae.decode(latents, classes if vae.card.conditional else None)

    def distance(pictures: Array) -> float:
        return frechet_distance(known, vae.features(pictures)[0])

    flow, aggregate = distance(drawn("flow")), distance(drawn("aggregate"))
    measured = {f"{part}_flow_frechet_distance": flow, f"{part}_aggregate_frechet_distance": aggregate}
    prior, detail = vae.card.prior.model_copy(update={"is_best": flow <= aggregate}), vae.card.detail
    if detail is not None:
        with_it = distance(vae.with_detail(drawn("flow" if flow <= aggregate else "aggregate"), seed))
        measured[f"{part}_detail_frechet_distance"] = with_it
        detail = detail.model_copy(update={"is_drawn": with_it <= DETAIL_WORTH * min(flow, aggregate)})
    changed = {"prior": prior, "detail": detail, "measured": vae.card.measured | finite(measured)}
    return seal(bundle.folder, vae.card.model_copy(update=changed))


def detail_in_words(card: VaeCard) -> str | None:
    """Whether samples get detail, and why; None for a model that has learned none."""
    if card.detail is None:
        return None
    parts = {"val": "held-out", "train": "training"}
    part = next((part for part in parts if f"{part}_detail_frechet_distance" in card.measured), None)
    if part is None:
        return "samples get no detail: without classes that can be told apart, nothing says whether it helps"
    flow, aggregate, with_it = (
        card.measured[f"{part}_{name}_frechet_distance"] for name in ("flow", "aggregate", "detail")
    )
    told = f"with it their distance to {parts[part]} pictures is {with_it:.3g}, without {min(flow, aggregate):.3g}"
    return f"samples get {'detail' if card.draws_detail else 'no detail'}: {told}"


def _weights(run: RunFolder, judged: bool) -> dict[str, Tensor]:
    """Those that were judged best, or the last averaged ones."""
    saved = checkpoint.find(run.checkpoint)
    assert saved is not None
    return load_file(run.best if judged and run.best.exists() else saved / "ema.safetensors")


def finite(measured: Mapping[str, float]) -> dict[str, float]:
    """Numbers as a card holds them: rounded, and none that is not finite."""
    return {name: float(f"{value:.7g}") for name, value in measured.items() if math.isfinite(value)}


class _Origin(NamedTuple):
    """Where a model comes from, and what it reaches."""

    recipe_path: Path
    minutes: float
    trained_with: str
    measured: dict[str, float]


def _card(recipe: ImagesRecipe, pictures: TrainingSet, model: Trainee, origin: _Origin) -> VaeCard:
    form, data = pictures.form, recipe.data
    counts = {part: len(subset) for part, subset in pictures.parts.items()}
    return VaeCard(
        name=recipe.name,
        task="images",
        summary=recipe.card.summary,
        height=form.height,
        width=form.width,
        channels=form.channels,  # type: ignore[arg-type]
        fit=form.fit,
        binarise_seed=data.binarise_seed,
        likelihood=recipe.model.likelihood,
        latents=tuple(shape for shape in model.vae.noise_shapes if shape[0]),
        classes=pictures.classes,
        conditional=recipe.model.conditional,
        prior=PriorCard(steps=recipe.prior.steps, guidance=recipe.prior.guidance) if model.prior is not None else None,
        detail=None if model.detail is None else DetailCard(steps=recipe.detail.steps, scale=model.detail.spread),
        split=Split(validation_share=data.validation_share, test_share=data.test_share, group_by=data.group_by),
        recipe=origin.recipe_path.name,
        recipe_sha256=file_sha256(origin.recipe_path),
        trained_on=f"{counts['train']} pictures; {counts['validation']} more to validate, {counts['test']} to test",
        training_minutes=round(origin.minutes, 1),
        trained_with=origin.trained_with,
        data_licences=recipe.card.data_licences,
        weights_licence=recipe.card.weights_licence,
        measured=origin.measured,
        limits=(*recipe.card.limits, *([] if recipe.vae_stage.beta else [AUTOENCODER])),
    )
