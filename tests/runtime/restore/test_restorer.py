"""Restoring one picture: tiles, samples, strength, alpha, grey, depth, intervals."""

import numpy as np
import pytest

from safelight.bundle import Bundle
from safelight.errors import BundleError, UsageError
from safelight.picture import Picture
from safelight.runtime.restore import Request, Restorer, RestorerNetworks, check_plausible
from safelight.work import Cancelled, Progress


@pytest.fixture(scope="module")
def model(tiny: Bundle) -> Restorer:
    return Restorer(RestorerNetworks(tiny))


def floats(rng, height: int, width: int, channels: int = 3) -> Picture:
    return Picture(rng.random((height, width, channels), dtype=np.float32))


@pytest.mark.parametrize("strength", [1.0, 0.4])
@pytest.mark.parametrize(("height", "width"), [pytest.param(700, 823, marks=pytest.mark.slow), (900, 97)])
def test_tiles_equal_the_whole(model, rng, strength, height, width):
    picture = floats(rng, height, width)
    ask = {"samples": 2, "seed": 5, "strength": strength}
    whole = model.enhance(picture, **ask)
    tiled = model.enhance(picture, **ask, tile_area_px=30_000)
    assert np.prod(tiled.tile_px) < 0.6 * np.prod(whole.tile_px)
    for one, other in zip((whole.mean, *whole.samples), (tiled.mean, *tiled.samples), strict=True):
        np.testing.assert_allclose(one.pixels, other.pixels, atol=1e-4)
    np.testing.assert_allclose(whole.std, tiled.std, atol=1e-4)
    assert np.abs(whole.mean.pixels - picture.pixels).mean() > 1e-3, "this model does change pictures"


def test_samples_have_seeds_and_temperature(model, rng):
    picture = floats(rng, 64, 64)

    def draw(**ask: float) -> np.ndarray:
        return model.enhance(picture, samples=1, **ask).samples[0].pixels

    np.testing.assert_array_equal(draw(seed=1), draw(seed=1))
    assert np.abs(draw(seed=1) - draw(seed=2)).max() > 1e-4
    cold, cool, warm = draw(temperature=0.0), draw(temperature=0.5), draw(temperature=1.0)
    assert 0 < np.abs(cool - cold).mean() < np.abs(warm - cold).mean()
    np.testing.assert_array_equal(cold, model.enhance(picture).mean.pixels)
    other = model.enhance(Picture(picture.pixels[::-1].copy()), samples=1, seed=1).samples[0].pixels
    assert np.abs(other[::-1] - draw(seed=1)).max() > 1e-4, "another picture sees other noise"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_strength_zero_is_the_input_bit_for_bit(model, rng, dtype):
    pixels = (rng.random((40, 33, 3)) * (1 if dtype == np.float32 else np.iinfo(dtype).max)).astype(dtype)
    alpha = pixels[..., :1].copy()
    for uncertainty in (True, False):
        out = model.enhance(Picture(pixels, alpha), strength=0, samples=1, uncertainty=uncertainty)
        np.testing.assert_array_equal(out.mean.pixels, pixels)
        np.testing.assert_array_equal(out.samples[0].pixels, pixels)
        np.testing.assert_array_equal(out.mean.alpha, alpha)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 200), (7, 9), (8, 8), (65, 1)])
@pytest.mark.parametrize("channels", [1, 3])
def test_any_size(model, rng, height, width, channels):
    pixels = rng.integers(0, 256, (height, width, channels), dtype=np.uint8)
    out = model.enhance(Picture(pixels), samples=1)
    assert out.mean.pixels.shape == out.samples[0].pixels.shape == out.std.shape == pixels.shape
    assert out.mean.pixels.dtype == np.uint8


def test_grey_in_colour_stays_grey(model, rng):
    grey = Picture(rng.integers(0, 256, (300, 64, 1), dtype=np.uint8))
    colour = grey.with_(pixels=grey.pixels.repeat(3, axis=2))
    ask = {"samples": 2, "strength": 0.7}
    expected, found = model.enhance(grey, **ask), model.enhance(colour, **ask)
    for one, other in zip((found.mean, *found.samples), (expected.mean, *expected.samples), strict=True):
        assert (one.pixels == one.pixels[..., :1]).all() and one.pixels.shape == colour.pixels.shape
        assert np.abs(one.pixels.astype(int).mean() - other.pixels.astype(int).mean()) < 2
    assert (found.std == found.std[..., :1]).all()
    almost = colour.pixels.copy()
    almost[299, 63, 2] ^= 1
    sample = model.enhance(colour.with_(pixels=almost), samples=1).samples[0].pixels
    assert (sample != sample[..., :1]).any(), "one coloured pixel makes it a picture in colour"


def test_depths_agree(model, rng):
    eight = Picture(rng.integers(0, 256, (48, 48, 3), dtype=np.uint8))
    results = [model.enhance(p).mean.as_float() for p in (eight, eight.with_depth(16), eight.with_depth(32))]
    np.testing.assert_allclose(results[1], np.clip(results[2], 0, 1), atol=1e-5)
    np.testing.assert_allclose(results[0], results[1], atol=0.51 / 255)


