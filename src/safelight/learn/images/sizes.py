"""How large a model and its prior are: by name, from the size and the number of the pictures."""

import math

from safelight.dataset import Form
from safelight.errors import RecipeError
from safelight.ladder.image_vae import ImageVae, Sizes, build_image_vae
from safelight.ladder.prior import LatentPrior, PriorSpec
from safelight.learn.images.recipe import ImagesRecipe

COARSEST_PX = 4
"""Cells of the coarsest scale along the shorter side, at least."""
PRIOR_WIDTHS = {24: 256, 96: 128, math.inf: 64}
"""Width of the prior's network at a scale of at most so many cells."""
MOST_ATTENTIVE_CELLS = 64
SMALLEST_CELLS = 24
"""The prior has scales of its own below the model's, down to so many cells."""


def named_sizes(name: str, form: Form, pictures: int) -> Sizes:
    """tiny: one rung, at the coarsest scale. small: two rungs. base: up to five, at all scales but the finest.

    auto: tiny under 5,000 pictures, small under 50,000, else base.
    """
    if name == "auto":
        name = "tiny" if pictures < 5_000 else "small" if pictures < 50_000 else "base"
    scales = max(2, math.ceil(math.log2(min(form.height, form.width) / COARSEST_PX)))
    coarse = 2 if form.values < 32 * 32 else 8
    wide = {"tiny": (32, 64), "small": (32, 64), "base": (32, 96)}[name]
    widths = tuple(min(wide[1], wide[0] << k) for k in range(scales))
    rungs = {"tiny": 1, "small": 2, "base": min(5, scales - 1)}[name]
    latents = tuple(coarse if k >= scales - rungs else 0 for k in range(scales))
    blocks = tuple({"tiny": 1, "small": 1, "base": 2}[name] for _ in range(scales))
    return Sizes(widths, latents, blocks)


def build_model(recipe: ImagesRecipe, form: Form, classes: int, pictures: int) -> ImageVae:
    """From random weights. Raises RecipeError for more scales than the pictures have, or free bits of other scales."""
    settings = recipe.model
    sizes = Sizes(settings.widths, settings.latents, settings.blocks)
    if not sizes.widths:
        sizes = named_sizes(settings.size, form, pictures)
    scales = len(sizes.widths)
    if any(len(stage.free_nats) not in (0, scales) for stage in recipe.stages):
        raise RecipeError(f"free_nats must have one entry for each scale of the model, which are {scales}, or none")
    if 1 << len(sizes.widths) > 2 * min(form.height, form.width):
        raise RecipeError(f"model.widths: {len(sizes.widths)} scales are too many for {form.width}x{form.height} px")
    size_px, conditions = (form.height, form.width), classes if settings.conditional else 0
    return build_image_vae(form.channels, size_px, sizes, settings.likelihood, classes=conditions)


def build_prior(recipe: ImagesRecipe, vae: ImageVae, classes: int) -> LatentPrior:
    """From random weights, from the finest scale with latents to one that is small; it knows the set's classes."""
    latents, cells = list(vae.ladder.latents), list(vae.context.cells)
    while math.prod(cells[-1]) > SMALLEST_CELLS and not any(side % 2 for side in cells[-1]):
        latents.append(0)
        cells.append((cells[-1][0] // 2, cells[-1][1] // 2))
    first = next(k for k, channels in enumerate(latents) if channels)
    specs = []
    for k in range(first, len(latents)):
        area = math.prod(cells[k])
        is_last = k == len(latents) - 1
        specs.append(
            PriorSpec(
                width=next(width for most, width in PRIOR_WIDTHS.items() if area <= most),
                latents=latents[k],
                cells=cells[k],
                blocks=recipe.prior.blocks * (1 + is_last),
                attention=area <= MOST_ATTENTIVE_CELLS,
            )
        )
    return LatentPrior(specs, classes)
