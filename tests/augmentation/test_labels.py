"""Boxes, polygons, masks and keypoints move with the pixels: checked against independent computations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.draw import polygon as filled

from safelight.augmentation import Augment
from safelight.augmentation.shapes import Shape, clipped, move, polygon_area
from safelight.classic import geometry
from safelight.errors import UsageError

SIZE = (80, 60)
GEOMETRY = [
    {"op": "flip_horizontal", "probability": 0.5},
    {"op": "flip_vertical", "probability": 0.5},
    {"op": "rotate", "degrees": [-180, 180]},
    {"op": "scale", "factor": [0.6, 1.6]},
    {"op": "shear", "degrees": [-25, 25]},
    {"op": "translate", "x_share": [-0.3, 0.3], "y_share": [-0.3, 0.3]},
    {"op": "crop", "share": [0.5, 1]},
]


def scene(seed):
    """A picture, a mask with one object, its box and its corners."""
    rng = np.random.default_rng(seed)
    x, y, w, h = rng.integers(5, 40), rng.integers(5, 30), rng.integers(8, 30), rng.integers(8, 24)
    mask = np.zeros((60, 80), np.uint8)
    mask[y : y + h, x : x + w] = 1
    box = [x, y, x + w, y + h]
    corners = np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], dtype=float)
    return rng.integers(0, 255, (60, 80, 3), dtype=np.uint8), mask, box, corners


@given(st.integers(0, 10_000))
def test_every_pixel_of_a_mask_is_inside_its_box(seed):
    image, mask, box, _ = scene(seed)
    done = Augment.of(GEOMETRY, keep_visible=0.0)(image=image, mask=mask, bboxes=[box], seed=seed)
    rows, columns = np.nonzero(done.mask)
    if len(done.kept) == 0:
        assert len(rows) < 0.02 * mask.sum() + 3  # nothing but what rounding leaves at an edge
        return
    x1, y1, x2, y2 = done.bboxes[0]
    assert (columns + 0.5 >= x1 - 1e-6).all() and (columns + 0.5 <= x2 + 1e-6).all()
    assert (rows + 0.5 >= y1 - 1e-6).all() and (rows + 0.5 <= y2 + 1e-6).all()
    assert 0 <= x1 < x2 <= 80 and 0 <= y1 < y2 <= 60
    if len(rows) > 30:  # and the box is no larger than it must be, where the mask's corners are inside
        _, _, _, corners = scene(seed)
        moved = Augment.of(GEOMETRY)(image=image, keypoints=corners, seed=seed)
        if moved.inside.all():
            assert np.allclose([x1, y1, x2, y2], [*moved.keypoints.min(axis=0), *moved.keypoints.max(axis=0)])


@given(st.integers(0, 10_000))
def test_corners_go_where_their_matrix_says(seed):
    image, _, _, corners = scene(seed)
    done = Augment.of(GEOMETRY)(image=image, keypoints=corners, seed=seed)
    matrix = np.eye(3)
    for step in done.record.steps:
        named = getattr(geometry, step.op)
        matrix = named(SIZE, **step.numbers) @ matrix
    homogeneous = np.column_stack([corners, np.ones(4)]) @ matrix.T
    assert np.allclose(done.keypoints, homogeneous[:, :2])


@given(st.integers(0, 10_000))
def test_a_mask_is_what_its_outline_encloses(seed):
    image, mask, _, corners = scene(seed)
    done = Augment.of([s for s in GEOMETRY if s["op"] != "crop"])(image=image, mask=mask, keypoints=corners, seed=seed)
    drawn = np.zeros_like(mask)
    rows, columns = filled(done.keypoints[:, 1] - 0.5, done.keypoints[:, 0] - 0.5, mask.shape)
    drawn[rows, columns] = 1
    differ = (drawn != done.mask).sum()
    edge = np.linalg.norm(np.diff(np.vstack([done.keypoints, done.keypoints[:1]]), axis=0), axis=1).sum()
    assert differ <= 0.75 * edge + 4  # at most the pixels along the outline


@given(st.integers(0, 10_000))
def test_clipping_is_what_lies_inside(seed):
    rng = np.random.default_rng(seed)
    corners = rng.uniform(-40, 120, (3, 2))
    cut = clipped(corners, SIZE)
    fine = 8
    rows, _ = filled(corners[:, 1] * fine - 0.5, corners[:, 0] * fine - 0.5, (60 * fine, 80 * fine))
    area = polygon_area(cut) if len(cut) else 0.0
    assert abs(area - len(rows) / fine**2) < 0.02 * area + 20
    assert not len(cut) or (cut.min() >= -1e-9 and (cut <= np.array(SIZE) + 1e-9).all())


def test_what_has_left_is_dropped():
    shape = Shape((0.0, 0.0, 20.0, 20.0))
    shift = geometry.translate(SIZE, x_share=-0.2, y_share=0)  # 16 px to the left: a fifth stays
    assert move(shape, shift, SIZE, 0.25) is None
    kept = move(shape, shift, SIZE, 0.15)
    assert kept is not None and kept.box == (0.0, 0.0, 4.0, 20.0)


def test_masks_take_no_new_values():
    image, mask, _, _ = scene(1)
    mask = mask * 7
    for seed in range(20):
        assert set(np.unique(Augment.of(GEOMETRY)(image=image, mask=mask, seed=seed).mask)) <= {0, 7}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"bboxes": [[0, 0, 90, 20]]}, "outside 80x60"),
        ({"bboxes": [[10, 10, 10, 20]]}, "empty"),
        ({"bboxes": [[1, 2, 3]]}, "give (N, 4)"),
        ({"bboxes": [[float("nan"), 0, 1, 1]]}, "give (N, 4)"),
        ({"keypoints": [["a", 1]]}, "give (N, 2)"),
        ({"mask": np.zeros((10, 10), np.uint8)}, "equally large"),
        ({"mask": np.zeros((60, 80), np.int64)}, "convert it"),
        ({"image": np.zeros((60, 80, 4), np.uint8)}, "give (H, W)"),
        ({"image": np.zeros((60, 80), np.float64)}, "float32"),
    ],
)
def test_what_does_not_fit_is_refused(given, words):
    with pytest.raises(UsageError, match=words.replace("(", r"\(").replace(")", r"\)")):
        Augment.of(GEOMETRY)(**{"image": scene(0)[0], "seed": 1, **given})


def test_no_boxes_are_no_boxes():
    done = Augment.of(GEOMETRY)(image=scene(0)[0], bboxes=[], keypoints=[], seed=1)
    assert done.bboxes.shape == (0, 4) and done.keypoints.shape == (0, 2) and done.mask is None
