"""What samples of a VAE are worth: distances to pictures, classes, nearest training pictures, and plain sentences."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from safelight import randomness
from safelight.evaluation.held_out import HeldOut
from safelight.metrics import coverage, distances, frechet_distance, kernel_distance
from safelight.runtime.images.vae import Array, Sampler, Vae

SHOWN = 10
SMALLEST_SET = 20
"""Pictures that a distance between sets needs."""
MOST_COMPARED = 2000
"""Pictures and samples of which sets are compared."""
NEAREST_OF = 500
"""Pictures of which nearest neighbours are looked for."""
AT_ONCE = 256
MEMORISED, MISSED, SMOOTH = 0.7, 0.25, 0.7
"""Below these ratios a sentence says so: of distances, of a class's share, of fine detail."""


class Samples(NamedTuple):
    """New pictures of one sampler."""

    sampler: Sampler
    pictures: Array
    asked: NDArray[np.int64] | None
    """The class that each was asked to be of, if the sampler knows classes."""


def draw_samples(vae: Vae, labels: NDArray[np.int64] | None, sampler: Sampler, count: int, seed: int) -> Samples:
    """In the proportions of the pictures' classes, if the sampler knows classes."""
    knows = vae.card.conditional or sampler != "prior"
    asked = randomness.generator(seed, "classes").choice(labels, count) if labels is not None and knows else None
    pictures = vae.sample(count, None if asked is None else asked.tolist(), seed=seed, sampler=sampler)
    return Samples(sampler, pictures, asked)


def sample_numbers(vae: Vae, held_out: HeldOut, samples: Samples) -> dict[str, float]:
    """Distances between samples and pictures, and what the set's classifier sees.

    Empty where there are too few, or a classifier that cannot tell the classes apart.
    """
    pixels, drawn = held_out.pixels, samples.pictures
    count = min(len(pixels), len(drawn), MOST_COMPARED)
    if count < SMALLEST_SET or (vae.has_classifier and not vae.knows_classes):
        return {}
    of_pictures, of_samples = features(vae, pixels[:count]), features(vae, drawn[:count])
    precision, recall = coverage(of_pictures, of_samples)
    numbers = {
        "frechet_distance": frechet_distance(of_pictures, of_samples),
        "kernel_distance": kernel_distance(of_pictures, of_samples),
        "precision": precision,
        "recall": recall,
        "detail_ratio": _detail(drawn[:count])
        / max(1e-6, _detail(pixels[:count].astype(np.float32) / np.float32(255))),
    }
    return {f"{samples.sampler}_{name}": value for name, value in (numbers | _classes(vae, held_out, samples)).items()}


def _classes(vae: Vae, held_out: HeldOut, samples: Samples) -> dict[str, float]:
    """How often the classifier sees the class that was asked for, in samples and in pictures."""
    if samples.asked is None or held_out.labels is None or not vae.knows_classes:
        return {}
    seen, seen_in_pictures = (vae.features(x)[1].argmax(axis=1) for x in (samples.pictures, held_out.pixels))
    return {
        "class_agreement": float((seen == samples.asked).mean()),
        "class_agreement_of_pictures": float((seen_in_pictures == held_out.labels).mean()),
    }


def missed_classes(vae: Vae, held_out: HeldOut, samples: Samples) -> list[str]:
    """Names of classes that the classifier sees far more rarely in samples than in pictures."""
    if not vae.knows_classes:
        return []
    known = len(vae.card.classes)
    in_samples, in_pictures = (
        np.bincount(vae.features(x)[1].argmax(axis=1), minlength=known) / len(x)
        for x in (samples.pictures, held_out.pixels)
    )
    return [vae.card.classes[k] for k in range(known) if in_samples[k] < MISSED * in_pictures[k]]


def nearest_training(vae: Vae, held_out: HeldOut, samples: Samples) -> tuple[dict[str, float], Array]:
    """How near samples come to training pictures, and held-out pictures and their reconstructions for comparison.

    Reconstructions are as smooth as samples, or get a detail as samples do: the comparison with them is the fair one.
    Also a grid of samples and the training pictures nearest to them.
    """
    assert held_out.training is not None
    pixels = held_out.pixels[:NEAREST_OF]
    labels = held_out.labels_for(vae)
    reconstructed = vae.finished(vae.reconstruct(pixels, None if labels is None else labels[:NEAREST_OF].tolist()))
    numbers: dict[str, float] = {}
    rows = np.zeros(0, np.intp)
    compared = {"held_out": pixels, "reconstructions": np.rint(255 * reconstructed)}
    for name, some in (compared | {"samples": np.rint(255 * samples.pictures[:NEAREST_OF])}).items():
        rows, rms = nearest(some, held_out.training)
        numbers[f"nearest_training_rms_of_{name}"] = float(rms.mean())
        numbers[f"nearest_training_rms_of_{name}_lowest_5_percent"] = float(np.quantile(rms, 0.05))
    shown = rows[:SHOWN]
    grid: Array = np.stack([samples.pictures[: len(shown)], held_out.training[shown] / np.float32(255)])
    return numbers, grid


def nearest(some: NDArray[Any], pictures: NDArray[np.uint8]) -> tuple[NDArray[np.intp], NDArray[np.floating]]:
    """For each of `some`, from 0 to 255, which of `pictures` is nearest, and the root mean square of the difference.

    All are (N, H, W, C); white is 1 in the result.
    """
    flat, trained = some.reshape(len(some), -1), pictures.reshape(len(pictures), -1)
    blocks = [distances(flat, trained[k : k + AT_ONCE]) for k in range(0, len(trained), AT_ONCE)]
    rms = np.concatenate(blocks, axis=1) / (255 * math.sqrt(flat.shape[1]))
    return rms.argmin(axis=1), rms.min(axis=1)


def sentences(numbers: dict[str, float], samples: Samples, missed: list[str]) -> list[str]:
    """What a person must know of the samples of a sampler."""
    found = []
    near, fair = (
        numbers.get(f"nearest_training_rms_of_{name}_lowest_5_percent", math.nan)
        for name in ("samples", "reconstructions")
    )
    if near < MEMORISED * fair:
        found.append("Samples repeat training pictures: some are nearer to one than held-out pictures ever are.")
    if missed:
        found.append(f"Samples miss {'class' if len(missed) == 1 else 'classes'} {', '.join(missed)}.")
    detail = numbers.get(f"{samples.sampler}_detail_ratio", 1.0)
    if detail < SMOOTH:
        found.append(f"Samples look smoother than pictures: they have {detail:.0%} of the fine detail.")
    return found


def features(vae: Vae, x: NDArray[Any]) -> Array:
    """(N, F): of the classifier of the set's labels; pixels if there is none."""
    if vae.has_classifier:
        return vae.features(x)[0]
    scaled: Array = x.astype(np.float32) / np.float32(255 if x.dtype == np.uint8 else 1)
    return scaled.reshape(len(x), -1)


def _detail(x: Array) -> float:
    """The mean magnitude of what a pixel differs by from the mean of its four neighbours; (N, H, W, C)."""
    inner = x[:, 1:-1, 1:-1]
    around = (x[:, :-2, 1:-1] + x[:, 2:, 1:-1] + x[:, 1:-1, :-2] + x[:, 1:-1, 2:]) / 4
    return float(np.abs(inner - around).mean())