def test_bright_float_pictures_are_scaled_not_clipped(model, rng):
    pixels = rng.random((48, 48, 1), dtype=np.float32)
    pixels[0, 0] = 1.0
    small, large = model.enhance(Picture(pixels)), model.enhance(Picture(pixels * 4000))
    white = np.percentile(pixels, 99.9)
    scaled = model.enhance(Picture(pixels / white))
    np.testing.assert_allclose(large.mean.pixels, scaled.mean.pixels * 4000 * white, rtol=1e-3, atol=0.5)
    np.testing.assert_allclose(large.std, scaled.std * 4000 * white, rtol=1e-3, atol=0.5)
    assert small.std.max() < 2


def test_hidden_colour_does_not_bleed_and_alpha_is_passed_on(model, rng):
    visible = rng.integers(60, 200, (96, 96, 3), dtype=np.uint8)
    alpha = np.zeros((96, 96, 1), np.uint8)
    alpha[:, :48] = 255
    hidden = visible.copy()
    hidden[:, 48:] = (255, 0, 255)
    one, other = (model.enhance(Picture(p, alpha)) for p in (visible, hidden))
    np.testing.assert_array_equal(one.mean.pixels[:, :48], other.mean.pixels[:, :48])
    np.testing.assert_array_equal(one.mean.alpha, alpha)
    np.testing.assert_array_equal(other.mean.pixels[:, 48:], hidden[:, 48:])
    check_plausible(Picture(hidden, alpha), other.mean, "a")
    assert one.std[:, 48:].max() == 0


def test_intervals_are_symmetric_nested_and_calibrated(model, rng):
    out = model.enhance(floats(rng, 32, 32))
    low, high = out.interval(0.9)
    np.testing.assert_allclose((high - low) / 2, 1.7 * out.interval_unit * out.std, rtol=1e-3)
    inner = out.interval(0.5)
    assert (inner[0] >= low).all() and (inner[1] <= high).all()
    for level in (0, 0.95, 1, -1):
        with pytest.raises(UsageError, match="outside what was calibrated"):
            out.interval(level)
    with pytest.raises(UsageError, match="full strength"):
        model.enhance(floats(rng, 8, 8), strength=0.5).interval(0.9)
    with pytest.raises(UsageError, match="uncertainty=True"):
        model.enhance(floats(rng, 8, 8), uncertainty=False).interval(0.9)


@pytest.mark.parametrize(
    "ask", [{"strength": 1.1}, {"strength": -0.1}, {"temperature": 3}, {"samples": 65}, {"sigma_01": 2}]
)
def test_out_of_range_is_refused(model, rng, ask):
    with pytest.raises(UsageError, match="use 0"):
        model.enhance(floats(rng, 8, 8), **ask)
    with pytest.raises(UsageError, match="whole number"):
        model.enhance(floats(rng, 8, 8), samples=1.5)


def test_lack_of_memory_shrinks_the_tiles(model, rng, monkeypatch):
    real, sizes = model.networks.estimate, []

    def scarce(expert: str, degraded: np.ndarray, *rest: object, **more: object) -> object:
        sizes.append(degraded.shape[2] * degraded.shape[3])
        if sizes[-1] > 200_000:
            raise MemoryError("too much")
        return real(expert, degraded, *rest, **more)

    monkeypatch.setattr(model.networks, "estimate", scarce)
    picture = floats(rng, 512, 512)
    out = model.enhance(picture, uncertainty=False, tile_area_px=300_000)
    monkeypatch.undo()
    assert sizes[0] > 200_000 >= sizes[-1]
    np.testing.assert_allclose(out.mean.pixels, model.enhance(picture, uncertainty=False).mean.pixels, atol=1e-4)


def test_progress_counts_tiles_and_can_cancel(model, rng):
    picture, reports = floats(rng, 300, 300), []
    out = model.enhance(picture, tile_area_px=30_000, on_progress=reports.append)
    assert out.tile_px != picture.size[::-1]
    assert [report.done for report in reports] == list(range(1, len(reports) + 1))
    assert {report.total for report in reports} == {len(reports)} and len(reports) >= 4

    def cancel(now: Progress) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        model.enhance(picture, on_progress=cancel)


def test_it_is_loaded_by_path_and_by_known_names(tiny):
    assert Restorer.load(tiny.folder).card == tiny.card == Restorer.load(str(tiny.folder)).card
    with pytest.raises(BundleError, match="use one of"):
        Restorer.load("nonesuch")


def test_arrays_are_no_pictures(model):
    with pytest.raises(UsageError, match=r"takes a Picture, not ndarray; use safelight.read"):
        model.enhance(np.zeros((8, 8, 3), np.uint8))


@pytest.mark.parametrize("strength", [1.0, 0.4])
def test_a_window_without_its_halo_is_the_same(model, rng, strength):
    prepared = model.prepare(floats(rng, 200, 240))
    request = Request(samples=1, strength=0.5, uncertainty=True)
    window = prepared.window((60, 130), (0, 90), request)
    small = window.without_halo()
    assert small.degraded.size < 0.5 * window.degraded.size
    for one, other in zip(window.pixels(strength), small.pixels(strength), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    np.testing.assert_array_equal(window.std, small.std)


def test_progress_counts_the_mean_and_every_sample_of_a_tile(model, rng):
    told = []
    model.enhance(floats(rng, 60, 60), samples=3, on_progress=lambda now: told.append((now.done, now.total)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
