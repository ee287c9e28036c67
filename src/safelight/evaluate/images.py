"""A VAE of a set of pictures, measured in the field's own units.

ELBO            average over pictures of a lower bound of log p(x), one draw each
log-likelihood  the importance-weighted bound of K draws (Burda et al., ICLR 2016)
bits per dim    the negative of that over the number of values and ln 2

A Gaussian likelihood is a density: it is measured on (255 x + u) / 256 with u uniform in [0, 1), and log 256 is taken
from every value, which bounds the likelihood of 8-bit values from below (dequantisation: Theis et al., ICLR 2016).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from safelight import randomness
from safelight.evaluate.held_out import HeldOut
from safelight.metrics import coverage, distances, frechet_distance, kernel_distance, ssim
from safelight.runtime.images.vae import Array, Sampler, Vae

ACTIVE = 0.01
"""Variance over pictures of the posterior's mean above which a latent is active (Burda et al., ICLR 2016)."""
SHOWN = 10
SMALLEST_SET = 20
"""Pictures that a distance between sets needs."""
MOST_COMPARED = 2000
"""Pictures and samples of which sets are compared."""
NEAREST_OF, STRUCTURE_OF = 500, 1000
"""Pictures of which nearest neighbours are looked for, and SSIM is taken."""
AT_ONCE = 256
CLASSIFIER = "the features of the classifier trained on this set's labels"


@dataclass(frozen=True)
class Evaluation:
    """Numbers, each named with its unit, and pictures for the page."""

    numbers: dict[str, float]
    notes: tuple[str, ...]
    """What a person must know to read the numbers."""
    grids: dict[str, Array]
    """Title → (rows, columns, H, W, C) in [0, 1]."""


