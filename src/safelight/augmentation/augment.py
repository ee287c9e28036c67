"""From Python: one call for a picture, its mask, boxes and keypoints; and a wrapper for a map-style data set.

>>> augment = Augment.load("aug.toml")                                               # doctest: +SKIP
>>> variant = augment(image=a, mask=m, bboxes=b, seed=("set", 17))                   # doctest: +SKIP
>>> variant.image, variant.mask, variant.bboxes, variant.kept, variant.record        # doctest: +SKIP
>>> variant.replay(image=other)                                                      # doctest: +SKIP
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from safelight.augmentation.bank import Bank
from safelight.augmentation.chain import Sample, apply
from safelight.augmentation.latent import LatentSpace
from safelight.augmentation.recipe import AugmentRecipe, load_recipe, parse_recipe
from safelight.augmentation.record import VariantRecord, draw
from safelight.augmentation.shapes import Shape, are_inside
from safelight.dataset.images import check_range
from safelight.errors import PictureError, UsageError
from safelight.runtime.images.vae import Vae

Array = NDArray[Any]


@dataclass(frozen=True)
class Augmented:
    """One variant."""

    image: Array
    """As it was given: (H, W) or (H, W, C), in its number format."""
    mask: Array | None
    """As it was given: (H, W) or (H, W, C); resampled by the nearest pixel."""
    bboxes: NDArray[np.float64] | None
    """(M, 4): x1, y1, x2, y2 in px of those that are still inside."""
    kept: NDArray[np.int64]
    """(M,): which of the given boxes these are."""
    keypoints: NDArray[np.float64] | None
    """(K, 2): x, y in px of all that were given."""
    inside: NDArray[np.bool_]
    """(K,): which keypoints are still in the picture."""
    label: str | None
    soft_label: dict[str, float]
    """Classes and weights, where pictures of two classes were blended."""
    record: VariantRecord
    augment: "Augment"

    def replay(
        self,
        *,
        image: Array,
        label: str | None = None,
        mask: Array | None = None,
        bboxes: ArrayLike | None = None,
        keypoints: ArrayLike | None = None,
    ) -> "Augmented":
        """The same operations with the same numbers and noise on another picture. Takes what `Augment.replay` takes."""
        return self.augment.replay(self.record, image=image, label=label, mask=mask, bboxes=bboxes, keypoints=keypoints)


class Augment:
    """A recipe, ready to be used. Pictures are (H, W), (H, W, 1) or (H, W, 3): uint8, uint16, or float32 in [0, 1]."""

    def __init__(self, recipe: AugmentRecipe, model: Vae | str | Path | None = None, bank: Bank | None = None) -> None:
        """`model` is a VAE, or the name or path of its bundle; else the recipe's. Operations that mix need a `bank`.

        Raises UsageError for a guard, for size_px, and for latent steps without a model; BundleError for a model that
        cannot be used.
        """
        for name, given in (("[guard]", recipe.guard), ("size_px", recipe.size_px)):
            if given is not None:
                raise UsageError(f"{name} is for whole sets ('safelight augment'); take it out of the recipe")
        self.recipe = recipe
        named = model if model is not None else recipe.model
        vae = named if isinstance(named, Vae) or named is None or not recipe.latent else Vae.load(named)
        self.space = LatentSpace(vae, bank) if isinstance(vae, Vae) else None
        if recipe.latent and self.space is None:
            raise UsageError(f"{recipe.latent[0]} needs a model; give model = ..., in the recipe or here")

    @staticmethod
    def load(path: str | Path, model: Vae | str | Path | None = None, bank: Bank | None = None) -> "Augment":
        """From a TOML file. Raises RecipeError, and what the constructor raises."""
        return Augment(load_recipe(path), model, bank)

    @staticmethod
    def of(steps: Sequence[Mapping[str, Any]], **settings: Any) -> "Augment":
        """From steps such as {"op": "rotate", "degrees": [-10, 10]}; `settings` are the other keys of a recipe.

        Raises RecipeError, and what the constructor raises.
        """
        return Augment(parse_recipe({"steps": [dict(step) for step in steps], **settings}))

    def __call__(
        self,
        *,
        image: Array,
        seed: int | str | Sequence[int | str],
        label: str | None = None,
        mask: Array | None = None,
        bboxes: ArrayLike | None = None,
        keypoints: ArrayLike | None = None,
    ) -> Augmented:
        """A variant that depends on `seed` alone. Raises UsageError for what does not fit together.

        Args:
            image: (H, W), (H, W, 1) or (H, W, 3); uint8, uint16, or float32 in [0, 1].
            seed: Numbers and words; equal ones draw equal variants.
            label: The picture's class, for operations that need one.
            mask: (H, W) or (H, W, C); uint8, uint16, int16 or float32.
            bboxes: (N, 4): x1, y1, x2, y2 in px.
            keypoints: (K, 2): x, y in px.
        """
        words = (seed,) if isinstance(seed, int | str | np.integer) else tuple(seed)
        identity = tuple(word if isinstance(word, str) else int(word) for word in words)
        record = draw(self.recipe, 0, identity, label=label, bank=self.space.bank if self.space else None)
        return self.replay(record, image=image, label=label, mask=mask, bboxes=bboxes, keypoints=keypoints)

    def replay(
        self,
        record: VariantRecord,
        *,
        image: Array,
        label: str | None = None,
        mask: Array | None = None,
        bboxes: ArrayLike | None = None,
        keypoints: ArrayLike | None = None,
    ) -> Augmented:
        """What a record says, done to these; shapes and units as in a call. Raises UsageError."""
        boxes = _rows(bboxes, 4, "bboxes")
        points = None if keypoints is None else _rows(keypoints, 2, "keypoints")
        pixels = _checked_pixels(image)
        sample = Sample(
            pixels, label, mask=_checked_mask(mask, pixels), shapes=_checked_boxes(boxes, pixels), points=points
        )
        border, keep_visible = self.recipe.border, self.recipe.keep_visible
        done = apply([sample], [record], border=border, keep_visible=keep_visible, space=self.space)[0]
        height, width = done.image.shape[:2]
        left = [shape.box for shape in done.shapes if shape is not None]
        return Augmented(
            image=done.image if np.ndim(image) == 3 else done.image[..., 0],
            mask=None if mask is None or done.mask is None else done.mask.reshape(np.shape(mask)),
            bboxes=None if bboxes is None else np.array(left, dtype=np.float64).reshape(-1, 4),
            kept=np.array([k for k, shape in enumerate(done.shapes) if shape is not None], dtype=np.int64),
            keypoints=done.points,
            inside=np.zeros(0, dtype=bool) if done.points is None else are_inside(done.points, (width, height)),
            label=label,
            soft_label=done.soft_label,
            record=record,
            augment=self,
        )


class MapStyle(Protocol):
    """What `torch.utils.data` calls a map-style data set: (picture, label) by number."""

    def __len__(self) -> int:
        """How many pictures there are."""

    def __getitem__(self, index: int, /) -> tuple[Array, Any]:
        """A picture as `Augment` takes it, and its label."""


class AugmentedSet:
    """A map-style data set, augmented when asked; the same whatever the number and order of workers.

    A picture of epoch e depends on (seed, its number, e): call `set_epoch` before each, or get equal variants.
    """

    def __init__(self, pictures: MapStyle, augment: Augment, seed: int = 0) -> None:
        """Raises UsageError for a recipe that makes soft labels."""
        if "latent_blend" in augment.recipe.latent:
            raise UsageError("latent_blend makes soft labels, which this wrapper does not give; take it out")
        self.pictures, self.augment, self.seed, self.epoch = pictures, augment, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Other variants from here on."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> tuple[Array, Any]:
        """A variant of picture `index`, and its label as it is. Raises UsageError as a call of `Augment` does."""
        image, label = self.pictures[index]
        return self.augment(image=image, label=str(label), seed=(self.seed, index, self.epoch)).image, label


def _checked_pixels(image: Array) -> Array:
    """(H, W, 1) or (H, W, 3). Raises UsageError."""
    pixels = np.asarray(image)
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3) or 0 in pixels.shape:
        raise UsageError(f"the picture has shape {np.shape(image)}; give (H, W), (H, W, 1) or (H, W, 3)")
    if pixels.dtype not in (np.uint8, np.uint16, np.float32):
        raise UsageError(f"the picture is {pixels.dtype}; convert it to uint8, uint16, or float32 in [0, 1]")
    if pixels.dtype == np.float32:
        try:
            check_range(pixels, "the picture")
        except PictureError as error:
            raise UsageError(str(error)) from None
    return np.ascontiguousarray(pixels)


def _checked_mask(mask: Array | None, pixels: Array) -> Array | None:
    """(H, W, C). Raises UsageError."""
    if mask is None:
        return None
    values, (height, width) = np.asarray(mask), pixels.shape[:2]
    if values.shape[:2] != (height, width) or values.ndim not in (2, 3):
        sizes = f"the mask has shape {values.shape}, the picture {width}x{height} px"
        raise UsageError(f"{sizes}; make them equally large")
    if values.dtype not in (np.uint8, np.uint16, np.int16, np.float32):
        raise UsageError(f"the mask is {values.dtype}; convert it to uint8, uint16 or int16")
    return values.reshape(height, width, -1)


def _checked_boxes(boxes: NDArray[np.float64], pixels: Array) -> tuple[Shape, ...]:
    """(N, 4) → shapes. Raises UsageError."""
    height, width = pixels.shape[:2]
    for k, (x1, y1, x2, y2) in enumerate(boxes):
        if not (0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height):
            raise UsageError(f"box {k} is ({x1:g}, {y1:g}, {x2:g}, {y2:g}), outside {width}x{height} or empty; mend it")
    return tuple(Shape((float(a), float(b), float(c), float(d))) for a, b, c, d in boxes)


def _rows(values: ArrayLike | None, width: int, name: str) -> NDArray[np.float64]:
    """(N, width), empty for None. Raises UsageError."""
    try:
        rows = np.array([] if values is None else values, dtype=np.float64)
    except (TypeError, ValueError):
        rows = np.full((1, 1), np.nan)
    rows = rows.reshape(0, width) if rows.size == 0 else rows
    if rows.ndim != 2 or rows.shape[1] != width or not np.isfinite(rows).all():
        raise UsageError(f"{name} have shape {rows.shape}; give (N, {width}) numbers in px")
    return rows
