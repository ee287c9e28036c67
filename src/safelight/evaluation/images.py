"""A VAE of a set of pictures, measured in the field's own units.

ELBO            average over pictures of a lower bound of log p(x), one draw each
log-likelihood  the importance-weighted bound of K draws (Burda et al., ICLR 2016)
bits per dim    the negative ELBO, or log-likelihood, over the number of values and ln 2

A Gaussian likelihood is a density. It is measured on (255 x + u) / 256 with u uniform in [0, 1), and log 256 is
subtracted for every value. The result is a lower bound for 8-bit values (dequantisation: Theis et al., ICLR 2016).
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from safelight import randomness
from safelight.evaluation.held_out import HeldOut
from safelight.metrics import coverage, distances, frechet_distance, kernel_distance, ssim
from safelight.runtime.images.vae import Array, Sampler, Vae
from safelight.work import OnProgress, Progress, silent

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
    pixels, labels, seed = held_out.pixels, held_out.labels, settings.seed
    samplers = get_args(Sampler)
    total = 2 + len(samplers) + (held_out.training is not None)
    on_progress(Progress(0, total, "reconstructions and ELBO"))
    numbers = {"pictures": float(len(pixels))} | _reconstructions(vae, pixels, labels, seed)
    on_progress(Progress(1, total, f"log-likelihood, {settings.draws} draws"))
    numbers |= _log_likelihood(vae, pixels, labels, settings)
    values = math.prod(pixels.shape[1:])
    numbers["bits_per_dim"] = -numbers["elbo_nats"] / (values * math.log(2))
    numbers["bits_per_dim_by_log_likelihood"] = -numbers["log_likelihood_nats"] / (values * math.log(2))
    shown = pixels[:SHOWN] / np.float32(255)
    grids = {"Pictures above, reconstructions below": np.stack([shown, vae.reconstruct(shown, _first(labels, SHOWN))])}
    drawn: dict[Sampler, Array] = {}
    for done, sampler in enumerate(samplers, 2):
        on_progress(Progress(done, total, f"samples: {sampler}"))
        samples = drawn[sampler] = _samples(vae, labels, settings, sampler)
        numbers |= {f"{sampler}_{name}": value for name, value in _distances(vae, pixels, samples).items()}
        rows = max(1, min(3, len(samples) // SHOWN))
        grids[f"Samples: {sampler}"] = samples[: rows * SHOWN].reshape(rows, -1, *samples.shape[1:])
    if held_out.training is not None:
        on_progress(Progress(total - 1, total, "nearest training pictures"))
        nearest_numbers, nearest = _nearest_training(pixels, drawn["aggregate"], held_out.training)
        numbers |= nearest_numbers
        grids["Samples above, the training pictures nearest to them below"] = nearest
    on_progress(Progress(total, total, "done"))
    return Evaluation(numbers, _notes(vae, pixels, held_out), grids)


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
        "elbo_nats": float(np.concatenate(elbos).mean()),
        "distortion_nats": float(np.concatenate(distortions).mean()),
    }
    numbers |= {f"rung{k}_rate_nats": float(r) for k, r in enumerate(np.concatenate(rates, axis=1).mean(axis=1), 1)}
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


def _samples(vae: Vae, labels: NDArray[np.int64] | None, settings: MeasureSettings, sampler: Sampler) -> Array:
    """In the proportions of the pictures' classes, if the model takes classes."""
    of_class = None
    if labels is not None:
        of_class = randomness.generator(settings.seed, "classes").choice(labels, settings.samples).tolist()
    return vae.sample(settings.samples, of_class, seed=settings.seed, sampler=sampler)


def _distances(vae: Vae, pixels: NDArray[np.uint8], drawn: Array) -> dict[str, float]:
    """Between samples and pictures. Empty where there are too few."""
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


def _nearest_training(
    pixels: NDArray[np.uint8], drawn: Array, training: NDArray[np.uint8]
) -> tuple[dict[str, float], NDArray[np.float32]]:
    """How near samples of the aggregate posterior come to training pictures, and held-out pictures for comparison.

    Also a grid of samples and the training pictures nearest to them.
    """
    trained = training.reshape(len(training), -1)
    numbers, rows = {}, np.zeros(0)
    for name, some in (("held_out", pixels[:NEAREST_OF]), ("samples", np.rint(255 * drawn[:NEAREST_OF]))):
        flat = some.reshape(len(some), -1)
        blocks = [distances(flat, trained[k : k + AT_ONCE]) for k in range(0, len(trained), AT_ONCE)]
        lengths = np.concatenate(blocks, axis=1) / (255 * math.sqrt(flat.shape[1]))
        numbers[f"nearest_training_rms_of_{name}"] = float(lengths.min(axis=1).mean())
        numbers[f"nearest_training_rms_of_{name}_lowest_5_percent"] = float(np.quantile(lengths.min(axis=1), 0.05))
        rows = lengths.argmin(axis=1)
    shown = rows[:SHOWN]
    nearest: NDArray[np.float32] = np.stack([drawn[: len(shown)], training[shown] / np.float32(255)])
    return numbers, nearest


def _features(vae: Vae, x: NDArray[Any]) -> Array:
    if vae.has_classifier:
        return vae.features(x)[0]
    scaled: Array = x.astype(np.float32) / np.float32(255 if x.dtype == np.uint8 else 1)
    return scaled.reshape(len(x), -1)
