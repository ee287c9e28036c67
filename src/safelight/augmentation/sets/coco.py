"""COCO: one JSON with images, annotations and categories; boxes, polygons and keypoints in px.

Pictures lie beside the file, in images/ beside it, or where their file_name says.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from safelight.augmentation.chain import Sample
from safelight.augmentation.sets.base import (
    Original,
    SetPicture,
    WrittenPicture,
    load_picture,
    size_or_none,
    variant_name,
)
from safelight.augmentation.sets.coco_read import (
    Annotation,
    Coco,
    Identifier,
    Image,
    Objects,
    placed,
    read_coco,
)
from safelight.augmentation.shapes import Shape, are_inside, box_area, polygon_area
from safelight.errors import UsageError, shown
from safelight.picture import lies
from safelight.work import write_whole

MEND_TURN = "take the orientation out of the set's pictures: exiftool -n -Orientation=1"
IMAGES, ANNOTATIONS = "images", "annotations.json"
MIRRORS = ("flip_horizontal", "flip_vertical")
SIDES = (("left", "right"), ("Left", "Right"), ("LEFT", "RIGHT"))


@dataclass(frozen=True)
class CocoSet:
    """All its pictures are augmented: COCO has a file of its own for each part."""

    folder: Path
    """Of the pictures."""
    known: Coco
    objects: dict[Identifier, list[Annotation]]
    """Annotations by the id of their image."""
    keypoint_names: dict[int, list[str]]
    """By the id of a category."""
    remarks: tuple[str, ...] = ()
    images: None = None

    @staticmethod
    def of(path: Path, strict: bool = False) -> "CocoSet":
        """Raises UsageError for what is no COCO; if `strict` for an odd object or a missing picture, too."""
        known = read_coco(path)
        folder, images = placed(path, known.images)
        names = [image.file_name for image in images]
        if len({image.id for image in known.images}) < len(names) or len(set(names)) < len(names):
            raise UsageError(f"{path}: lists a picture twice, or two by one id; mend its images")
        there = [image for image in images if (folder / image.file_name).is_file()]
        missing = [name for name in names if not (folder / name).is_file()]
        if missing and (strict or not there):
            raise UsageError(f"{path}: lists {missing[0]}, not in {folder} ({len(missing)} are missing); add it")
        found = Objects(known)
        remark = found.remark(path)
        if remark and strict:
            raise UsageError(f"{remark}; mend them, or leave --strict out")
        remarks = [remark] if remark else []
        if missing:
            remarks.append(
                f"{shown(path)}: {len(missing)} pictures are listed and not there ({shown(missing[0])} first)"
            )
        objects: dict[Identifier, list[Annotation]] = defaultdict(list)
        for annotation in found.right:
            objects[annotation.image_id].append(annotation)
        known = known.model_copy(update={"images": there})
        return CocoSet(folder, known, objects, found.keypoints, remarks=tuple(remarks))

    @cached_property
    def names(self) -> Sequence[str]:
        return [image.file_name for image in self.known.images]

    def label(self, number: int) -> str | None:
        return None

    def check(self) -> None:
        """Raises UsageError for a picture of another size than its annotations say."""
        for image in self.known.images:
            path = self.folder / image.file_name
            size = size_or_none(path)
            if size is not None and size != (image.width, image.height):
                sizes = f"{size[0]}x{size[1]}, and its annotations say {image.width}x{image.height}"
                if size == (image.height, image.width) and lies(path):
                    raise UsageError(f"{shown(path)}: is {sizes}, as it is before its EXIF turns it; {MEND_TURN}")
                raise UsageError(f"{shown(path)}: is {sizes}; mend the annotations")

    def load(self, number: int) -> SetPicture:
        image = self.known.images[number]
        picture = load_picture(self.folder / image.file_name)
        shapes = tuple(_shape(a, picture.size) for a in self.objects.get(image.id, []))
        return SetPicture.of(picture, Sample(picture.pixels, shapes=shapes))

    def variant_output(self, number: int, copy: int, suffix: str) -> str:
        return str(Path(IMAGES, variant_name(self.names[number], copy, suffix)))

    def originals(self) -> Sequence[Original]:
        return [Original(str(Path(IMAGES, name)), self.folder / name, "training", name) for name in self.names]

    def write_beside(self, folder: Path, number: int, output: str, sample: Sample) -> list[Path]:
        """All is in one file, which `finish` writes."""
        return []

    def finish(self, folder: Path, written: Sequence[WrittenPicture]) -> None:
        """annotations.json."""
        by_name = {image.file_name: image for image in self.known.images}
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for picture in written:
            before = by_name[str(picture.source)]
            name = str(Path(picture.output).relative_to(IMAGES))
            images.append(before.model_dump() | {"id": len(images) + 1, "file_name": name})
            for annotation in self._annotations(picture, before):
                annotations.append(annotation | {"id": len(annotations) + 1, "image_id": len(images)})
        whole = self.known.model_dump(exclude_unset=True) | {"images": images, "annotations": annotations}
        write_whole(folder / ANNOTATIONS, json.dumps(whole))

    def _annotations(self, picture: WrittenPicture, image: Image) -> list[dict[str, Any]]:
        """Of one picture of the enlarged set, without the ids."""
        own = self.objects.get(image.id, [])
        if picture.shapes is None:
            return [annotation.model_dump(exclude_unset=True) for annotation in own]
        is_mirrored = sum(operation in MIRRORS for operation in picture.operations) % 2 == 1
        size = (image.width, image.height)
        return [self._moved(own[k], shape, size, is_mirrored) for k, shape in picture.shapes.items()]

    def _moved(self, before: Annotation, shape: Shape, size: tuple[int, int], is_mirrored: bool) -> dict[str, Any]:
        """An annotation where its object is now."""
        x1, y1, x2, y2 = shape.box
        area = sum(map(polygon_area, shape.polygons)) if shape.polygons else box_area((x1, y1, x2, y2))
        after = before.model_dump(exclude_unset=True)
        after |= {"bbox": [x1, y1, round(x2 - x1, 3), round(y2 - y1, 3)], "area": round(area, 3)}
        if "segmentation" in after:
            after["segmentation"] = [polygon.ravel().tolist() for polygon in shape.polygons]
        if shape.keypoints is not None:
            places, seen = shape.keypoints, np.array(before.keypoints).reshape(-1, 3)[:, 2]
            seen = np.where(are_inside(places, size), seen, 0)
            rows = np.column_stack([np.where(seen[:, None] > 0, places, 0), seen])
            rows = rows[_mirror_order(self.keypoint_names[before.category_id], len(rows))] if is_mirrored else rows
            after |= {"keypoints": rows.ravel().tolist(), "num_keypoints": int((seen > 0).sum())}
        return after


def _mirror_order(names: Sequence[str], count: int) -> list[int]:
    """In a mirror left_eye is right_eye."""
    swapped = [_mirrored(name) for name in names]
    return [names.index(other) if other in names else k for k, other in enumerate(swapped)] or list(range(count))


def _mirrored(name: str) -> str:
    for left, right in SIDES:
        if left in name:
            return name.replace(left, right)
        if right in name:
            return name.replace(right, left)
    return name


def _shape(annotation: Annotation, size: tuple[int, int]) -> Shape:
    x, y, width, height = annotation.bbox
    box = (max(0.0, x), max(0.0, y), min(float(size[0]), x + width), min(float(size[1]), y + height))
    polygons = tuple(np.array(p, dtype=np.float64).reshape(-1, 2) for p in annotation.segmentation)
    places = np.array(annotation.keypoints, dtype=np.float64).reshape(-1, 3)[:, :2] if annotation.keypoints else None
    return Shape(box, polygons, places)
