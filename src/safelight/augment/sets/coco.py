"""COCO: one JSON with images, annotations and categories; boxes, polygons and keypoints in px.

Pictures lie beside the file, in images/ beside it, or where their file_name says.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from safelight.augment.chain import Sample
from safelight.augment.sets.base import Line, Original, load_picture, variant_name, write_whole
from safelight.augment.shapes import Shape, are_inside, box_area, polygon_area
from safelight.errors import UsageError, shown
from safelight.picture import upright_size
from safelight.picture.picture import Metadata

IMAGES, ANNOTATIONS = "images", "annotations.json"
ROUNDING = 1.0
"""Px by which a box may leave its picture."""
MIRRORS = ("flip_horizontal", "flip_vertical")


@dataclass(frozen=True)
class CocoSet:
    """All its pictures are augmented: COCO has a file of its own for each part."""

    folder: Path
    """Of the pictures."""
    known: dict[str, Any]
    """The JSON."""
    objects: dict[int, list[dict[str, Any]]]
    """Annotations by the id of their image."""
    labelled: bool = False

    @staticmethod
    def of(path: Path) -> "CocoSet":
        """Raises UsageError for what is no COCO, or does not fit together."""
        try:
            known = json.loads(path.read_text(encoding="utf-8"))
            images, annotations = known["images"], known["annotations"]
            names = {image["id"]: image["file_name"] for image in images}
            sizes = {image["id"]: (image["width"], image["height"]) for image in images}
            categories = {category["id"] for category in known["categories"]}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"{path}: is no COCO file ({error}); it needs images, annotations and categories"
            ) from None
        if not images:
            raise UsageError(f"{path}: lists no pictures; add some")
        first = next(iter(names.values()))
        folder = next((f for f in (path.parent, path.parent / IMAGES) if (f / first).is_file()), path.parent)
        missing = [name for name in names.values() if not (folder / name).is_file()]
        if missing:
            raise UsageError(
                f"{path}: lists {missing[0]}, which is not in {folder} ({len(missing)} are missing); add it"
            )
        objects: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for annotation in annotations:
            _check(annotation, sizes, categories, path)
            objects[annotation["image_id"]].append(annotation)
        return CocoSet(folder, known, objects)

    @property
    def names(self) -> Sequence[str]:
        return [image["file_name"] for image in self.known["images"]]

    def label(self, number: int) -> str | None:
        return None

    def check(self) -> None:
        for image in self.known["images"]:
            path, told = self.folder / image["file_name"], (image["width"], image["height"])
            width, height = upright_size(path)
            if (width, height) != told:
                sizes = f"{width}x{height}, and its annotations say {told[0]}x{told[1]}"
                raise UsageError(f"{shown(path)}: is {sizes}; mend the annotations")

    def load(self, number: int) -> tuple[Sample, Metadata]:
        image = self.known["images"][number]
        picture, metadata = load_picture(self.folder / image["file_name"])
        shapes = tuple(_shape(a, picture.size) for a in self.objects.get(image["id"], []))
        return Sample(picture.pixels, shapes=shapes), metadata

    def output(self, number: int, copy: int, suffix: str) -> str:
        return str(Path(IMAGES, variant_name(self.names[number], copy, suffix)))

    def originals(self) -> Sequence[Original]:
        return [Original(self.folder / name, str(Path(IMAGES, name)), k) for k, name in enumerate(self.names)]

    def beside(self, folder: Path, number: int, output: str, sample: Sample) -> None:
        """All is in one file, which `finish` writes."""

    def finish(self, folder: Path, lines: Sequence[Line]) -> None:
        number = {name: k for k, name in enumerate(self.names)}
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for line in lines:
            before = self.known["images"][number[line["source"]]]
            image = {**before, "id": len(images) + 1, "file_name": str(Path(line["output"]).relative_to(IMAGES))}
            images.append(image)
            own = self.objects.get(before["id"], [])
            moved = (
                own if "record" not in line else [self._moved(own[s["object"]], s, line, image) for s in line["shapes"]]
            )
            for annotation in moved:
                annotations.append({**annotation, "id": len(annotations) + 1, "image_id": image["id"]})
        whole = {**self.known, "images": images, "annotations": annotations}
        write_whole(folder / ANNOTATIONS, json.dumps(whole))

    def _moved(
        self, before: dict[str, Any], shape: dict[str, Any], line: Line, image: dict[str, Any]
    ) -> dict[str, Any]:
        x1, y1, x2, y2 = shape["box"]
        polygons = [np.array(p) for p in shape.get("polygons", [])]
        area = sum(map(polygon_area, polygons)) if polygons else box_area((x1, y1, x2, y2))
        after = {**before, "bbox": [x1, y1, round(x2 - x1, 3), round(y2 - y1, 3)], "area": round(area, 3)}
        if "segmentation" in before:
            after["segmentation"] = [polygon.ravel().tolist() for polygon in polygons]
        if "keypoints" in shape:
            mirrored = sum(step["op"] in MIRRORS for step in line["record"]["steps"]) % 2 == 1
            places, seen = np.array(shape["keypoints"]), np.array(before["keypoints"]).reshape(-1, 3)[:, 2]
            seen = np.where(are_inside(places, (image["width"], image["height"])), seen, 0)
            rows = np.column_stack([np.where(seen[:, None] > 0, places, 0), seen])
            rows = rows[self._order(before["category_id"], len(rows))] if mirrored else rows
            after |= {"keypoints": rows.ravel().tolist(), "num_keypoints": int((seen > 0).sum())}
        return after

    def _order(self, category_id: int, count: int) -> list[int]:
        """In a mirror left_eye is right_eye."""
        names = next(c.get("keypoints", []) for c in self.known["categories"] if c["id"] == category_id)
        swapped = [_mirrored(name) for name in names]
        return [names.index(other) if other in names else k for k, other in enumerate(swapped)] or list(range(count))


def _mirrored(name: str) -> str:
    if "left" in name:
        return name.replace("left", "right")
    return name.replace("right", "left")


def _check(annotation: Any, sizes: dict[int, Any], categories: set[int], path: Path) -> None:
    """Raises UsageError."""
    try:
        where = f"{path}: annotation {annotation.get('id', '?')}"
        x, y, width, height = (float(v) for v in annotation["bbox"])
        image, category = annotation["image_id"], annotation["category_id"]
        polygons, keypoints = annotation.get("segmentation") or [], annotation.get("keypoints") or []
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"{path}: an annotation is incomplete ({error}); it needs image_id, category_id and bbox"
        ) from None
    if image not in sizes:
        raise UsageError(f"{where}: is of image {image}, which is not listed; add the image or remove it")
    if category not in categories:
        raise UsageError(f"{where}: is of category {category}, which is not listed; add the category or remove it")
    if not isinstance(polygons, list):
        raise UsageError(f"{where}: has a run-length mask; convert it to polygons")
    if any(len(p) < 6 or len(p) % 2 for p in polygons) or len(keypoints) % 3:
        raise UsageError(
            f"{where}: has a polygon of fewer than three points, or keypoints that are no triples; mend it"
        )
    across, down = sizes[image]
    inside = x >= -ROUNDING and y >= -ROUNDING and x + width <= across + ROUNDING and y + height <= down + ROUNDING
    if not inside or width <= 0 or height <= 0:
        raise UsageError(
            f"{where}: box {annotation['bbox']} is empty or outside its picture of {across}x{down}; mend it"
        )


def _shape(annotation: dict[str, Any], size: tuple[int, int]) -> Shape:
    x, y, width, height = annotation["bbox"]
    box = (max(0.0, x), max(0.0, y), min(float(size[0]), x + width), min(float(size[1]), y + height))
    polygons = tuple(np.array(p, dtype=np.float64).reshape(-1, 2) for p in annotation.get("segmentation") or [])
    keypoints = annotation.get("keypoints")
    places = np.array(keypoints, dtype=np.float64).reshape(-1, 3)[:, :2] if keypoints else None
    return Shape(box, polygons, places)
