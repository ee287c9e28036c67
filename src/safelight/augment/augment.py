"""From Python: one call for a picture, its mask, boxes and keypoints; and a wrapper for a map-style data set.

>>> aug = Augment.load("aug.toml")                                                   # doctest: +SKIP
>>> r = aug(image=a, mask=m, bboxes=b, seed=("set", 17))                             # doctest: +SKIP
>>> r.image, r.mask, r.bboxes, r.kept, r.record, r.replay(image=other)               # doctest: +SKIP
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from safelight.augment.bank import Bank
from safelight.augment.chain import Sample, apply
from safelight.augment.draw import Record, draw
from safelight.augment.latent import LatentSpace
from safelight.augment.recipe import AugmentRecipe, load_recipe, parse_recipe
from safelight.augment.shapes import Shape, are_inside
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
    record: Record
    augment: "Augment"

    def replay(self, **given: Any) -> "Augmented":
        """The same operations with the same numbers and noise on another picture; takes what a call takes."""
        return self.augment.replay(self.record, **given)


class Augment:
    """A recipe, ready to be used. Pictures are (H, W), (H, W, 1) or (H, W, 3): uint8, uint16, or float32 in [0, 1]."""

    def __init__(self, recipe: AugmentRecipe, model: Vae | str | Path | None = None, bank: Bank | None = None) -> None:
        """`bank` is for operations that look at other pictures. Raises UsageError and BundleError."""
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
        """From a TOML file. Raises RecipeError."""
        return Augment(load_recipe(Path(path)), model, bank)

    @staticmethod
    def of(steps: Sequence[Mapping[str, Any]], **settings: Any) -> "Augment":
        """From steps such as {"op": "rotate", "degrees": [-10, 10]}. Raises RecipeError."""
        return Augment(parse_recipe({"steps": [dict(step) for step in steps], **settings}))

    def __call__(
        self, *, image: Array, seed: int | str | Sequence[int | str], label: str | None = None, **rest: Any
    ) -> Augmented:
        """A variant that depends on `seed` alone; `rest` is mask (H, W), bboxes (N, 4) and keypoints (K, 2).

        Raises UsageError for what does not fit together.
        """
        identity = (seed,) if isinstance(seed, int | str | np.integer) else tuple(seed)
        identity = tuple(word if isinstance(word, str) else int(word) for word in identity)
        bank = self.space.bank if self.space else None
        return self.replay(draw(self.recipe, 0, identity, label, bank), image=image, label=label, **rest)

    def replay(
        self,
        record: Record,
        *,
        image: Array,
        label: str | None = None,
        mask: Array | None = None,
        bboxes: Any = None,
        keypoints: Any = None,
    ) -> Augmented:
        """What a record says, done to these."""
        boxes = _rows(bboxes, 4, "bboxes")
        points = None if keypoints is None else _rows(keypoints, 2, "keypoints")
        sample = _sample(image, mask, boxes, points, label)
        done = apply([sample], [record], self.recipe.border, self.recipe.keep_visible, self.space)[0]
        height, width = done.image.shape[:2]
        kept = np.array([k for k, shape in enumerate(done.shapes) if shape is not None], dtype=np.int64)
        left = [shape.box for shape in done.shapes if shape is not None]
        return Augmented(
            image=done.image if np.ndim(image) == 3 else done.image[..., 0],
            mask=None if mask is None or done.mask is None else done.mask.reshape(np.shape(mask)),
            bboxes=None if bboxes is None else np.array(left, dtype=np.float64).reshape(-1, 4),
            kept=kept,
            keypoints=done.points,
            inside=np.zeros(0, dtype=bool) if done.points is None else are_inside(done.points, (width, height)),
            label=label,
            soft_label=done.soft_label,
            record=record,
            augment=self,
        )


class MapStyle(Protocol):
    """What `torch.utils.data` calls a map-style data set: (picture, label) by number."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> tuple[Array, Any]: ...


class AugmentedSet:
    """A map-style data set, augmented when asked; the same whatever the number and order of workers.

    A picture of epoch e depends on (seed, its number, e): call `set_epoch` before each, or get equal variants.
    """

    def __init__(self, pictures: MapStyle, augment: Augment, seed: int = 0) -> None:
        if "latent_blend" in augment.recipe.latent:
            raise UsageError("latent_blend makes soft labels, which this wrapper does not give; take it out")
        self.pictures, self.augment, self.seed, self.epoch = pictures, augment, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Other variants from here on."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> tuple[Array, Any]:
        image, label = self.pictures[index]
        return self.augment(image=image, label=str(label), seed=(self.seed, index, self.epoch)).image, label


def _sample(image: Array, mask: Array | None, boxes: Array, points: Array | None, label: str | None) -> Sample:
    """Raises UsageError."""
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
    height, width = pixels.shape[:2]
    if mask is not None:
        mask = np.asarray(mask)
        if mask.shape[:2] != (height, width) or mask.ndim not in (2, 3):
            raise UsageError(f"the mask has shape {mask.shape}, the picture {np.shape(image)}; make them equally large")
        if mask.dtype not in (np.uint8, np.uint16, np.int16, np.float32):
            raise UsageError(f"the mask is {mask.dtype}; convert it to uint8, uint16 or int16")
        mask = mask.reshape(height, width, -1)
    for k, (x1, y1, x2, y2) in enumerate(boxes):
        if not (0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height):
            raise UsageError(f"box {k} is ({x1:g}, {y1:g}, {x2:g}, {y2:g}), outside {width}x{height} or empty; mend it")
    shapes = tuple(Shape((float(a), float(b), float(c), float(d))) for a, b, c, d in boxes)
    return Sample(np.ascontiguousarray(pixels), label, mask, shapes, points)


def _rows(values: Any, width: int, name: str) -> NDArray[np.float64]:
    """(N, width), empty for None. Raises UsageError."""
    try:
        rows = np.array([] if values is None else values, dtype=np.float64)
    except (TypeError, ValueError):
        rows = np.full((1, 1), np.nan)
    rows = rows.reshape(0, width) if rows.size == 0 else rows
    if rows.ndim != 2 or rows.shape[1] != width or not np.isfinite(rows).all():
        raise UsageError(f"{name} have shape {rows.shape}; give (N, {width}) numbers in px")
    return rows
