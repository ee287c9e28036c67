"""Files of the enlarged set, and what the manifest says of each."""

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from safelight.augmentation import OPERATIONS, Sample, VariantRecord
from safelight.augmentation.sets import Original, WrittenPicture
from safelight.augmentation.shapes import Shape
from safelight.errors import OutputError, shown
from safelight.jobs.augment.make import Variant
from safelight.jobs.augment.prepare import Prepared
from safelight.picture import Picture, write, xmp
from safelight.picture.fewer_bits import Depth
from safelight.picture.picture import Metadata
from safelight.work import Line, replacing


@dataclass(frozen=True)
class Written:
    """One result: its files, the picture first, and facts for its line of the manifest."""

    files: Sequence[Path]
    facts: Mapping[str, Any]


def copy_original(original: Original, folder: Path) -> Written:
    """One file as it is. Raises OutputError."""
    target, content = folder / original.output, original.content
    warnings: list[str] = []
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path):
            with replacing(target) as part:
                shutil.copyfile(content, part)
        else:
            warnings = write(content(), target)
    except OSError as error:
        what = f"{content} to {target}" if isinstance(content, Path) else str(target)
        raise OutputError(f"{shown(what)}: cannot be written ({error.strerror}); check both and the disk") from None
    facts = {"role": original.role, "source": original.source, "label": original.label, "warnings": warnings or None}
    return Written([target], {name: value for name, value in facts.items() if value is not None})


def write_variant(prepared: Prepared, variant: Variant, folder: Path) -> Written:
    """A variant with what lies beside it; no file for one that was refused or failed.

    What cannot be written as asked, such as a picture too wide for JPEG, has failed. Raises OutputError for a folder
    that cannot be made.
    """
    pictures, (number, copy) = prepared.pictures, variant.task.key
    facts: dict[str, Any] = {"source": pictures.names[number], "copy": copy, "label": pictures.label(number)}
    facts |= {"refused": list(variant.refusals)} if variant.refusals else {}
    sample, record = variant.sample, variant.record
    if sample is None or record is None:
        return Written([], facts | ({"failed": variant.failure} if variant.failure else {}))
    output = pictures.variant_output(number, copy, prepared.request.suffix)
    target = folder / output
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = f"cannot be made ({error.strerror}); check the folder and the disk"
        raise OutputError(f"{target.parent}: {why}") from None
    try:
        warnings = [*variant.warnings, *_write_picture(sample, record, variant.metadata, target)]
        beside = pictures.write_beside(folder, number, output, sample)
    except OutputError as error:
        target.unlink(missing_ok=True)
        return Written([], facts | {"failed": str(error)})
    facts |= {"warnings": warnings} if warnings else {}
    facts["pixels_sha256"] = _pixels_sha256(sample)
    facts |= {"soft_label": sample.soft_label} if sample.soft_label else {}
    facts["shapes"] = _shapes_as_json(sample.shapes)
    replayed = variant.task.replayed
    facts |= {"different": True} if replayed and replayed.pixels_sha256 != facts["pixels_sha256"] else {}
    return Written([target, *beside], facts | {"record": record.as_dict()})


def _write_picture(sample: Sample, record: VariantRecord, metadata: Metadata, target: Path) -> list[str]:
    """Returns what the file cannot hold of it. Raises OutputError."""
    operations = [step.op for step in record.steps]
    made_by = {"Augmentation": " ".join(operations) or "none"}
    is_generated = any(OPERATIONS[operation].kind == "latent" for operation in operations)
    told = xmp.Provenance(made_by, xmp.GENERATED if is_generated else xmp.ENHANCED)
    return write(Picture(sample.image, metadata=metadata), target, depth=Depth(scale="full"), provenance=told)


def written_picture(line: Line) -> WrittenPicture | None:
    """What a line of the manifest says of a picture; None for a file beside pictures, and for what was not written."""
    if not line["outputs"] or line.get("role") == "beside":
        return None
    output, source, label = picture_of(line), line.get("source"), line.get("label")
    if "record" not in line:
        return WrittenPicture(output, source, label)
    return WrittenPicture(
        output,
        source,
        label,
        soft_label=line.get("soft_label", {}),
        shapes=_shapes_from_json(line["shapes"]),
        operations=tuple(step["op"] for step in line["record"]["steps"]),
    )


def picture_of(line: Line) -> str:
    """The first of a line's files: the picture; what lies beside it follows."""
    return str(next(iter(line["outputs"]), ""))


def _pixels_sha256(sample: Sample) -> str:
    """Of the picture, and of its mask if it has one."""
    parts = [sample.image, *([] if sample.mask is None else [sample.mask])]
    words = b"".join(
        repr((part.shape, part.dtype.str)).encode() + np.ascontiguousarray(part).tobytes() for part in parts
    )
    return hashlib.sha256(words).hexdigest()


def _shapes_as_json(shapes: Sequence[Shape | None]) -> list[dict[str, Any]]:
    """Objects that are still inside, in 1/1000 px; `object` is the number of each in the original."""
    inside = []
    for k, shape in enumerate(shapes):
        if shape is not None:
            known: dict[str, Any] = {"object": k, "box": [round(v, 3) for v in shape.box]}
            known |= {"polygons": [p.round(3).tolist() for p in shape.polygons]} if shape.polygons else {}
            known |= {} if shape.keypoints is None else {"keypoints": shape.keypoints.round(3).tolist()}
            inside.append(known)
    return inside


def _shapes_from_json(known: Sequence[Mapping[str, Any]]) -> dict[int, Shape]:
    """The inverse."""
    shapes = {}
    for one in known:
        x1, y1, x2, y2 = one["box"]
        polygons = tuple(np.array(polygon) for polygon in one.get("polygons", ()))
        keypoints = np.array(one["keypoints"]) if "keypoints" in one else None
        shapes[int(one["object"])] = Shape((x1, y1, x2, y2), polygons, keypoints)
    return shapes