def evaluate_images(
    vae: Vae,
    held_out: HeldOut,
    draws: int = 100,
    likelihood_of: int = 200,
    samples: int = 1000,
    seed: int = 0,
    on_progress: Callable[[str], None] = lambda what: None,
) -> Evaluation:
    """Measure everything that a VAE of pictures promises.

    `draws` is K of the log-likelihood, which is taken of the first `likelihood_of` pictures.
    """
    pixels, labels = held_out.pixels, held_out.labels
    on_progress("reconstructions and ELBO")
    numbers = {"pictures": float(len(pixels))} | _passed(vae, pixels, labels, seed)
    on_progress(f"log-likelihood, {draws} draws")
    few, of_few = pixels[:likelihood_of], _first(labels, likelihood_of)
    told, shift = _told_to_likelihood(vae, few, seed)
    numbers["log_likelihood_nats"] = float(vae.score(told, of_few, draws, seed).log_likelihood_nats.mean()) + shift
    numbers |= {"log_likelihood_draws": float(draws), "log_likelihood_pictures": float(len(few))}
    values = math.prod(pixels.shape[1:])
    numbers["bits_per_dim"] = -numbers["elbo_nats"] / (values * math.log(2))
    numbers["bits_per_dim_by_log_likelihood"] = -numbers["log_likelihood_nats"] / (values * math.log(2))
    shown = pixels[:SHOWN] / np.float32(255)
    grids = {"Pictures above, reconstructions below": np.stack([shown, vae.reconstruct(shown, _first(labels, SHOWN))])}
    for sampler in get_args(Sampler):
        on_progress(f"samples: {sampler}")
        drawn = _samples(vae, labels, samples, sampler, seed)
        numbers |= {f"{sampler}_{name}": value for name, value in _compared(vae, pixels, drawn).items()}
        rows = max(1, min(3, len(drawn) // SHOWN))
        grids[f"Samples: {sampler}"] = drawn[: rows * SHOWN].reshape(rows, -1, *drawn.shape[1:])
    if held_out.training is not None:
        found, nearest = _memory(pixels, drawn, held_out.training)
        numbers |= found
        grids["Samples above, the training pictures nearest to them below"] = nearest
    return Evaluation(numbers, _notes(vae, pixels, held_out), grids)


def _passed(vae: Vae, pixels: NDArray[np.uint8], labels: NDArray[np.int64] | None, seed: int) -> dict[str, float]:
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
        told, shift = _told_to_likelihood(vae, block, seed + start)
        score = vae.score(told, of_class, 1, seed + start)
        elbos.append(score.elbo_nats + shift)
        distortions.append(-score.log_prob_nats[0] - shift)
        rates.append(np.stack([rate[0] for rate in score.rate_nats]))
    error = np.concatenate(squares)
    found = {
        "mse": float(error.mean()),
        "psnr_db": float((-10 * np.log10(np.maximum(error, 1e-10))).mean()),
        "ssim": float(np.mean(structure)),
        "elbo_nats": float(np.concatenate(elbos).mean()),
        "distortion_nats": float(np.concatenate(distortions).mean()),
    }
    found |= {f"rung{k + 1}_rate_nats": float(r) for k, r in enumerate(np.concatenate(rates, axis=1).mean(axis=1))}
    activity = np.concatenate(means).var(axis=0)
    return found | {"active_units": float((activity > ACTIVE).sum()), "latents": float(len(activity))}


def _first(labels: NDArray[np.int64] | None, count: int) -> list[int] | None:
    return None if labels is None else labels[:count].tolist()


def _told_to_likelihood(vae: Vae, pixels: NDArray[np.uint8], seed: int) -> tuple[Array, float]:
    """What the likelihood is asked about, and what is added to its logarithm, in nats per picture."""
    if vae.card.likelihood != "gaussian":
        return pixels.astype(np.float32) / np.float32(255), 0.0
    uniform = randomness.generator(seed, "dequantise").random(pixels.shape, dtype=np.float32)
    return np.minimum((pixels + uniform) / np.float32(256), 1), -math.prod(pixels.shape[1:]) * math.log(256)


def _notes(vae: Vae, pixels: NDArray[np.uint8], held_out: HeldOut) -> tuple[str, ...]:
    likelihoods = {
        "gaussian": "Likelihoods are of 8-bit values by uniform dequantisation, a lower bound.",
        "bernoulli": "Likelihoods are of binary pixels; there is no dequantisation.",
        "logistic_mixture": "Likelihoods are of 8-bit values, exactly; there is no dequantisation.",
    }
    own = vae.has_classifier
    notes = [
        likelihoods[vae.card.likelihood],
        f"Distances between sets are in the space of {CLASSIFIER if own else 'pixels'}: compare them within it only.",
        "Samples are means of p(x | z).",
        "Nearest neighbours are by the root mean square of pixel differences.",
        *vae.card.limits,
    ]
    if held_out.trained_on:
        notes.append(f"{held_out.trained_on} of these {len(pixels)} pictures were trained on.")
    return tuple(notes)


def _samples(vae: Vae, labels: NDArray[np.int64] | None, count: int, sampler: Sampler, seed: int) -> Array:
    """In the proportions of the pictures' classes, if the model takes classes."""
    of_class = None
    if labels is not None:
        of_class = randomness.generator(seed, "classes").choice(labels, count).tolist()
    return vae.sample(count, of_class, seed=seed, sampler=sampler)


def _compared(vae: Vae, pixels: NDArray[np.uint8], drawn: Array) -> dict[str, float]:
    """Of samples with pictures. Empty where there are too few."""
    count = min(len(pixels), len(drawn), MOST_COMPARED)
    if count < SMALLEST_SET:
        return {}
    pictures, samples = _features(vae, pixels[:count]), _features(vae, drawn[:count])
    precision, recall = coverage(pictures, samples)
    return {
        "frechet_distance": frechet_distance(pictures, samples),
        "kernel_distance": kernel_distance(pictures, samples),
        "precision": precision,
        "recall": recall,
    }


def _memory(
    pixels: NDArray[np.uint8], drawn: Array, training: NDArray[np.uint8]
) -> tuple[dict[str, float], NDArray[np.float32]]:
    """How near samples of the aggregate come to training pictures, and held-out pictures for comparison."""
    known = training.reshape(len(training), -1)
    found, rows = {}, np.zeros(0)
    for name, some in (("held_out", pixels[:NEAREST_OF]), ("samples", np.rint(255 * drawn[:NEAREST_OF]))):
        flat = some.reshape(len(some), -1)
        blocks = [distances(flat, known[k : k + AT_ONCE]) for k in range(0, len(known), AT_ONCE)]
        lengths = np.concatenate(blocks, axis=1) / (255 * math.sqrt(flat.shape[1]))
        found[f"nearest_training_rms_of_{name}"] = float(lengths.min(axis=1).mean())
        found[f"nearest_training_rms_of_{name}_lowest_5_percent"] = float(np.quantile(lengths.min(axis=1), 0.05))
        rows = lengths.argmin(axis=1)
    shown = rows[:SHOWN]
    nearest: NDArray[np.float32] = np.stack([drawn[: len(shown)], training[shown] / np.float32(255)])
    return found, nearest


def _features(vae: Vae, x: NDArray[Any]) -> Array:
    if vae.has_classifier:
        return vae.features(x)[0]
    scaled: Array = x.astype(np.float32) / np.float32(255 if x.dtype == np.uint8 else 1)
    return scaled.reshape(len(x), -1)
