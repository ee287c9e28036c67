"""How a run is doing, on pictures that it never trains on."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from safelight.ladder.image_vae import ImageVae, importance_weighted_nats
from safelight.ladder.likelihoods import Gaussian, eight_bit_nats
from safelight.learn.images.data import Subset
from safelight.learn.images.detail import detail_of, draw_detail, mean_of
from safelight.learn.images.objectives import Trainee
from safelight.learn.images.prior import prior_of, sample_latents
from safelight.learn.images.recipe import StageSettings
from safelight.learn.seeds import torch_generator
from safelight.picture.sheet import save_rows

MOST = 2048
"""Pictures that are looked at."""
ACTIVE = 0.01
"""Variance over pictures of the posterior's mean above which a latent counts as active (Burda et al., ICLR 2016)."""
COLUMNS, MOST_CLASSES, PREVIEW_STEPS = 12, 10, 8
LN2 = float(np.log(2))


@torch.inference_mode()
def validate_images(vae: ImageVae, subset: Subset, stage: StageSettings, seed: int) -> dict[str, float]:
    """The ELBO by one draw, the squared error and the activity of the posterior's mean; averages over pictures.

    `val_loss` is what the stage minimises, without warm-up, free bits or critic, in nats per picture; of a density. All
    other nats are of 8-bit values.
    """
    generator = torch_generator(seed, "validation")
    distortions, rates, bounds, errors, means = [], [], [], [], []
    for x, labels in subset.in_order(MOST):
        noise = vae.draw_noise(len(x), generator)
        output = vae(x, [torch.zeros_like(n) for n in noise], labels)
        errors.append((output.likelihood.mean - x).square().flatten(1).mean(dim=1))
        means.append(torch.cat([latent.flatten(1) for latent in output.latents], dim=1))
        output = vae(x, noise, labels) if stage.beta else output
        eight_bit = eight_bit_nats(output.likelihood, x[0].numel())
        distortions.append(eight_bit - output.likelihood.log_prob(x).flatten(1).sum(dim=1))
        rates.append(torch.stack([kl.flatten(1).sum(dim=1) for kl in output.kl_nats]))
        more = (vae(x, vae.draw_noise(len(x), generator), labels) for _ in range(1, stage.importance_samples))
        weights = [output.log_weight_nats(x), *(again.log_weight_nats(x) for again in more)]
        bounds.append(importance_weighted_nats(torch.stack(weights)))
    distortion, of_rungs = float(torch.cat(distortions).mean()), torch.cat(rates, dim=1).mean(dim=1)
    rate, latents = float(of_rungs.sum()), torch.cat(means)
    scores = {"val_neg_elbo_nats": distortion + rate, "val_distortion_nats": distortion, "val_rate_nats": rate}
    scores |= {f"val_rung{k + 1}_rate_nats": float(r) for k, r in enumerate(of_rungs) if vae.ladder.latents[k]}
    bound = -float(torch.cat(bounds).mean())
    scores["val_loss"] = bound if stage.importance_samples > 1 else distortion - eight_bit + stage.beta * rate
    if not isinstance(output.likelihood, Gaussian):  # which is a density, of what was not dequantised
        scores["val_bits_per_dim"] = scores["val_neg_elbo_nats"] / (LN2 * x[0].numel())
    scores["val_mse"] = float(torch.cat(errors).mean())
    scores["val_active_units"] = float((latents.var(dim=0, correction=0) > ACTIVE).sum())
    scores["val_latents"] = float(latents.shape[1])
    return scores


@torch.inference_mode()
def write_preview(vae: ImageVae, subset: Subset, classes: int, path: Path) -> None:
    """Pictures, their reconstructions by the posterior's mean, and two rows of samples."""
    x, labels = subset.images(np.arange(COLUMNS) % len(subset))
    noise = vae.draw_noise(COLUMNS, torch_generator(0, "preview"))
    of_class = None if labels is None else torch.arange(COLUMNS) % classes
    samples = [vae.sample(vae.draw_noise(COLUMNS, torch_generator(k, "preview")), of_class).mean for k in (1, 2)]
    reconstructed = vae(x, [torch.zeros_like(n) for n in noise], labels).likelihood.mean
    rows = [("Held-out pictures", x), ("Their reconstructions", reconstructed)]
    _save([*rows, ("Samples of N(0, I), without a learned prior", samples[0]), ("", samples[1])], path)


@torch.inference_mode()
def write_detail_preview(trainee: Trainee, subset: Subset, path: Path) -> None:
    """Pictures, their means, and the means with a drawn detail."""
    images, generator = subset.images(np.arange(COLUMNS) % len(subset)), torch_generator(0, "detail preview")
    mean = mean_of(trainee.vae, images, trainee.vae.draw_noise(COLUMNS, generator), is_noisy=False)
    drawn = draw_detail(detail_of(trainee), mean, generator)
    rows = [("Held-out pictures", images.x), ("Their reconstructions", mean), ("The same with a drawn detail", drawn)]
    _save(rows, path)


@torch.inference_mode()
def write_prior_preview(trainee: Trainee, classes: Sequence[str], path: Path) -> None:
    """Rows of samples, one for each class; three of any class if there are none."""
    vae, prior = trainee.vae, prior_of(trainee)
    kind = "Samples" if trainee.detail is None else "Samples with detail"
    numbers = range(min(prior.classes, MOST_CLASSES)) if prior.classes else [prior.any_class] * 3
    rows = []
    for row, label in enumerate(numbers):
        generator, of_class = torch_generator(row, "prior preview"), torch.full((COLUMNS,), label)
        start = [n for n in vae.draw_noise(COLUMNS, generator) if n.shape[1]]
        latents = iter(sample_latents(prior, start, of_class, PREVIEW_STEPS))
        whole = [next(latents) if shape[0] else torch.zeros(COLUMNS, *shape) for shape in vae.noise_shapes]
        mean = vae.sample(whole, of_class if vae.context.of_class is not None else None).mean
        drawn = mean if trainee.detail is None else draw_detail(trainee.detail, mean, generator)
        rows.append((f"{kind}: {classes[label]}" if prior.classes else "" if row else kind, drawn))
    _save(rows, path)


def _save(rows: Sequence[tuple[str, Tensor]], path: Path) -> None:
    """Names, and (N, C, H, W) in [0, 1]."""
    save_rows([(name, pictures.permute(0, 2, 3, 1).cpu().numpy()) for name, pictures in rows], path)
