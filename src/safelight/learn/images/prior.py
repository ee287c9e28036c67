"""Train the learned prior of a VAE whose weights no longer change; see `ladder.prior`."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from safelight.ladder.image_vae import ImageVae
from safelight.ladder.prior import LatentPrior, flow_time, on_the_path
from safelight.learn.device import autocast
from safelight.learn.images.data import Images, Subset
from safelight.learn.images.flow import follow
from safelight.learn.images.objectives import Trainee
from safelight.learn.images.recipe import ImagesRecipe, StageSettings
from safelight.learn.seeds import torch_generator
from safelight.learn.task import Group, Logged, Moment, part_of

MOST_FOR_UNITS, MOST_VALIDATED = 2048, 2048
"""Pictures that the units are taken from, and that validate."""


class PriorObjective(nn.Module):
    """‖v(x_t, t, c) - (x_1 - x_0)‖² per latent, where x_1 is drawn from the posteriors of pictures."""

    def __init__(self, trainee: Trainee, recipe: ImagesRecipe, stage: StageSettings, group: Group) -> None:
        super().__init__()
        self.trainee, self.recipe, self.stage, self.group = trainee, recipe, stage, group

    def forward(self, images: Images, moment: Moment) -> Logged:
        """`images` are this process's part of a batch, with classes if the set has some."""
        generator = torch_generator(self.recipe.seed, "prior", moment.stage, moment.step)
        vae, prior = self.trainee.vae, prior_of(self.trainee)
        pictures, repeats = self.group.size * len(images.x), self.recipe.prior.repeats
        batch = pictures * repeats
        noise = [part_of(n, self.group) for n in vae.draw_noise(pictures, generator)]
        start = [part_of(torch.randn(batch, *z.shape[1:], generator=generator), self.group, repeats) for z in noise]
        time = part_of(flow_time(batch, generator), self.group, repeats)
        lot = part_of(torch.rand(batch, generator=generator), self.group, repeats)
        dropped = lot < self.recipe.prior.drop_class_share
        label = labels_of(prior, images).repeat(repeats).masked_fill(dropped, prior.any_class)
        is_noisy = float(self.recipe.vae_stage.beta > 0)
        with autocast(self.stage.precision):
            with torch.no_grad():
                latents = draw_latents(vae, images, [is_noisy * n for n in noise])
            latents = [z.repeat(repeats, 1, 1, 1) for z in latents]
            loss = flow_loss(prior, latents, [n for n in start if n.shape[1]], time=time, label=label)
        return loss, {"flow_loss": loss}


def prior_of(trainee: Trainee) -> LatentPrior:
    """That of a model which has one."""
    assert trainee.prior is not None
    return trainee.prior


def labels_of(prior: LatentPrior, images: Images) -> Tensor:
    """(B,): the class of each picture, or "any"."""
    if images.labels is None or not prior.classes:
        return torch.full((len(images.x),), prior.any_class)
    return images.labels


def draw_latents(vae: ImageVae, images: Images, noise: Sequence[Tensor]) -> list[Tensor]:
    """Of every rung that has latents, fine to coarse."""
    labels = images.labels if vae.context.of_class is not None else None
    return vae.draw_latents(images.x, noise, labels)


def flow_loss(
    prior: LatentPrior, latents: Sequence[Tensor], start: Sequence[Tensor], time: Tensor, label: Tensor
) -> Tensor:
    """The mean over all latents of the squared error of the velocity."""
    places, velocities = on_the_path(start, prior.to_units(latents), time)
    errors = [
        (found - right).square().flatten(1) for found, right in zip(prior(places, time, label), velocities, strict=True)
    ]
    return torch.cat(errors, dim=1).mean()


@torch.inference_mode()
def fit_units(trainee: Trainee, subset: Subset, seed: int, is_noisy: bool) -> None:
    """Give the prior the mean and the spread of each channel of latents of training pictures."""
    prior_of(trainee).fit_units(_latents_of(trainee.vae, subset, MOST_FOR_UNITS, seed=seed, is_noisy=is_noisy))


def _latents_of(vae: ImageVae, subset: Subset, most: int, seed: int, is_noisy: bool) -> list[Tensor]:
    generator = torch_generator(seed, "prior units")
    found = []
    for images in subset.in_order(most):
        noise = [float(is_noisy) * n for n in vae.draw_noise(len(images.x), generator)]
        found.append(draw_latents(vae, images, noise))
    return [torch.cat(rung) for rung in zip(*found, strict=True)]


@torch.inference_mode()
def validate_prior(trainee: Trainee, subset: Subset, seed: int, is_noisy: bool) -> dict[str, float]:
    """The loss on held-out pictures, for the same noise and times at each validation."""
    prior, generator = prior_of(trainee), torch_generator(seed, "prior validation")
    losses, counts = [], []
    for images in subset.in_order(MOST_VALIDATED):
        noise = trainee.vae.draw_noise(len(images.x), generator)
        latents = draw_latents(trainee.vae, images, [float(is_noisy) * n for n in noise])
        start = [torch.randn(z.shape, generator=generator) for z in latents]
        time = flow_time(len(images.x), generator)
        losses.append(flow_loss(prior, latents, start, time=time, label=labels_of(prior, images)))
        counts.append(len(images.x))
    weights = torch.tensor(counts, dtype=torch.float32)
    return {"val_flow_loss": float((torch.stack(losses) * weights).sum() / weights.sum())}


@torch.inference_mode()
def sample_latents(prior: LatentPrior, start: Sequence[Tensor], label: Tensor, steps: int) -> list[Tensor]:
    """Latents of new pictures, for previews, without guidance."""
    return prior.from_units(follow(start, steps, lambda x, time: prior(x, time, label)))
