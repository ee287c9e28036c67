"""Train the flow of the detail that a frozen VAE leaves out of its pictures; see `ladder.detail`."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from safelight.ladder.detail import DetailFlow
from safelight.ladder.image_vae import ImageVae, VaeOutput
from safelight.ladder.prior import flow_time, on_the_path
from safelight.learn.device import autocast
from safelight.learn.images.data import Images, Subset
from safelight.learn.images.flow import follow
from safelight.learn.images.objectives import Trainee
from safelight.learn.images.recipe import ImagesRecipe, StageSettings
from safelight.learn.seeds import torch_generator
from safelight.learn.task import Group, Logged, Moment, part_of

PATCH_PX = 64
"""Larger pictures are learned in patches of this side: detail is a matter of neighbours."""
MOST_FOR_SCALE, MOST_VALIDATED = 512, 512
"""Pictures that the scale is taken from, and that validate."""
PREVIEW_STEPS = 4


class DetailObjective(nn.Module):
    """‖v(x_t, m, t) - (x_1 - x_0)‖² per value, where m is decoded from a draw from the posterior of the picture."""

    def __init__(self, trainee: Trainee, recipe: ImagesRecipe, stage: StageSettings, group: Group) -> None:
        super().__init__()
        self.trainee, self.recipe, self.stage, self.group = trainee, recipe, stage, group

    def forward(self, images: Images, moment: Moment) -> Logged:
        """`images` are this process's part of a batch."""
        generator = torch_generator(self.recipe.seed, "detail", moment.stage, moment.step)
        vae, batch = self.trainee.vae, self.group.size * len(images.x)
        noise = [part_of(n, self.group) for n in vae.draw_noise(batch, generator)]
        start = part_of(torch.randn(batch, *images.x.shape[1:], generator=generator), self.group)
        time = part_of(flow_time(batch, generator), self.group)
        rows, columns = (_stretch(side, generator) for side in images.x.shape[2:])
        mean = mean_of(vae, images, noise, is_noisy=self.recipe.vae_stage.beta > 0)  # in float32, as samples' are
        with autocast(self.stage.precision):
            x, mean, start = (whole[:, :, rows, columns] for whole in (images.x, mean, start))
            loss = detail_loss(detail_of(self.trainee), x, mean, start=start, time=time)
        return loss, {"detail_loss": loss}


def detail_of(trainee: Trainee) -> DetailFlow:
    """That of a model which has one."""
    assert trainee.detail is not None
    return trainee.detail


@torch.no_grad()
def mean_of(vae: ImageVae, images: Images, noise: Sequence[Tensor], is_noisy: bool) -> Tensor:
    """(B, C, H, W) in [0, 1]: the mean of p(x | z), where z is drawn from the posterior, or is its mean."""
    labels = images.labels if vae.context.of_class is not None else None
    output: VaeOutput = vae(images.x, [float(is_noisy) * n for n in noise], labels)
    return output.likelihood.mean.clamp(0, 1)


def detail_loss(flow: DetailFlow, x: Tensor, mean: Tensor, *, start: Tensor, time: Tensor) -> Tensor:
    """The mean over all values of the squared error of the velocity."""
    [place], [velocity] = on_the_path([start], [flow.to_units(x, mean)], time)
    error: Tensor = flow(place, mean, time) - velocity
    return error.square().mean()


@torch.inference_mode()
def fit_scale(trainee: Trainee, subset: Subset, seed: int, is_noisy: bool) -> None:
    """Give the flow the spread of each channel of the detail of training pictures."""
    generator, squares = torch_generator(seed, "detail scale"), []
    for images in subset.in_order(MOST_FOR_SCALE):
        mean = mean_of(trainee.vae, images, trainee.vae.draw_noise(len(images.x), generator), is_noisy)
        squares.append((images.x - mean).square().mean(dim=(2, 3)))
    detail_of(trainee).fit_scale(torch.cat(squares).mean(dim=0))


@torch.inference_mode()
def validate_detail(trainee: Trainee, subset: Subset, seed: int, is_noisy: bool) -> dict[str, float]:
    """The loss on held-out pictures, for the same noise, times and patches at each validation."""
    generator, losses, counts = torch_generator(seed, "detail validation"), [], []
    for images in subset.in_order(MOST_VALIDATED):
        mean = mean_of(trainee.vae, images, trainee.vae.draw_noise(len(images.x), generator), is_noisy)
        start = torch.randn(mean.shape, generator=generator)
        time = flow_time(len(mean), generator)
        rows, columns = (_stretch(side, generator) for side in mean.shape[2:])
        x, mean, start = (whole[:, :, rows, columns] for whole in (images.x, mean, start))
        losses.append(detail_loss(detail_of(trainee), x, mean, start=start, time=time))
        counts.append(len(x))
    weights = torch.tensor(counts, dtype=torch.float32)
    return {"val_detail_loss": float((torch.stack(losses) * weights).sum() / weights.sum())}


@torch.inference_mode()
def draw_detail(flow: DetailFlow, mean: Tensor, generator: torch.Generator) -> Tensor:
    """Means (B, C, H, W) with a detail, for previews."""
    mean = mean.clamp(0, 1)
    start = torch.randn(mean.shape, generator=generator)
    [detail] = follow([start], PREVIEW_STEPS, lambda x, time: [flow(x[0], mean, time)])
    return flow.added(mean, detail)


def _stretch(side: int, generator: torch.Generator) -> slice:
    """Where a patch lies along one side."""
    if side <= PATCH_PX:
        return slice(None)
    first = int(torch.randint(side - PATCH_PX + 1, (1,), generator=generator))
    return slice(first, first + PATCH_PX)
