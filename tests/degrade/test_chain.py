"""Degradations: recorded, replayed, independent of order; and each does what it says."""

import inspect
import io
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from safelight.degrade import BOUNDS, DEGRADATIONS, DegradeRecord, DegradeStep, draw, replay
from safelight.degrade.light import to_gamma, to_linear
from safelight.errors import RecipeError, UsageError

RANGES = {
    "camera_noise": {"shot": (0.001, 0.01), "read": (0.001, 0.01), "red_gain": (1.5, 2), "mosaic": (0, 1)},
    "disk_blur": {"radius_px": (0.5, 3)},
    "exposure": {"stops": (-1, 1)},
    "gaussian_blur": {"sigma_px": (0.5, 2)},
    "gaussian_noise": {"sigma_255": (5, 50)},
    "jpeg": {"quality": (10, 90), "subsample": (0, 1)},
    "motion_blur": {"length_px": (2, 9), "angle_deg": (0, 180)},
    "quantise": {},
    "resample": {"factor": (0.3, 0.9)},
    "webp": {"quality": (10, 90)},
}


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    """Smooth shapes in colour."""
    y, x = np.mgrid[0:48, 0:64].astype(np.float32)
    waves = [0.5 + 0.3 * np.sin(x / 9 + k) * np.cos(y / 7 - k) for k in range(3)]
    return np.stack(waves, axis=2).astype(np.float32)


def test_every_kind_is_tested():
    assert RANGES.keys() == DEGRADATIONS.keys()


def test_every_parameter_has_bounds():
    numbers = {
        kind: {p.name for p in inspect.signature(function).parameters.values() if p.kind == p.KEYWORD_ONLY}
        for kind, function in DEGRADATIONS.items()
    }
    assert numbers == {kind: set(bounds) for kind, bounds in BOUNDS.items()}


@pytest.mark.parametrize("kind", sorted(BOUNDS))
def test_pixels_are_finite_at_the_bounds(scene, kind):
    for ends in itertools.product(*((known.least, known.most) for known in BOUNDS[kind].values())):
        step = DegradeStep.fixed(kind, **dict(zip(BOUNDS[kind], ends, strict=True)))
        degraded = replay(scene, draw([step], 0))
        assert degraded.shape == scene.shape and np.isfinite(degraded).all(), step


@pytest.mark.parametrize("kind", sorted(RANGES))
@pytest.mark.parametrize("channels", [1, 3])
def test_replay_from_json_gives_the_same_pair(scene, kind, channels):
    pixels = scene[..., :channels].copy()
    untouched = pixels.copy()
    record = draw([DegradeStep(kind, RANGES[kind])], 3, "a.png", 7)
    once, again = replay(pixels, record), replay(pixels, DegradeRecord.from_json(record.to_json()))
    np.testing.assert_array_equal(once, again)
    np.testing.assert_array_equal(pixels, untouched)
    assert once.shape == pixels.shape
    assert once.dtype == np.float32
    assert np.isfinite(once).all()
    assert 0 < np.abs(once - pixels).mean() < 0.4


@pytest.mark.parametrize("kind", ["disk_blur", "exposure", "gaussian_blur", "quantise", "resample"])
def test_nothing_is_moved(scene, kind):
    for k, flips in itertools.product(range(4), (np.s_[::-1], np.s_[:, ::-1])):
        record = draw([DegradeStep(kind, RANGES[kind])], k)
        np.testing.assert_allclose(replay(scene[flips], record), replay(scene, record)[flips], atol=2 / 255)


@given(st.integers(0, 2**40), st.text(max_size=8), st.integers(0, 99))
@settings(max_examples=30)
def test_draws_depend_on_identity_only(seed, name, copy):
    chain = [DegradeStep("gaussian_noise", {"sigma_255": (0, 50)}), DegradeStep("jpeg", {"quality": (10, 90)})]
    assert draw(chain, seed, name, copy) == draw(chain, seed, name, copy)
    assert draw(chain, seed, name, copy).steps != draw(chain, seed, name, copy + 1).steps
    for _, parameters in draw(chain, seed, name, copy).steps:
        assert all(0 <= value <= 90 for value in parameters.values())


def test_unknown_kind_says_what_there_is():
    with pytest.raises(RecipeError, match=rf"'sharpen' is not known; choose one of: {min(DEGRADATIONS)}"):
        DegradeStep("sharpen")


