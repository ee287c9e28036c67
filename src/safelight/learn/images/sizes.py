"""How large a model and its prior are: by name, from the size and the number of the pictures."""

import math

from safelight.dataset import Form
from safelight.errors import RecipeError
from safelight.ladder.image_vae import ImageVae, Sizes, build_image_vae
from safelight.ladder.prior import LatentPrior, PriorSize, PriorSpec
from safelight.learn.images.recipe import ImagesRecipe

SMALL_PX = 64
"""Pictures up to this side have 8 cells or less along it at the coarsest scale; larger ones have up to 16."""
MOST_PLACES = 25
"""Of the prior's grid: cells of the coarsest rung are joined to patches until there are no more places."""


def named_sizes(name: str, form: Form, pictures: int) -> Sizes:
    """One rung, at 1/8 of the size for 64 and 128 px; docs/lab-notebook.md has the trials.

    tiny and small differ in blocks; base is wider, with more channels of latents.
    auto: tiny under 5,000 pictures, small under 50,000, else base.
    """
    if name == "auto":
        name = "tiny" if pictures < 5_000 else "small" if pictures < 50_000 else "base"
    side = min(form.height, form.width)
    scales = max(2, math.ceil(math.log2(side / (8 if side <= SMALL_PX else 16))))
    wide = 1.5 if name == "base" else 1
    widths = tuple(int(wide * min(128, 32 << k)) for k in range(scales))
    channels = 2 if form.values < 32 * 32 else 4 if side <= 32 or SMALL_PX < side <= 2 * SMALL_PX else 8
    channels *= 2 if name == "base" else 1
    blocks = (*([1 if name == "tiny" else 2] * (scales - 1)), 2)
    return Sizes(widths, (*[0] * (scales - 1), channels), blocks)


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
    """From random weights, for all rungs with latents; it knows the set's classes."""
    settings, latents, cells = recipe.prior, vae.ladder.latents, vae.context.cells
    grid, patch, coarsest = cells[-1], 1, len(latents) - 1
    while math.prod(grid) > MOST_PLACES:
        grid, patch = (-(-grid[0] // 2), -(-grid[1] // 2)), 2 * patch
    specs = [PriorSpec(latents[k], cells[k], patch << (coarsest - k)) for k in range(coarsest + 1) if latents[k]]
    return LatentPrior(specs, PriorSize(grid, settings.width, settings.depth), classes)
