"""A codec beside the usual formats."""

import json

import numpy as np
import pytest

from safelight.evaluation.codec import at_rate, most_detailed
from safelight.metrics import bd_rate
from safelight.metrics.rate import pchip
from safelight.picture import Picture, read, write
from safelight.picture.encode import decode, encode, formats
from tests.support import ROOT, run_cli

SAMPLES = ROOT / "examples" / "samples"


@pytest.fixture
def photographs(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("roman_colosseum", "beacon_street_sunset"):
        write(Picture(read(SAMPLES / f"{name}.webp").pixels[:96, :128]), folder / f"{name}.png")
    write(Picture(np.zeros((9, 9, 1), np.uint8)), folder / "grey.png")
    (folder / "bad.jpg").write_bytes(b"nonsense")
    return folder


@pytest.mark.slow
def test_on_the_command_line(tiny_codec, photographs, tmp_path):
    page = tmp_path / "curves.html"
    done = run_cli("evaluate", "--codec", tiny_codec.folder, "--data", photographs, "--html", page, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["pictures"] == 2 and {*found["curves"]} == {"codec", *formats()}
    assert "bad.jpg" in done.stderr and "grey.png: is grey" in done.stderr
    jpeg = found["curves"]["jpeg"]
    rates, qualities = ([point[name] for point in jpeg] for name in ("bits_per_pixel", "psnr_db"))
    assert rates == sorted(rates) and qualities == sorted(qualities) and 0.5 < jpeg[5]["ssim"] < 1
    html = page.read_text()
    assert html.count("<polyline") == 2 * (1 + len(formats()))
    assert html.count("data:image/png") == 6 and "http" not in html.replace("www.w3", "")


def test_what_is_wrong_is_one_line(tiny_codec, tmp_path):
    (tmp_path / "empty").mkdir()
    empty = run_cli("evaluate", "--codec", tiny_codec.folder, "--data", tmp_path / "empty")
    assert empty.returncode == 2 and "holds no colour photographs" in empty.stderr
    other = run_cli("evaluate", "--codec", "photo", "--data", tmp_path)
    assert other.returncode == 3 and "a codec is needed" in other.stderr
    assert "--threads" in run_cli("evaluate", "--codec", "x", "--help").stdout


@pytest.mark.parametrize("kind", formats())
def test_formats_are_read_back(kind):
    pixels = read(SAMPLES / "roman_colosseum.webp").pixels[:64, :80]
    small, large = (encode(pixels, kind, quality) for quality in (30, 90))
    assert len(small) < len(large) and decode(large, kind).shape == pixels.shape
    errors = [np.abs(decode(data, kind).astype(int) - pixels).mean() for data in (small, large)]
    assert errors[0] > errors[1]
    stored = 3 if kind in ("webp", "avif") else 1  # these have no grey
    assert decode(encode(pixels[..., :1], kind, 50), kind).shape == (64, 80, stored)


def test_bd_rate_is_that_of_a_known_factor():
    curve = [(rate, 20 + 6 * np.log2(rate)) for rate in (0.5, 1.0, 2.0, 3.0, 5.0)]
    assert bd_rate([(0.7 * rate, quality) for rate, quality in curve], curve) == pytest.approx(-0.3, abs=1e-6)
    assert bd_rate([(1.2 * rate, quality) for rate, quality in reversed(curve)], curve, (18, 24)) == pytest.approx(0.2)
    assert np.isnan(bd_rate([(1, 10), (2, 11)], curve))


def test_the_interpolation_is_that_of_scipy(rng):
    scipy = pytest.importorskip("scipy.interpolate")
    x, y = np.cumsum(rng.uniform(0.5, 2, 8)), np.cumsum(rng.normal(size=8))
    at = np.linspace(x[1], x[-2], 50)
    right = scipy.PchipInterpolator(x, y)(at)
    inner = (at >= x[1]) & (at <= x[-2])
    np.testing.assert_allclose(pchip(x, y, at)[inner], right[inner], atol=0.05)
    np.testing.assert_allclose(pchip(x, y, x), y, atol=1e-12)


def test_files_of_equal_rate_and_windows_with_detail():
    pixels = read(SAMPLES / "roman_colosseum.webp").pixels[:256, :256]
    file, decoded = at_rate(lambda p, q: (bytes(q * 100), p), pixels, 8 * 4000 / 256**2)
    assert len(file) == 4000 and decoded is pixels
    flat = np.zeros((256, 256, 3), np.uint8)
    flat[130:250, 70:180] = np.random.default_rng(0).integers(0, 255, (120, 110, 3))
    assert most_detailed(flat) == np.s_[128:256, 64:192]
