"""How a run is doing, on pictures that it never trains on."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from safelight.ladder.image_vae import ImageVae, importance_weighted_nats
from safelight.ladder.likelihoods import Gaussian
from safelight.learn.images.data import Subset
from safelight.learn.images.detail import detail_of, draw_detail, mean_of
from safelight.learn.images.objectives import Trainee
from safelight.learn.images.prior import prior_of, sample_latents
from safelight.learn.images.recipe import StageSettings
from safelight.learn.seeds import torch_generator
from safelight.picture.vips import to_vips

MOST = 2048
"""Pictures that are looked at."""
ACTIVE = 0.01
"""Variance over pictures of the posterior's mean above which a latent counts as active (Burda et al., ICLR 2016)."""
COLUMNS, MOST_CLASSES, PREVIEW_STEPS = 12, 10, 8
LN2 = float(np.log(2))


@torch.inference_mode()
def validate_images(vae: ImageVae, subset: Subset, stage: StageSettings, seed: int) -> dict[str, float]:
    """The ELBO by one draw, the squared error and the activity of the posterior's mean; averages over pictures.

    `val_loss` is what the stage minimises, without warm-up, free bits or critic, in nats per picture.
    """
    generator = torch_generator(seed, "validation")
    distortions, rates, bounds, errors, means = [], [], [], [], []
    for x, labels in subset.in_order(MOST):
        noise = vae.draw_noise(len(x), generator)
        output = vae(x, [torch.zeros_like(n) for n in noise], labels)
        errors.append((output.likelihood.mean - x).square().flatten(1).mean(dim=1))
        means.append(torch.cat([latent.flatten(1) for latent in output.latents], dim=1))
        output = vae(x, noise, labels) if stage.beta else output
        distortions.append(-output.likelihood.log_prob(x).flatten(1).sum(dim=1))
        rates.append(torch.stack([kl.flatten(1).sum(dim=1) for kl in output.kl_nats]))
        more = (vae(x, vae.draw_noise(len(x), generator), labels) for _ in range(1, stage.importance_samples))
        weights = [output.log_weight_nats(x), *(again.log_weight_nats(x) for again in more)]
        bounds.append(importance_weighted_nats(torch.stack(weights)))
    distortion, of_rungs = float(torch.cat(distortions).mean()), torch.cat(rates, dim=1).mean(dim=1)
    rate, latents = float(of_rungs.sum()), torch.cat(means)
    scores = {"val_neg_elbo_nats": distortion + rate, "val_distortion_nats": distortion, "val_rate_nats": rate}
    scores |= {f"val_rung{k + 1}_rate_nats": float(r) for k, r in enumerate(of_rungs) if vae.ladder.latents[k]}
    bound = -float(torch.cat(bounds).mean())
    scores["val_loss"] = bound if stage.importance_samples > 1 else distortion + stage.beta * rate
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
    rows = [x, vae(x, [torch.zeros_like(n) for n in noise], labels).likelihood.mean]
    rows += [vae.sample(vae.draw_noise(COLUMNS, torch_generator(k, "preview")), of_class).mean for k in (1, 2)]
    to_vips(grid(rows)).pngsave(str(path))


@torch.inference_mode()
def write_detail_preview(trainee: Trainee, subset: Subset, path: Path) -> None:
    """Pictures, their means, and the means with a drawn detail."""
    images, generator = subset.images(np.arange(COLUMNS) % len(subset)), torch_generator(0, "detail preview")
    mean = mean_of(trainee.vae, images, trainee.vae.draw_noise(COLUMNS, generator), is_noisy=False)
    to_vips(grid([images.x, mean, draw_detail(detail_of(trainee), mean, generator)])).pngsave(str(path))


@torch.inference_mode()
def write_prior_preview(trainee: Trainee, path: Path) -> None:
    """Rows of samples, one for each class; three of any class if there are none."""
    vae, prior = trainee.vae, prior_of(trainee)
    classes = range(min(prior.classes, MOST_CLASSES)) if prior.classes else [prior.any_class] * 3
    rows = []
    for row, label in enumerate(classes):
        generator, of_class = torch_generator(row, "prior preview"), torch.full((COLUMNS,), label)
        start = [n for n in vae.draw_noise(COLUMNS, generator) if n.shape[1]]
        latents = iter(sample_latents(prior, start, of_class, PREVIEW_STEPS))
        whole = [next(latents) if shape[0] else torch.zeros(COLUMNS, *shape) for shape in vae.noise_shapes]
        mean = vae.sample(whole, of_class if vae.context.of_class is not None else None).mean
        rows.append(mean if trainee.detail is None else draw_detail(trainee.detail, mean, generator))
    to_vips(grid(rows)).pngsave(str(path))


def grid(rows: list[Tensor]) -> NDArray[np.uint8]:
    """Rows of (N, C, H, W) in [0, 1] → one picture, (H, W, C) of uint8."""
    whole = torch.cat([torch.cat(list(row), dim=2) for row in rows], dim=1)
    pixels: NDArray[np.uint8] = np.rint(whole.clamp(0, 1).permute(1, 2, 0).cpu().numpy() * 255).astype(np.uint8)
    return pixels
