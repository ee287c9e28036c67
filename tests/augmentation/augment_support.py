"""Recipes, and small sets in every layout."""

import json
from pathlib import Path

import cv2
import numpy as np

from safelight.picture import Picture, write
from tests.support import run_cli

CLASSIC = """
[[steps]]
op = "flip_horizontal"
probability = 0.5
[[steps]]
op = "rotate"
degrees = [-20, 20]
[[steps]]
op = "contrast"
[[steps]]
op = "noise"
"""
LATENT = (
    """
[[steps]]
op = "latent_noise"
spread = [0.1, 0.4]
"""
    + CLASSIC
)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def write_layouts(home: Path) -> dict[str, Path]:
    rng = np.random.default_rng(0)
    images, annotations = [], []
    for k in range(3):
        pixels, mask, lines = np.full((48, 64, 3), 60, np.uint8), np.zeros((48, 64), np.uint8), []
        for number in range(2):
            x, y, w, h = (int(v) for v in (*rng.integers(4, 30, 2), *rng.integers(9, 16, 2)))
            corners = np.array([[x, y], [x + w, y + 2], [x + 3, y + h]])
            cv2.fillPoly(pixels, [corners], (200, 90 + 80 * number, 30))
            cv2.fillPoly(mask, [corners], number + 1)
            points = [x, y, 2, x + w, y + 2, 1]
            annotations.append(
                {
                    "id": 10 + len(annotations),
                    "image_id": k,
                    "category_id": number + 1,
                    "bbox": [x, y, w, h],
                    "iscrowd": 0,
                }
                | {"segmentation": [corners.ravel().tolist()], "keypoints": points, "num_keypoints": 2}
            )
            lines.append(f"{number} {(x + w / 2) / 64} {(y + h / 2) / 48} {w / 64} {h / 48}\n")
        images.append({"id": k, "file_name": f"{k}.png", "width": 64, "height": 48})
        for name, values in (
            ("coco/images", pixels),
            ("yolo/images/train", pixels),
            ("masks/images", pixels),
            ("masks/masks", mask[..., None]),
        ):
            (home / name).mkdir(parents=True, exist_ok=True)
            write(Picture(values), home / name / f"{k}.png")
        (home / "yolo/labels/train").mkdir(parents=True, exist_ok=True)
        (home / "yolo/labels/train" / f"{k}.txt").write_text("".join(lines))
    (home / "yolo/data.yaml").write_text("path: .\ntrain: images/train\nnames: [a, b]\n")
    names = ["left_ear", "right_ear"]
    categories = [{"id": 1, "name": "a", "keypoints": names}, {"id": 2, "name": "b", "keypoints": names}]
    known = {"images": images, "annotations": annotations, "categories": categories}
    (home / "coco/annotations.json").write_text(json.dumps(known))
    return {"coco": home / "coco/annotations.json", "yolo": home / "yolo", "masks": home / "masks"}


def augment(*arguments, home, **options):
    return run_cli("augment", *arguments, cwd=home, **options)


def made(done):
    assert not done.returncode, done.stderr
    return done


def refused(done, words, home):
    assert done.returncode in (2, 3, 1) and words in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert not (home / "out").exists()
