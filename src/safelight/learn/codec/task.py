"""A codec as a task: rate and distortion at random levels."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from safelight.ladder.codec import CodecNet
from safelight.learn.codec.data import Patches, PatchStream, calibration_patches
from safelight.learn.codec.recipe import CodecRecipe, StageSettings
from safelight.learn.codec.revive import revive
from safelight.learn.codec.validate import Held, validate, write_preview
from safelight.learn.device import autocast, on_device
from safelight.learn.seeds import torch_generator
from safelight.learn.store import PixelStore
from safelight.learn.task import Fetched, Group, Logged, Moment, timed

PEAK = 255.0
TYPICAL = 10.0


class CodecObjective(nn.Module):
    """J = λ 255² mse + bits per pixel, as log(J / J₀ + 1/2) with J₀ = 10 √λ, about what J is at each level.

    So a share of J counts alike at all levels, and a patch on which the codec fails cannot drown all others.
    """

    def __init__(self, model: CodecNet, stage: StageSettings, seed: int) -> None:
        super().__init__()
        self.model, self.stage, self.seed = model, stage, seed

    def forward(self, batch: Patches, moment: Moment) -> Logged:
        generator = torch_generator(self.seed, "rounding", moment.stage, moment.step)
        with autocast(self.stage.precision):
            out = self.model(batch.pixels, batch.level, generator)
        mse = (out.picture - batch.pixels).square().mean((1, 2, 3))
        bits_per_pixel = out.bits / batch.pixels[0, 0].numel()
        lambdas = self.model.lambdas(batch.level)
        price = (lambdas * PEAK**2 * mse + bits_per_pixel.sum(1)) / (TYPICAL * lambdas.sqrt())
        loss = torch.log(price + 0.5).mean()
        fine, coarse = bits_per_pixel.mean(0).unbind()
        return loss, {"bits_per_pixel": fine + coarse, "hyper_bits_per_pixel": coarse, "psnr_db": _psnr_db(mse)}


class CodecTask:
    """See `learn.task.TrainingTask`."""

    patience = 0

    def __init__(self, recipe: CodecRecipe, store: PixelStore, model: CodecNet) -> None:
        self.recipe, self.model = recipe, model
        self.seed, self.validate_every, self.log_every = recipe.seed, recipe.validate_every, recipe.log_every
        share = recipe.data.validation_share
        self.store = store.part(share, 1)
        self.held = Held.of(store.part(0, share).halves()[0])  # the other half measures

    @property
    def stages(self) -> Sequence[StageSettings]:
        return self.recipe.stages

    def trained(self, stage: int) -> list[nn.Parameter]:
        return list(self.model.parameters())

    def begin(self, stage: int) -> None:
        """Channels that the stage before has silenced begin anew."""
        revive(self.model, on_device(calibration_patches(self.recipe, self.store, self.model.levels)))

    def objective(self, stage: int, group: Group) -> nn.Module:
        return CodecObjective(self.model, self.stages[stage], self.seed)

    def batches(self, stage: int, start: int, group: Group) -> Iterator[Fetched]:
        return timed(self._batches(stage, start))

    def _batches(self, stage: int, start: int) -> Iterator[Patches]:
        settings = self.stages[stage]
        stream = PatchStream(
            store=self.store.at_least(settings.patch_px),
            seed=self.seed,
            stream=str(stage),
            patch_px=settings.patch_px,
            levels=self.model.levels,
            grey_share=self.recipe.data.grey_share,
        )
        for batch in stream.batches(start, settings.batch):
            pixels = batch.pixels.contiguous(memory_format=torch.channels_last)
            yield on_device(Patches(pixels, batch.level))

    def judged_by(self, stage: int) -> str | None:
        return None

    def validate(self, stage: int) -> dict[str, float]:
        return validate(self.model, self.held)

    def complaint(self, stage: int, scores: dict[str, float]) -> str | None:
        return None

    def preview(self, path: Path, stage: int) -> None:
        write_preview(self.model, self.held, path)


def _psnr_db(mse: Tensor) -> Tensor:
    return -10 * torch.log10(mse.clamp(min=1e-9)).mean()
