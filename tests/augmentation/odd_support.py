"""Small sets in COCO's and other layouts."""

import json
from pathlib import Path

import numpy as np

from safelight.augmentation.sets import open_augmentable
from safelight.picture import Picture, write

RECIPE = '[[steps]]\nop = "rotate"\ndegrees = [-5, 5]\n'
OUTLINE = [[5, 6, 25, 6, 25, 18, 5, 18]]


def picture(rng: np.random.Generator, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write(Picture(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)), path)


def annotation(number: int, image: object = 1, **changes: object) -> dict:
    return {
        "id": number,
        "image_id": image,
        "category_id": 1,
        "bbox": [5, 6, 20, 12],
        "segmentation": OUTLINE,
    } | changes


def coco(path: Path, annotations: list[dict], names: tuple[str, ...] = ("a.png", "b.png"), ids=(1, 2)) -> Path:
    images = [{"id": k, "file_name": name, "width": 64, "height": 48} for k, name in zip(ids, names, strict=True)]
    whole = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "thing"}]}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(whole))
    return path


def objects_of(path: Path) -> list[int]:
    opened = open_augmentable(path)
    opened.check()
    return [len(opened.load(k).sample.shapes) for k in range(len(opened.names))]
