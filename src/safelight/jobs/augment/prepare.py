"""All that variants are made with, opened and checked before anything is written."""

from dataclasses import dataclass, replace

import numpy as np

from safelight.augmentation import AugmentRecipe, Bank
from safelight.augmentation.chain import in_bytes
from safelight.augmentation.guard import LabelGuard
from safelight.augmentation.latent import LatentSpace
from safelight.augmentation.sets import AugmentableSet, SetPicture, open_augmentable
from safelight.dataset import Form, choose_form
from safelight.dataset.form import fitted
from safelight.errors import PictureError, UsageError, shown
from safelight.jobs.augment.request import Request
from safelight.runtime.images.vae import Vae


@dataclass(frozen=True)
class Prepared:
    """A set and a recipe, with a model if the recipe needs one."""

    request: Request
    pictures: AugmentableSet
    form: Form | None
    """What pictures are brought to first; None for leaving them as they are."""
    bank: Bank | None
    """The set as the model takes it; None without a model."""
    guard: LabelGuard | None
    space: LatentSpace | None
    """The model with the bank; None without a model."""

    @property
    def recipe(self) -> AugmentRecipe:
        """The request's."""
        return self.request.recipe

    def load(self, number: int) -> SetPicture:
        """A picture as the recipe's first step takes it. Raises PictureError."""
        return _loaded(self.pictures, self.form, number)


def prepare(request: Request, bank: Bank | None = None) -> Prepared:
    """Open set and model. `bank` is that of a process which has read the set already.

    Raises UsageError and BundleError for what does not fit together.
    """
    pictures = open_augmentable(request.dataset, "latent_blend" in request.recipe.latent, request.strict)
    pictures.check()
    _check_labels(request, pictures)
    vae = _open_vae(request)
    form = _form(request, pictures, vae)
    if vae is None:
        return Prepared(request, pictures, form, bank=None, guard=None, space=None)
    if request.recipe.latent:
        _check_form(pictures, form, vae)
    bank = _bank(request, pictures, form, vae) if bank is None else bank
    guard = None if request.guard is None else LabelGuard.of(vae, bank, request.guard)
    return Prepared(request, pictures, form, bank=bank, guard=guard, space=LatentSpace(vae, bank))


def _check_labels(request: Request, pictures: AugmentableSet) -> None:
    """Raises UsageError for a recipe that needs classes, and a set that has boxes or masks instead."""
    recipe = request.recipe
    needs = [*(f"'{op}'" for op in recipe.latent), *(["[guard]"] if request.guard else [])]
    needs += ["size_px"] if recipe.size_px else []
    if pictures.images is None and needs:
        raise UsageError(
            f"{shown(request.dataset)}: {needs[0]} is for sets with one label for each picture, and boxes or masks "
            "cannot follow; take it out, or cut the objects out first"
        )


def _open_vae(request: Request) -> Vae | None:
    """None if nothing needs it. Raises UsageError and BundleError."""
    if not request.needs_model:
        return None
    if request.model is None:
        what = request.recipe.latent[0] if request.recipe.latent else "the guard"
        if request.is_replayed:
            raise UsageError(f"{what} needs a model, and the manifest names none that is there; give --model")
        raise UsageError(f"{what} needs a model; give --model, or model = ... in the recipe")
    return Vae.load(request.model, threads=request.threads)


def _form(request: Request, pictures: AugmentableSet, vae: Vae | None) -> Form | None:
    """The square that the recipe asks for, in the model's colours."""
    side = request.recipe.size_px
    if side is None or pictures.images is None:
        return None
    if vae is not None:
        return vae.form._replace(height=side, width=side)
    return choose_form(pictures.images, side, None, "crop")


def _loaded(pictures: AugmentableSet, form: Form | None, number: int) -> SetPicture:
    sample, metadata, warnings = pictures.load(number)
    if form is not None:
        sample = replace(sample, image=fitted(in_bytes(sample.image), form))
    return SetPicture(sample, metadata, warnings)


def _check_form(pictures: AugmentableSet, form: Form | None, vae: Vae) -> None:
    """Raises UsageError for a model that was trained on pictures of another form than the first that can be read."""
    wanted = vae.form
    for number in range(len(pictures.names)):
        try:
            height, width, channels = _loaded(pictures, form, number).sample.image.shape
        except PictureError:
            continue
        if (height, width, channels) != (wanted.height, wanted.width, wanted.channels):
            trained = f"{vae.card.name} was trained on {wanted.width}x{wanted.height} with {wanted.channels} channels"
            raise UsageError(
                f"{trained}, and the pictures are {width}x{height} with {channels}; "
                f"set size_px = {wanted.width}, or train another model"
            )
        return


def _bank(request: Request, pictures: AugmentableSet, form: Form | None, vae: Vae) -> Bank:
    """The pictures that can be read. Raises UsageError if there is none."""
    sound = []
    for number, name in enumerate(pictures.names):
        try:
            image = _loaded(pictures, form, number).sample.image
        except PictureError:
            continue  # the report names it, when its variants are made
        sound.append((name, str(pictures.label(number)), fitted(in_bytes(image), vae.form)))
    if not sound:
        raise UsageError(f"{shown(request.dataset)}: none of its pictures can be read; look at it: safelight data")
    names, labels, pixels = zip(*sound, strict=True)
    return Bank(names, labels, np.stack(pixels))
