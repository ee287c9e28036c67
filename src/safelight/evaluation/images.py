"""A VAE of a set of pictures, measured in the field's own units.

negative ELBO   average over pictures of an upper bound of -log p(x), one draw each: distortion and rates
log-likelihood  the importance-weighted bound of K draws (Burda et al., ICLR 2016)
bits per dim    the negative ELBO, or log-likelihood, over the number of values and ln 2

A Gaussian likelihood is a density. It is measured on (255 x + u) / 256 with u uniform in [0, 1), and log 256 is
subtracted for every value. The result is a lower bound for 8-bit values (dequantisation: Theis et al., ICLR 2016).
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from safelight import randomness
from safelight.evaluation.held_out import HeldOut
from safelight.evaluation.samples import (
    AT_ONCE,
    SHOWN,
    SMALLEST_SET,
    draw_samples,
    missed_classes,
    nearest_training,
    sample_numbers,
    sentences,
)
from safelight.metrics import ssim
from safelight.runtime.images.vae import Array, Vae
from safelight.work import OnProgress, Progress, silent

ACTIVE = 0.01
"""Variance over pictures of the posterior's mean above which a latent is active (Burda et al., ICLR 2016)."""
STRUCTURE_OF = 1000
"""Pictures of which SSIM is taken."""
UNRELIABLE = (
    "Samples are not compared with pictures: the classifier of this set's labels is hardly better than chance, so its "
    "features say nothing."
)
CLASSIFIER = "the features of the classifier trained on this set's labels"


class MeasureSettings(NamedTuple):
    """How much is measured, and from which seed."""

    draws: int
    """K of the log-likelihood."""
    likelihood_of: int
    """The log-likelihood is taken of the first so many pictures."""
    samples: int
    """From each sampler."""
    seed: int


@dataclass(frozen=True)
class Evaluation:
    """Numbers, each named with its unit, and pictures for the page."""

    numbers: dict[str, float]
    notes: tuple[str, ...]
    """What a person must know to read the numbers."""
    grids: dict[str, Array]
    """Title → (rows, columns, H, W, C) in [0, 1]."""


