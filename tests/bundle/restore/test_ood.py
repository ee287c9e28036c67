"""The out-of-distribution reference: distances to training patches, the best expert, and the scale's correction."""

from dataclasses import replace

import numpy as np
import pytest

from safelight.bundle import OodReference
from safelight.bundle.restore.ood import FARTHEST


def test_scores_are_distances_over_the_limit():
    reference = OodReference(
        centre=np.array([1.0], np.float32),
        projection=np.array([[2.0]], np.float32),
        reference=np.array([[0.0], [1.0], [2.0], [50.0]], np.float32),
        limit=np.float32(4),
        error=np.zeros((4, 1), np.float32),
        correction=np.zeros((4, 1, 3), np.float32),
    )
    embedding = reference.embed(np.array([4.0]))
    assert embedding == pytest.approx([6])
    assert reference.ood_score(embedding) == pytest.approx((6 + 5 + 4) / 3 / 4)
    assert reference.ood_score(embedding / 2) < 1
    assert reference.ood_score(0 * embedding, drawn=0.0) == 1 and 1.9 < reference.ood_score(0 * embedding, drawn=9) < 2
    of_drawings = replace(reference, drawn_limit=np.float32(9))
    assert of_drawings.ood_score(0 * embedding, drawn=9) == 1 > of_drawings.ood_score(0 * embedding, drawn=5)
    for wrong in (np.nan, np.inf, -np.inf, 1e300):
        assert np.abs(reference.embed(np.array([wrong]))) == pytest.approx(FARTHEST), "as far away as possible"


@pytest.fixture
def two_kinds() -> OodReference:
    """20 patches near 0, which expert 0 restores best, and 20 near 10, which expert 1 does."""
    here, there = np.random.default_rng(0).standard_normal((2, 20, 1)).astype(np.float32) / 10
    return OodReference(
        centre=np.zeros(1, np.float32),
        projection=np.ones((1, 1), np.float32),
        reference=np.concatenate([here, there + 10]),
        limit=np.float32(2),
        error=np.repeat([[-9, -8], [-5, -7]], 20, axis=0).astype(np.float32),
        correction=np.repeat(np.log([[[0.5, 0.7, 1], [9, 9, 9]], [[9, 9, 9], [3, 2, 0.9]]]), 20, axis=0),
    )


def test_the_nearest_training_pictures_choose_the_expert_and_correct_its_scale(two_kinds):
    near, far = np.float32([0]), np.float32([10])
    assert (two_kinds.best_expert(near), two_kinds.best_expert(far)) == (0, 1)
    assert two_kinds.correction_at(near, 0) == pytest.approx((0.5, 0.7, 1))
    assert two_kinds.correction_at(far, 1) == pytest.approx((3, 2, 0.9))
    assert two_kinds.average_correction(1) == pytest.approx((3, 2, 0.9)), "of the pictures that it serves"


def test_out_of_distribution_the_scale_is_never_narrowed(two_kinds):
    outside = np.float32([-10])
    assert two_kinds.ood_score(outside) > 1
    assert two_kinds.correction_at(outside, 0) == pytest.approx((1, 1, 1))
