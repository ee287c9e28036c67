"""A first look: where it looks, what it measures, and what is made of it."""

import dataclasses

import numpy as np
import pytest

from safelight.picture import Picture
from safelight.runtime.restore import Restorer, RestorerNetworks
from safelight.runtime.restore.canvas import Canvas
from safelight.runtime.restore.look import OF_PATTERNS, OF_REMOVED, WINDOW_PX, corners, look, statistics


@pytest.mark.parametrize(("height", "width"), [(128, 128), (129, 400), (321, 481), (3000, 4000), (128, 60000)])
def test_windows_lie_inside_and_apart(height, width):
    places = corners(height, width)
    assert len(set(places)) == len(places) <= (16 if height * width > 4_000_000 else 4)
    assert len(places) == 4 or min(height, width) < 144 or height * width > 4_000_000
    for row, column in places:
        assert 0 <= row <= height - WINDOW_PX and 0 <= column <= width - WINDOW_PX
        assert row % 8 == column % 8 == 0
    assert width < 3 * WINDOW_PX or len({column for _, column in places}) > 1


def test_statistics_know_white_from_smooth_and_gaussian_from_salt(rng):
    mean = np.zeros((2, 3, 64, 64), dtype=np.float32)
    features = rng.standard_normal((2, 5, 8, 8)).astype(np.float32)
    white = rng.standard_normal(mean.shape).astype(np.float32)
    smooth = (white + np.roll(white, 1, axis=3)) / np.float32(2**0.5)
    salt = np.where(rng.random(mean.shape) < 0.01, 10, 0).astype(np.float32)
    rows = white + rng.standard_normal((2, 1, 64, 1)).astype(np.float32)
    degraded = {"white": white, "smooth": smooth, "salt": salt, "rows": rows}
    found = {name: statistics(d, mean, features)[10:] for name, d in degraded.items()}
    assert all(len(statistic) == OF_REMOVED + OF_PATTERNS for statistic in found.values())
    variance, kurtosis, along, across = (found["white"][k] for k in (0, 3, 6, 12))
    assert variance == pytest.approx(0, abs=0.1)
    assert kurtosis == pytest.approx(np.log(3), abs=0.1)
    assert along == pytest.approx(0, abs=0.05) and across == pytest.approx(0, abs=0.05)
    assert found["smooth"][12] == pytest.approx(0.5, abs=0.05), "along rows it is smooth"
    assert found["smooth"][6] == pytest.approx(0, abs=0.05), "between rows it is not"
    assert found["salt"][3] > np.log(30)
    lines = OF_REMOVED
    assert found["white"][lines] == pytest.approx(0, abs=0.3), "a row's mean varies as that of independent pixels"
    shared = OF_REMOVED + 2
    grey = statistics(white[:, :1].repeat(3, axis=1), mean, features)[10:]
    assert found["white"][shared] == pytest.approx(0, abs=0.05) and grey[shared] == pytest.approx(1, abs=0.01)
    assert found["rows"][lines] > 2 and found["rows"][lines + 1] < 0.3, "rows of their own brightness, no columns"


def blurred(pixels: np.ndarray) -> np.ndarray:
    """By a binomial filter of about 2 pixels."""
    for axis in (0, 1):
        for _ in range(8):
            pixels = (np.roll(pixels, 1, axis) + 2 * pixels + np.roll(pixels, -1, axis)) / 4
    return pixels.astype(np.float32)


def test_statistics_know_waves_grey_and_directions(rng):
    features = np.zeros((1, 5, 8, 8), dtype=np.float32)
    scene = blurred(rng.random((128, 128, 3)))
    wave = 0.05 * np.sin(2 * np.pi * np.arange(128, dtype=np.float32) / 3.3)[None, :, None]
    grey = np.repeat(scene.mean(axis=2, keepdims=True), 3, axis=2)

    def patterns(pixels: np.ndarray) -> np.ndarray:
        planar = pixels.transpose(2, 0, 1)[None].astype(np.float32)
        return statistics(planar, planar, features)[-5:]

    of_scene, of_wave, of_grey = (patterns(pixels) for pixels in (scene, scene + wave, grey))
    direction, across, along, colour, single = range(5)
    assert of_scene[direction] < 0.3 < of_wave[direction]
    assert of_grey[colour] < of_scene[colour] - 3
    assert of_wave[single] > of_scene[single] + 2
    assert patterns(scene.swapaxes(0, 1))[[across, along]] == pytest.approx(of_scene[[along, across]], abs=1e-4)


