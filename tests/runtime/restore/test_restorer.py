"""Enhancing one picture: tiles, samples, strength, alpha, grey, depth, colour."""

import numpy as np
import pytest
import skimage.color
from PIL import Image, ImageCms

from safelight.bundle import Bundle
from safelight.degrade import Step, draw, replay
from safelight.errors import BundleError, DeviceError, OutputError, UsageError
from safelight.metrics import mse, psnr_db
from safelight.picture import Metadata, Picture, read
from safelight.runtime import Restorer, RestorerNetworks, check_plausible, load
from safelight.runtime.graphs import open_graph
from safelight.runtime.restore.canvas import Canvas
from support import ROOT


@pytest.fixture(scope="module")
def model(tiny: Bundle) -> Restorer:
    return Restorer(RestorerNetworks(tiny))


def floats(rng, height: int, width: int, channels: int = 3) -> Picture:
    return Picture(rng.random((height, width, channels), dtype=np.float32))


@pytest.mark.parametrize("strength", [1.0, 0.4])
@pytest.mark.parametrize(("height", "width"), [(700, 823), (900, 97)])
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


def test_the_card_s_halo_is_needed_and_enough(tiny, rng):
    """Nothing beyond the halo has an influence; something not far inside it has."""
    networks = RestorerNetworks(tiny)
    picture = rng.random((1, 3, 256, 256), dtype=np.float32)
    changed = picture.copy()
    changed[..., 128 + tiny.card.mean_halo_px :] += 0.5
    one, other = networks.estimate("one", picture), networks.estimate("one", changed)
    np.testing.assert_array_equal(one.mean[..., :128], other.mean[..., :128])
    np.testing.assert_array_equal(one.scale[..., :128], other.scale[..., :128])
    assert np.abs(one.scale[..., 128:] - other.scale[..., 128:]).max() > 0


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


def test_noise_alone_does_not_make_another_scale(rng):
    """Unclipped noise lifts a white wall's brightest values over 1.5, and yet its white is 1."""
    noisy = 0.9 + 50 / 255 * rng.standard_normal((200, 200, 3)).astype(np.float32)
    assert np.percentile(noisy, 99.9) > 1.5
    assert Canvas.of(Picture(noisy)).white == 1
    assert Canvas.of(Picture(noisy * 100)).white > 100
    for height in (900, 1100):  # more than a million values, of which some are looked at
        one_channel = np.full((height, 1000, 3), 0.5, np.float32)
        one_channel[..., 2] = 100
        assert Canvas.of(Picture(one_channel)).white == 100


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


def test_devices_and_graphs_that_are_not_there(tiny, tmp_path):
    with pytest.raises(DeviceError, match="use --device cpu"):
        RestorerNetworks(tiny, "cuda")
    for wrong in ({"device": "gpu"}, {"threads": 0}, {"precision": "int4"}):
        with pytest.raises(UsageError, match="use "):
            RestorerNetworks(tiny, **wrong)
    (tmp_path / "x.onnx").write_bytes(b"no graph")
    with pytest.raises(BundleError, match="onnxruntime refuses it"):
        open_graph(tmp_path / "x.onnx", "cpu", 1)


def test_implausible_results_are_not_written(rng):
    before = Picture(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8))
    check_plausible(before, before, "a")
    for pixels, reason in ((np.zeros_like(before.pixels), "flat"), (before.pixels // 3, "darker")):
        with pytest.raises(OutputError, match=reason):
            check_plausible(before, before.with_(pixels=pixels), "a")
    flat = np.broadcast_to(np.rint(before.pixels.mean(axis=(0, 1))).astype(np.uint8), before.pixels.shape)
    with pytest.raises(OutputError, match="flat"):
        check_plausible(before, before.with_(pixels=flat), "one colour that is no grey")
    with pytest.raises(OutputError, match="not finite"):
        check_plausible(before, Picture(np.full((16, 16, 3), np.nan, np.float32)), "a")
    dark = Picture(np.zeros((16, 16, 3), np.uint16))
    check_plausible(dark, dark, "a dark frame is all right")


def test_wide_gamut_colours_stay_themselves(photo, data):
    """A photograph with a Display-P3 profile: mean colours of its patches move by ΔE < 1."""
    import pyvips

    profile = pyvips.Operation.call("profile_load", "p3")
    profile = profile if isinstance(profile, bytes) else bytes(profile)
    source = Image.open(sorted((data / "bench" / "kodak24").iterdir())[3]).convert("RGB").crop((0, 0, 256, 256))
    picture = Picture(np.asarray(source), metadata=Metadata(icc=profile))
    out = Restorer(RestorerNetworks(photo)).enhance(picture, uncertainty=False).mean
    assert out.metadata.icc == profile
    srgb = ImageCms.createProfile("sRGB")
    import io

    def lab(pixels: np.ndarray) -> np.ndarray:
        seen = ImageCms.profileToProfile(Image.fromarray(pixels), ImageCms.ImageCmsProfile(io.BytesIO(profile)), srgb)
        blocks = np.asarray(seen, np.float64).reshape(8, 32, 8, 32, 3).mean((1, 3)) / 255
        return skimage.color.rgb2lab(blocks)

    assert skimage.color.deltaE_ciede2000(lab(picture.pixels), lab(out.pixels)).max() < 1


def test_the_shipped_bundle_on_the_sample_pictures(photo):
    """It restores, its tiles and samples have no seams, and one sample is about twice as far off as the mean."""
    model = Restorer(RestorerNetworks(photo))
    paths = sorted((ROOT / "examples" / "samples").glob("*.webp"))[1:3]
    clean = np.concatenate([read(path).as_float() for path in paths], axis=1)  # wide enough for tiles and their halos
    noisy = replay(clean, draw([Step.fixed("gaussian_noise", sigma_255=25)], 0, "joined"))
    whole = model.enhance(Picture(noisy), samples=1, seed=3)
    tiled = model.enhance(Picture(noisy), samples=1, seed=3, tile_area_px=350_000)
    assert np.prod(tiled.tile_px) < np.prod(whole.tile_px)
    np.testing.assert_allclose(whole.mean.pixels, tiled.mean.pixels, atol=1e-4)
    np.testing.assert_allclose(whole.samples[0].pixels, tiled.samples[0].pixels, atol=1e-4)
    assert 1.5 <= mse(whole.samples[0].pixels, clean) / mse(whole.mean.pixels, clean) <= 2.3
    assert psnr_db(whole.mean.pixels, clean) - psnr_db(noisy, clean) > 8


def test_a_dark_frame_stays_dark(photo, rng):
    dark = Picture(rng.integers(0, 40, (64, 64, 3), dtype=np.uint16))
    out = Restorer(RestorerNetworks(photo)).enhance(dark, uncertainty=False).mean
    check_plausible(dark, out, "dark")
    assert out.pixels.max() < 1500


def test_load_by_name_and_unknown_name():
    with pytest.raises(BundleError, match="use one of"):
        load("nonesuch")
