"""The shipped bundle restores photographs."""

import io

import numpy as np
import pytest
import skimage.color
from PIL import Image, ImageCms

from safelight.bundle import Bundle
from safelight.metrics import mse, psnr_db
from safelight.picture import Metadata, Picture, read
from safelight.runtime.restore import Restorer, RestorerNetworks, check_plausible
from tests.support import ROOT


@pytest.fixture(scope="module")
def model(photo: Bundle) -> Restorer:
    return Restorer(RestorerNetworks(photo))


@pytest.mark.slow
def test_the_shipped_bundle_on_the_sample_pictures(model, rng):
    """It restores, its tiles and samples have no seams, and one sample is about twice as far off as the mean."""
    paths = sorted((ROOT / "examples" / "samples").glob("*.webp"))[1:3]
    clean = np.concatenate([read(path).as_float() for path in paths], axis=1)  # wide enough for tiles and their halos
    noisy = clean + np.float32(25 / 255) * rng.standard_normal(clean.shape, dtype=np.float32)
    whole = model.enhance(Picture(noisy), samples=1, seed=3)
    tiled = model.enhance(Picture(noisy), samples=1, seed=3, tile_area_px=350_000)
    assert np.prod(tiled.tile_px) < np.prod(whole.tile_px)
    np.testing.assert_allclose(whole.mean.pixels, tiled.mean.pixels, atol=1e-4)
    np.testing.assert_allclose(whole.samples[0].pixels, tiled.samples[0].pixels, atol=1e-4)
    assert 1.5 <= mse(whole.samples[0].pixels, clean) / mse(whole.mean.pixels, clean) <= 2.3
    assert psnr_db(whole.mean.pixels, clean) - psnr_db(noisy, clean) > 8


def test_a_dark_frame_stays_dark(model, rng):
    dark = Picture(rng.integers(0, 40, (64, 64, 3), dtype=np.uint16))
    out = model.enhance(dark, uncertainty=False).mean
    check_plausible(dark, out, "dark")
    assert out.pixels.max() < 1500


def test_wide_gamut_colours_stay_themselves(model, data):
    """A photograph with a Display-P3 profile: mean colours of its patches move by ΔE < 1."""
    import pyvips

    profile = pyvips.Operation.call("profile_load", "p3")
    profile = profile if isinstance(profile, bytes) else bytes(profile)
    source = Image.open(sorted((data / "bench" / "kodak24").iterdir())[3]).convert("RGB").crop((0, 0, 256, 256))
    picture = Picture(np.asarray(source), metadata=Metadata(icc=profile))
    out = model.enhance(picture, uncertainty=False).mean
    assert out.metadata.icc == profile
    srgb = ImageCms.createProfile("sRGB")

    def lab(pixels: np.ndarray) -> np.ndarray:
        seen = ImageCms.profileToProfile(Image.fromarray(pixels), ImageCms.ImageCmsProfile(io.BytesIO(profile)), srgb)
        blocks = np.asarray(seen, np.float64).reshape(8, 32, 8, 32, 3).mean((1, 3)) / 255
        return skimage.color.rgb2lab(blocks)

    assert skimage.color.deltaE_ciede2000(lab(picture.pixels), lab(out.pixels)).max() < 1
