"""How a run is doing, on pictures that it never trains on."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from safelight.degrade import Chain, DegradeStep
from safelight.ladder.restorer import RestorerNet
from safelight.learn.device import on_device, training_device
from safelight.learn.restore.data import Pair, recipe_batch, validation_batch
from safelight.learn.restore.objectives import draw_noise
from safelight.learn.restore.recipe import RestoreRecipe
from safelight.learn.store import PixelStore

CROP_PX = 128
SAMPLES = 4
PART = 8
"""Of a batch, at a time."""
CHAINS: dict[str, Chain] = {
    "noise15": [DegradeStep.fixed("gaussian_noise", sigma_255=15)],
    "noise25": [DegradeStep.fixed("gaussian_noise", sigma_255=25)],
    "noise50": [DegradeStep.fixed("gaussian_noise", sigma_255=50)],
    "clipped50": [DegradeStep.fixed("gaussian_noise", sigma_255=50), DegradeStep("quantise")],
    "jpeg10": [DegradeStep.fixed("jpeg", quality=10)],
    "jpeg30": [DegradeStep.fixed("jpeg", quality=30)],
    "clean": [DegradeStep("quantise")],
}


def build_validation(store: PixelStore, recipe: RestoreRecipe) -> dict[str, Pair]:
    """One batch of centre crops for each way of going bad; `recipe` has those of the recipe, as in training."""
    batches = {name: validation_batch(store, chain, recipe.seed, CROP_PX) for name, chain in CHAINS.items()}
    batches["grey_noise25"] = validation_batch(store, CHAINS["noise25"], recipe.seed, CROP_PX, grey=True)
    return batches | {"recipe": recipe_batch(store, recipe, CROP_PX)}


@torch.inference_mode()
def validate_mean(model: RestorerNet, batches: dict[str, Pair]) -> dict[str, float]:
    """PSNR of the mean in dB, averaged over pictures, for each degradation."""
    scores = {}
    for name, batch in batches.items():
        error = torch.cat([_mse(model(part.degraded, part.sigma_01).mean, part.clean) for part in _parts(batch)])
        scores[f"val_{name}_psnr_db"] = float((-10 * torch.log10(error)).mean())
    return scores


@torch.inference_mode()
def validate_posterior(model: RestorerNet, batches: dict[str, Pair]) -> dict[str, float]:
    """The 3 dB law at σ = 25: squared errors of one sample and of the mean of several, over the mean's.

    An exact posterior has 2 and 1 + 1/SAMPLES.
    """
    generator = torch.Generator(training_device()).manual_seed(0)
    totals = torch.zeros(3)
    for part in _parts(batches["noise25"]):
        output = model(part.degraded, part.sigma_01)
        scale = output.log_scale.exp()
        draws = [
            model.draw(output.mean, scale, output.features, draw_noise(model, part.degraded.shape, generator))
            for _ in range(SAMPLES)
        ]
        average = torch.stack(draws).mean(0)
        totals += torch.stack([_mse(e, part.clean).sum() for e in (output.mean, draws[0], average)])
    one, many = float(totals[1] / totals[0]), float(totals[2] / totals[0])
    return {"val_sample_mse_ratio": one, f"val_mean_of_{SAMPLES}_mse_ratio": many}


def _parts(batch: Pair) -> Iterator[Pair]:
    parts: Sequence[tuple[Tensor, ...]] = list(zip(*(torch.split(t, PART) for t in batch), strict=True))
    return (on_device(Pair(*part)) for part in parts)


def _mse(estimate: Tensor, truth: Tensor) -> Tensor:
    return (estimate - truth).square().mean(dim=(1, 2, 3))