def test_the_look_does_not_depend_on_tiles(tiny, rng):
    model = Restorer(RestorerNetworks(tiny))
    picture = Picture(rng.integers(0, 256, (200, 300, 3), dtype=np.uint8))
    scores = {model.enhance(picture, tile_area_px=area).ood_score for area in (2_000_000, 20_000)}
    assert len(scores) == 1


def test_small_pictures_are_not_judged(tiny, rng):
    pixels = rng.integers(0, 256, (128, 300, 3), dtype=np.uint8)
    large, small = (Restorer(RestorerNetworks(tiny)).enhance(Picture(part)) for part in (pixels, pixels[:127]))
    assert small.ood_score is None and not small.out_of_distribution
    assert large.ood_score is not None
    inner = np.s_[:40, :, :]
    np.testing.assert_allclose(small.std[inner], large.std[inner], rtol=1e-4, err_msg="an average correction")


def test_what_is_not_finite_is_outside_and_stays_local(tiny, rng):
    pixels = rng.random((160, 160, 3)).astype(np.float32)
    sound = Restorer(RestorerNetworks(tiny)).enhance(Picture(pixels.copy()))
    pixels[40:44, 40:44] = 1e20
    out = Restorer(RestorerNetworks(tiny)).enhance(Picture(pixels))
    assert out.out_of_distribution and np.isfinite(out.ood_score)
    assert np.isfinite(out.std[120:, 120:]).all() and not sound.out_of_distribution


def test_the_scale_is_corrected_by_kind(tiny, rng):
    networks = RestorerNetworks(tiny)
    picture = Picture(rng.integers(0, 256, (130, 140, 3), dtype=np.uint8))
    before = Restorer(networks).enhance(picture, samples=1)
    assert look(networks, Canvas.of(picture)).correction == pytest.approx(np.exp([0.1, 0.3, 0]), rel=1e-5)
    logs = np.tile(np.log([2 * np.exp(0.1), 3, 1]), (5, 2, 1))
    networks.ood_reference = dataclasses.replace(networks.ood_reference, correction=logs)
    after = Restorer(networks).enhance(picture, samples=1)
    np.testing.assert_allclose(after.std, 2 * before.std, rtol=1e-5)
    moved = [np.abs(out.samples[0].as_float() - out.mean.as_float()).mean() for out in (before, after)]
    assert moved[1] > 1.5 * moved[0]
    wide = logs + np.log([1, 1, 2])  # draws vary too much by themselves
    networks.ood_reference = dataclasses.replace(networks.ood_reference, correction=wide)
    again = Restorer(networks).enhance(picture, samples=1)
    np.testing.assert_array_equal(again.samples[0].pixels, before.samples[0].pixels)
    np.testing.assert_array_equal(again.std, after.std)
    widths = [np.subtract(*reversed(out.interval(0.9))) for out in (before, after)]
    np.testing.assert_allclose(widths[1], np.exp(np.log(3) - 0.3) * widths[0], rtol=1e-3, atol=1e-6)
    quantile = networks.calibration.quantile(0.9)
    unit = before.std / (np.exp(0.1) * networks.calibration.std_factor)  # the scale as predicted
    np.testing.assert_allclose(widths[0], 2 * quantile * np.exp(0.3) * unit, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("size", [(130, 140), (20, 30)])
def test_the_chosen_expert_restores_pictures_of_any_size(tiny, rng, size):
    picture = Picture(rng.integers(0, 256, (*size, 3), dtype=np.uint8))
    networks = RestorerNetworks(tiny)
    one = Restorer(networks).enhance(picture, samples=1)
    networks.ood_reference = dataclasses.replace(networks.ood_reference, error=networks.ood_reference.error[:, ::-1])
    other = Restorer(networks).enhance(picture, samples=1)
    assert (one.expert, other.expert) == ("one", "other")
    assert not np.array_equal(one.mean.pixels, other.mean.pixels)
    canvas = Canvas.of(picture)
    size = tuple(-(-n // 8) * 8 for n in size)
    direct = networks.estimate("other", canvas.take((0, size[0]), (0, size[1]))[None]).mean[0]
    found = canvas.pixels(direct[:, : picture.pixels.shape[0], : picture.pixels.shape[1]], (0, 0), (0, 0))
    assert np.abs(found.astype(int) - other.mean.pixels).max() <= 1