def evaluate_images(
    vae: Vae, held_out: HeldOut, settings: MeasureSettings, on_progress: OnProgress = silent
) -> Evaluation:
    """Measure everything that a VAE of pictures promises."""
    pixels, seed = held_out.pixels, settings.seed
    labels = held_out.labels_for(vae)
    total = 2 + len(vae.samplers) + (held_out.training is not None)
    on_progress(Progress(0, total, "reconstructions and ELBO"))
    numbers = {"pictures": float(len(pixels))} | _reconstructions(vae, pixels, labels, seed)
    on_progress(Progress(1, total, f"log-likelihood, {settings.draws} draws"))
    numbers |= _log_likelihood(vae, pixels, labels, settings)
    values = math.prod(pixels.shape[1:])
    numbers["bits_per_dim"] = numbers["neg_elbo_nats"] / (values * math.log(2))
    numbers["bits_per_dim_by_log_likelihood"] = -numbers["log_likelihood_nats"] / (values * math.log(2))
    shown = pixels[:SHOWN] / np.float32(255)
    grids = {"Pictures above, reconstructions below": np.stack([shown, vae.reconstruct(shown, _first(labels, SHOWN))])}
    drawn = []
    for done, sampler in enumerate(vae.samplers, 2):
        on_progress(Progress(done, total, f"samples: {sampler}"))
        drawn.append(draw_samples(vae, held_out.labels, sampler, count=settings.samples, seed=seed))
        numbers |= sample_numbers(vae, held_out, drawn[-1])
        pictures = drawn[-1].pictures
        rows = max(1, min(3, len(pictures) // SHOWN))
        grids[f"Samples: {sampler}"] = pictures[: rows * SHOWN].reshape(rows, -1, *pictures.shape[1:])
    best = drawn[0]
    if held_out.training is not None:
        on_progress(Progress(total - 1, total, "nearest training pictures"))
        nearest_numbers, nearest = nearest_training(vae, held_out, best)
        numbers |= nearest_numbers
        grids["Samples above, the training pictures nearest to them below"] = nearest
    on_progress(Progress(total, total, "done"))
    told = sentences(numbers, best, missed_classes(vae, held_out, best))
    return Evaluation(numbers, (*told, *_notes(vae, pixels, held_out)), grids)


def _reconstructions(
    vae: Vae, pixels: NDArray[np.uint8], labels: NDArray[np.int64] | None, seed: int
) -> dict[str, float]:
    """What one pass over the pictures says, block by block, so that memory does not grow with them."""
    squares, structure, elbos, distortions, rates, means = [], [], [], [], [], []
    for start in range(0, len(pixels), AT_ONCE):
        block = pixels[start : start + AT_ONCE]
        of_class = None if labels is None else labels[start : start + AT_ONCE].tolist()
        x = block.astype(np.float32) / np.float32(255)
        latents = vae.encode(x, of_class)
        means.append(np.concatenate([rung.reshape(len(x), -1) for rung in latents], axis=1))
        reconstructed = vae.decode(latents, of_class)
        squares.append(np.square(x - reconstructed).mean(axis=(1, 2, 3), dtype=np.float64))
        structure += [ssim(a, b) for a, b in zip(reconstructed, x, strict=True)] if start < STRUCTURE_OF else []
        scored, shift_nats = _for_likelihood(vae, block, seed + start)
        score = vae.score(scored, of_class, 1, seed + start)
        elbos.append(score.elbo_nats + shift_nats)
        distortions.append(-score.log_prob_nats[0] - shift_nats)
        rates.append(np.stack([rate[0] for rate in score.rate_nats]))
    error = np.concatenate(squares)
    numbers = {
        "mse": float(error.mean()),
        "psnr_db": float((-10 * np.log10(np.maximum(error, 1e-10))).mean()),
        "ssim": float(np.mean(structure)),
        "neg_elbo_nats": -float(np.concatenate(elbos).mean()),
        "distortion_nats": float(np.concatenate(distortions).mean()),
    }
    scales = [round(math.log2(vae.card.width / shape[2])) for shape in vae.card.latents]
    of_rungs = np.concatenate(rates, axis=1).mean(axis=1)
    numbers |= {f"rung{scale}_rate_nats": float(rate) for scale, rate in zip(scales, of_rungs, strict=True)}
    activity = np.concatenate(means).var(axis=0)
    return numbers | {"active_units": float((activity > ACTIVE).sum()), "latents": float(len(activity))}


def _log_likelihood(
    vae: Vae, pixels: NDArray[np.uint8], labels: NDArray[np.int64] | None, settings: MeasureSettings
) -> dict[str, float]:
    """Of the first pictures."""
    few, of_few = pixels[: settings.likelihood_of], _first(labels, settings.likelihood_of)
    scored, shift_nats = _for_likelihood(vae, few, settings.seed)
    score = vae.score(scored, of_few, settings.draws, settings.seed)
    return {
        "log_likelihood_nats": float(score.log_likelihood_nats.mean()) + shift_nats,
        "log_likelihood_draws": float(settings.draws),
        "log_likelihood_pictures": float(len(few)),
    }


def _first(labels: NDArray[np.int64] | None, count: int) -> list[int] | None:
    return None if labels is None else labels[:count].tolist()


def _for_likelihood(vae: Vae, pixels: NDArray[np.uint8], seed: int) -> tuple[Array, float]:
    """Pictures as the likelihood takes them, and what is added to its logarithm, in nats per picture."""
    if vae.card.likelihood != "gaussian":
        return pixels.astype(np.float32) / np.float32(255), 0.0
    uniform = randomness.generator(seed, "dequantise").random(pixels.shape, dtype=np.float32)
    return np.minimum((pixels + uniform) / np.float32(256), 1), -math.prod(pixels.shape[1:]) * math.log(256)


def _notes(vae: Vae, pixels: NDArray[np.uint8], held_out: HeldOut) -> tuple[str, ...]:
    likelihoods = {
        "gaussian": "Likelihoods are of 8-bit values, and a lower bound (uniform dequantisation).",
        "bernoulli": "Likelihoods are of binary pixels; there is no dequantisation.",
        "logistic_mixture": "Likelihoods are of 8-bit values, exactly; there is no dequantisation.",
    }
    space = CLASSIFIER if vae.has_classifier else "pixels"
    distances = f"Distances between sets are in the space of {space}: compare them within it only."
    notes = [
        likelihoods[vae.card.likelihood],
        distances if vae.knows_classes or not vae.has_classifier else UNRELIABLE,
        "Samples have a drawn detail."
        if vae.card.draws_detail
        else "Samples have no drawn detail, so they are smooth.",
        "Nearest neighbours are by the root mean square of pixel differences.",
        *vae.card.limits,
    ]
    if len(pixels) < SMALLEST_SET:
        notes.append(
            f"Samples are not compared with pictures: that needs {SMALLEST_SET} pictures, and these are fewer."
        )
    if held_out.trained_on:
        notes.append(f"{held_out.trained_on} of these {len(pixels)} pictures were trained on.")
    return tuple(notes)
