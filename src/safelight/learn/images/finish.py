"""From a finished run to a bundle: graphs, where the pictures lie, a classifier, measurements, card."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor

from safelight.bundle import Bundle, Split, VaeCard, seal
from safelight.dataset import Part
from safelight.dataset.split import DIGITS
from safelight.ladder.image_vae import ImageVae
from safelight.learn import checkpoint
from safelight.learn.images.aggregate import fit_aggregate_posterior
from safelight.learn.images.classify import export_classifier, train_classifier
from safelight.learn.images.data import Subset
from safelight.learn.images.export import export_graphs
from safelight.learn.images.settings import ImageRecipe
from safelight.learn.images.validate import validate_images
from safelight.learn.run import RunFolder
from safelight.runtime.machine import processor

AUTOENCODER = "Trained without noise in the latents: sample with --sampler aggregate; the ELBO says nothing."


def finish(
    recipe: ImageRecipe,
    recipe_path: Path,
    classes: tuple[str, ...],
    labels: NDArray[np.int64] | None,
    vae: ImageVae,
    shelves: Mapping[Part, Subset],
    run: RunFolder,
) -> Bundle[VaeCard]:
    """Export what was judged best, and write `<run>/bundle`. `labels` are of all rows, whether the model takes them."""
    last, train, validation = recipe.stages[-1], shelves["train"], shelves["validation"]
    vae.load_state_dict(_weights(run, judged=not last.adversarial))
    vae = vae.eval().requires_grad_(False)
    folder = run.bundle
    folder.mkdir(exist_ok=True)
    measured = {"onnx_parity": export_graphs(vae, folder)}
    fit_aggregate_posterior(vae, train, labels, last.beta > 0, recipe.seed).save(folder / "latents.npz")
    prefixes = [int(train.table.known[k][:DIGITS], 16) for k in train.positions]
    np.save(folder / "seen.npy", np.array(prefixes, dtype=np.uint64))
    (folder / "features.onnx").unlink(missing_ok=True)
    if labels is not None and len(classes) > 1:
        known, unseen = (replace(shelf, labels=labels) for shelf in (train, validation))
        classifier, accuracy = train_classifier(known, unseen, len(classes), recipe.seed)
        export_classifier(classifier, train, folder)
        measured["val_classifier_accuracy"] = accuracy
    measured |= validate_images(vae, validation, last, recipe.seed)
    if len(shelves["test"]):
        on_test = validate_images(vae, shelves["test"], last, recipe.seed)
        measured |= {name.replace("val_", "test_", 1): value for name, value in on_test.items()}
    return seal(folder, _card(recipe, recipe_path, classes, vae, shelves, run, measured))


def _weights(run: RunFolder, judged: bool) -> dict[str, Tensor]:
    """Of the VAE: those that were judged best, or the last averaged ones."""
    found = checkpoint.find(run.checkpoint)
    assert found is not None
    weights = load_file(run.best if judged and run.best.exists() else found / "ema.safetensors")
    return {name.removeprefix("vae."): tensor for name, tensor in weights.items() if name.startswith("vae.")}


def _card(
    recipe: ImageRecipe,
    recipe_path: Path,
    classes: tuple[str, ...],
    vae: ImageVae,
    shelves: Mapping[Part, Subset],
    run: RunFolder,
    measured: Mapping[str, float],
) -> VaeCard:
    form, data = shelves["train"].table.form, recipe.data
    counts = {part: len(shelf) for part, shelf in shelves.items()}
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
        latents=tuple(shape for shape in vae.noise_shapes if shape[0]),
        classes=classes,
        conditional=recipe.model.conditional,
        split=Split(validation_share=data.validation_share, test_share=data.test_share),
        recipe=recipe_path.name,
        recipe_sha256=hashlib.sha256(recipe_path.read_bytes()).hexdigest(),
        trained_on=f"{counts['train']} pictures; {counts['validation']} more to validate, {counts['test']} to test",
        training_minutes=round(run.minutes, 1),
        trained_with=f"{processor()}, {torch.get_num_threads()} threads",
        data_licences=recipe.card.data_licences,
        weights_licence=recipe.card.weights_licence,
        measured={name: float(f"{value:.7g}") for name, value in measured.items() if math.isfinite(value)},
        limits=(*recipe.card.limits, *([] if recipe.stages[-1].beta else [AUTOENCODER])),
    )