@given(st.floats(-0.5, 2))
def test_light_round_trip(value):
    pixels = np.full((1, 1, 1), value, np.float32)
    np.testing.assert_allclose(to_gamma(to_linear(pixels)), pixels, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "ranges", "reason"),
    [
        ("jpeg", {"qualty": (1, 2)}, "takes no 'qualty'; it takes: quality, subsample"),
        ("jpeg", {}, "needs 'quality'"),
        ("jpeg", {"quality": (90, 10)}, "is no range"),
        ("jpeg", {"quality": (1, 2, 3)}, "is no range"),
        ("jpeg", {"quality": ("a", "b")}, "is no range"),
        ("quantise", {"x": (0, 1)}, "it takes: nothing"),
        ("jpeg", {"quality": (10, 500)}, "^jpeg.quality is 500; use 1 to 100$"),
        ("jpeg", {"quality": (1, 10**400)}, "^jpeg.quality is 10+; use 1 to 100$"),
        ("webp", {"quality": (0, 0)}, "^webp.quality is 0; use 1 to 100$"),
        ("disk_blur", {"radius_px": (-1, 3)}, "^disk_blur.radius_px is -1; use 0 to 64 px$"),
        ("camera_noise", {"shot": (-1, -1), "read": (0, 0)}, "^camera_noise.shot is -1; use 0 to 1 of full scale$"),
        ("camera_noise", {"shot": (0, 0), "read": (0, 0), "red_gain": (0, 1)}, "red_gain is 0; use 0.1 to 10$"),
    ],
)
def test_wrong_parameters_are_told(kind, ranges, reason):
    with pytest.raises(RecipeError, match=reason):
        DegradeStep(kind, ranges)


def test_gaussian_noise_has_its_sigma_and_is_not_clipped():
    flat = np.ones((200, 200, 3), np.float32)
    noise = replay(flat, draw([DegradeStep.fixed("gaussian_noise", sigma_255=25)], 0)) - flat
    assert noise.std() * 255 == pytest.approx(25, rel=0.01)
    assert noise.max() > 0.2


def test_camera_noise_follows_its_law():
    """Var[raw] = shot · raw + read², in linear light."""
    for level in (0.35, 0.6):
        flat = np.full((300, 300, 3), level, np.float32)
        noisy = replay(flat, draw([DegradeStep.fixed("camera_noise", shot=0.002, read=0.004)], 1))
        raw = to_linear(flat)[0, 0, 0]
        assert np.var(to_linear(noisy)) == pytest.approx(0.002 * raw + 0.004**2, rel=0.03)


def test_mosaic_correlates_neighbours_and_its_absence_does_not():
    flat = np.full((128, 128, 3), 0.5, np.float32)

    def neighbour_correlation(mosaic: float) -> float:
        step = DegradeStep.fixed("camera_noise", shot=0.002, read=0.002, mosaic=mosaic)
        red = replay(flat, draw([step], 2))[..., 0]
        return float(np.corrcoef(red[:, :-1].ravel(), red[:, 1:].ravel())[0, 1])

    assert neighbour_correlation(1) > 0.3
    assert abs(neighbour_correlation(0)) < 0.05


@pytest.mark.parametrize("subsample", [0, 1])
def test_jpeg_is_what_pillow_makes(scene, subsample):
    ours = replay(scene, draw([DegradeStep.fixed("jpeg", quality=60, subsample=subsample)], 0))
    buffer = io.BytesIO()
    eight = np.rint(scene * 255).astype(np.uint8)
    Image.fromarray(eight).save(buffer, "JPEG", quality=60, subsampling=2 if subsample else 0)
    theirs = np.asarray(Image.open(buffer), np.float32) / 255
    assert np.abs(ours - theirs).mean() < 1 / 255


def test_gaussian_blur_is_scipys(scene):
    ours = replay(scene, draw([DegradeStep.fixed("gaussian_blur", sigma_px=1.3)], 0))
    theirs = ndimage.gaussian_filter(scene, (1.3, 1.3, 0), mode="nearest", radius=(4, 4, 0))
    np.testing.assert_allclose(ours, theirs, atol=2e-5)


@pytest.mark.parametrize(
    "step", [DegradeStep.fixed("disk_blur", radius_px=2), DegradeStep.fixed("motion_blur", length_px=7, angle_deg=30)]
)
def test_blurs_keep_flat_fields_and_the_mean_of_a_point(step):
    flat = np.full((31, 31, 1), 0.25, np.float32)
    np.testing.assert_allclose(replay(flat, draw([step], 0)), flat, atol=1e-6)
    point = np.zeros((31, 31, 1), np.float32)
    point[15, 15] = 1
    spread = replay(point, draw([step], 0))
    assert spread.sum() == pytest.approx(1, abs=1e-4)
    centre = ndimage.center_of_mass(spread[..., 0])
    np.testing.assert_allclose(centre, (15, 15), atol=0.05)


def test_motion_blur_goes_counter_clockwise():
    point = np.zeros((31, 31, 1), np.float32)
    point[15, 15] = 1
    spread = replay(point, draw([DegradeStep.fixed("motion_blur", length_px=10, angle_deg=45)], 0))[..., 0]
    assert spread[12, 18] > 0 and spread[18, 12] > 0
    assert spread[12, 12] == 0


def test_exposure_doubles_linear_light():
    flat = np.full((4, 4, 3), 0.3, np.float32)
    brighter = replay(flat, draw([DegradeStep.fixed("exposure", stops=1)], 0))
    np.testing.assert_allclose(to_linear(brighter), 2 * to_linear(flat), rtol=1e-4)


def test_bytes_are_no_pixels(scene):
    with pytest.raises(UsageError, match=r"not uint8; use picture.as_float\(\)"):
        replay((255 * scene).astype(np.uint8), draw([DegradeStep("quantise")], 0))
