"""Every format that is written is read back with everything, also by independent programs."""

import io
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, ImageOps

from safelight.errors import UsageError
from safelight.picture import Metadata, Picture, exif, read, write
from safelight.picture.exif import parse, serialise
from safelight.picture.xmp import Provenance
from tests.support import XMP

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
HELD = {".jpg": (8,), ".png": (8, 16), ".tif": (8, 16, 32), ".webp": (8,), ".avif": (8, 10, 12)}
CASES = [(suffix, bits) for suffix, depths in HELD.items() for bits in depths]


def make(rng: np.random.Generator, bits: int, channels: int = 3, alpha: bool = False, **metadata: object) -> Picture:
    def values(bands: int) -> np.ndarray:
        if bits == 32:
            return rng.random((24, 40, bands), dtype=np.float32)
        drawn = rng.integers(0, 2**bits, (24, 40, bands)).astype(np.uint32)
        return drawn.astype(np.uint8) if bits == 8 else (drawn * 65535 // (2**bits - 1)).astype(np.uint16)

    return Picture(values(channels), values(1) if alpha else None, Metadata(**metadata), bits=bits)


@pytest.mark.parametrize(("suffix", "bits"), [case for case in CASES if case[0] != ".jpg"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("alpha", [False, True])
def test_pixels_depth_and_alpha_survive(tmp_path, rng, suffix, bits, channels, alpha):
    before = make(rng, bits, channels, alpha)
    assert write(before, tmp_path / f"a{suffix}", quality=100) == []
    after = read(tmp_path / f"a{suffix}")
    pixels = after.pixels[..., :1] if suffix in (".webp", ".avif") and channels == 1 else after.pixels
    np.testing.assert_array_equal(pixels, before.pixels)
    assert after.pixels.dtype == before.pixels.dtype
    assert after.bits == bits
    if alpha:
        np.testing.assert_array_equal(after.alpha, before.alpha)
    else:
        assert after.alpha is None


@pytest.mark.parametrize(("suffix", "bits"), CASES)
def test_metadata_survives(tmp_path, rng, exif_block, suffix, bits):
    block = serialise(parse(exif_block).upright())
    before = make(rng, bits, icc=ICC, exif=block, xmp=XMP.replace(b'"6"', b'"1"'), dpi=(300.0, 300.0))
    write(before, tmp_path / f"a{suffix}")
    after = read(tmp_path / f"a{suffix}").metadata
    assert after.icc == ICC
    assert after.xmp == before.metadata.xmp
    assert after.dpi == pytest.approx((300, 300), abs=0.01)
    ours, theirs = parse(block), parse(after.exif)
    assert theirs.gps == ours.gps
    assert {k: v for k, v in theirs.exif.items() if k in ours.exif} == ours.exif
    if suffix in (".jpg", ".png"):
        assert after.exif == block, "these containers keep the very bytes"


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".avif"])
def test_pillow_reads_the_metadata(tmp_path, rng, exif_block, suffix):
    before = make(rng, 8, icc=ICC, exif=serialise(parse(exif_block).upright()), xmp=XMP, dpi=(300.0, 300.0))
    write(before, tmp_path / f"a{suffix}")
    with Image.open(tmp_path / f"a{suffix}") as image:
        found = image.getexif()
        assert image.info["icc_profile"] == ICC
        assert found[0x0112] == 1
        assert found[0x010F] == "Kamera"
        assert found.get_ifd(0x8825)[2] == (10.0, 20.0, 30.5)
        assert found.get_ifd(0x8769)[0x829A] == 0.008
        assert b"J\xc3\xb6rg" in (image.info.get("xmp") or image.info["XML:com.adobe.xmp"].encode())
        if suffix in (".jpg", ".png"):
            assert image.info["dpi"] == pytest.approx((300, 300), abs=0.01)
        else:
            assert found[0x011A] == 300


@pytest.mark.parametrize("bits", [8, 16, 32])
def test_tifffile_reads_the_metadata(tmp_path, rng, exif_block, bits):
    before = make(rng, bits, icc=ICC, exif=exif_block, xmp=XMP, dpi=(300.0, 300.0))
    write(before, tmp_path / "a.tif")
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        tags = file.pages[0].tags
        np.testing.assert_array_equal(file.asarray(), before.pixels)
        assert bytes(tags[34675].value) == ICC
        assert bytes(tags[700].value) == XMP
        assert tags[282].value[0] / tags[282].value[1] == pytest.approx(300)
        assert tags[271].value == "Kamera"
        assert tags[34665].value["ExposureTime"] == pytest.approx(0.008)
        assert tags[34853].value["GPSLatitude"] == (10, 1, 20, 1, 61, 2)
        assert tags.get(274) is None or tags[274].value == 1


def test_jpeg_is_close_and_alpha_lands_on_white(tmp_path, rng):
    ramp = np.linspace(0, 255, 64).astype(np.uint8)[None, :, None].repeat(48, 0).repeat(3, 2)
    told = write(Picture(ramp, np.zeros_like(ramp[..., :1])), tmp_path / "a.jpg")
    assert told == ["transparency was laid on white, since jpeg has none"]
    assert read(tmp_path / "a.jpg").pixels.min() >= 254
    write(Picture(ramp), tmp_path / "b.jpg")
    assert np.abs(read(tmp_path / "b.jpg").pixels.astype(int) - ramp).max() <= 3


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_orientation_is_applied_once_and_reset(tmp_path, orientation, suffix):
    stored = np.zeros((16, 32, 3), np.uint8)
    stored[:8, :8] = 255
    tag = Image.Exif()
    tag[0x0112] = orientation
    Image.fromarray(stored).save(tmp_path / f"a{suffix}", exif=tag, **({"lossless": True} if suffix == ".webp" else {}))
    with Image.open(tmp_path / f"a{suffix}") as image:
        turned = image if suffix == ".tif" else ImageOps.exif_transpose(image)  # of TIFF Pillow turns it by itself
        upright = np.asarray(turned.convert("RGB"))
    once = read(tmp_path / f"a{suffix}")
    np.testing.assert_allclose(once.pixels, upright, atol=3)
    write(once, tmp_path / f"b{suffix}", quality=100)
    with Image.open(tmp_path / f"b{suffix}") as image:
        assert image.getexif().get(0x0112, 1) == 1
    np.testing.assert_allclose(read(tmp_path / f"b{suffix}").pixels, upright, atol=4)


def test_xmp_orientation_is_reset(tmp_path, rng):
    write(make(rng, 8, xmp=XMP), tmp_path / "a.png")
    assert b'tiff:Orientation="1"' in read(tmp_path / "a.png").metadata.xmp


def test_thumbnail_is_dropped(tmp_path, rng):
    thumbnail = io.BytesIO()
    Image.fromarray(np.full((16, 16, 3), 200, np.uint8)).save(thumbnail, "JPEG")
    directory = b"\x01\x00" + b"\x0f\x01\x02\x00\x04\x00\x00\x00Abc\0" + (26).to_bytes(4, "little")
    second = b"\x02\x00" + b"\x01\x02\x04\x00\x01\x00\x00\x00" + (56).to_bytes(4, "little")
    second += b"\x02\x02\x04\x00\x01\x00\x00\x00" + len(thumbnail.getvalue()).to_bytes(4, "little") + b"\0\0\0\0"
    block = b"II*\0\x08\x00\x00\x00" + directory + second + thumbnail.getvalue()
    Image.fromarray(np.full((16, 16, 3), 90, np.uint8)).save(tmp_path / "a.jpg", exif=block)
    assert thumbnail.getvalue() in (tmp_path / "a.jpg").read_bytes()
    write(read(tmp_path / "a.jpg"), tmp_path / "b.jpg")
    assert thumbnail.getvalue() not in (tmp_path / "b.jpg").read_bytes()


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".avif"])
def test_strip_and_strip_gps(tmp_path, rng, exif_block, suffix):
    before = make(rng, 8, icc=ICC, exif=exif_block, xmp=XMP)
    write(before, tmp_path / f"gps{suffix}", metadata="strip-gps")
    write(before, tmp_path / f"all{suffix}", metadata="strip")
    partly, stripped = (read(tmp_path / f"{name}{suffix}").metadata for name in ("gps", "all"))
    assert parse(partly.exif).gps == {}
    assert parse(partly.exif).exif
    assert b"GPSLatitude" not in partly.xmp
    assert b"J\xc3\xb6rg" in partly.xmp
    assert (stripped.exif, stripped.xmp) == (None, None)
    assert stripped.icc == ICC, "without its profile a picture would change colour"
    latitude = exif.parse(exif_block).gps[2].data
    assert latitude not in (tmp_path / f"gps{suffix}").read_bytes()


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_no_resolution_is_made_up(tmp_path, rng, suffix):
    write(make(rng, 8), tmp_path / f"a{suffix}")
    with Image.open(tmp_path / f"a{suffix}") as image:
        assert "dpi" not in image.info


def test_provenance_keeps_what_was_there_and_replaces_itself(tmp_path, rng):
    picture = make(rng, 8, xmp=XMP)
    write(picture, tmp_path / "a.png", provenance=Provenance({"Model": "one"}))
    write(read(tmp_path / "a.png"), tmp_path / "b.png", provenance=Provenance({"Model": 'two "2" <&>'}))
    packet = read(tmp_path / "b.png").metadata.xmp
    import xml.etree.ElementTree as Tree

    facts = [d.attrib for d in Tree.fromstring(packet).iter("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description")]
    assert len(facts) == 2
    assert 'two "2" <&>' in facts[1].values()
    assert any("algorithmicallyEnhanced" in v for v in facts[1].values())
    assert "Jörg" in facts[0].values()


def test_pages_of_a_tiff(tmp_path, rng):
    from safelight.picture import read_pages

    pages = [make(rng, 16) for _ in range(3)]
    write(pages, tmp_path / "a.tif")
    for before, after in zip(pages, read_pages(tmp_path / "a.tif"), strict=True):
        np.testing.assert_array_equal(after.pixels, before.pixels)
    assert "3 pages" in read(tmp_path / "a.tif").warnings[0]
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert len(file.pages) == 3


def test_bytes_and_odd_names(tmp_path, rng):
    name = tmp_path / "ä [page=3] b.png"
    before = make(rng, 8)
    write(before, name)
    np.testing.assert_array_equal(read(name).pixels, before.pixels)
    np.testing.assert_array_equal(read(name.read_bytes()).pixels, before.pixels)


def test_cmyk_becomes_srgb_with_a_warning(tmp_path):
    Image.new("CMYK", (20, 20), (0, 255, 255, 0)).save(tmp_path / "a.jpg")
    picture = read(tmp_path / "a.jpg")
    assert picture.warnings == ("CMYK was converted to sRGB, by a press's usual profile since it has none",)
    red, green, blue = picture.pixels[10, 10]
    assert red > 180 > 90 > max(green, blue)
    assert picture.metadata.icc


@pytest.mark.parametrize("mode", ["P", "1", "LA", "RGBA"])
def test_png_kinds(tmp_path, mode):
    noise = np.random.default_rng(1).integers(0, 256, (9, 7, 3 if mode == "P" else 4), dtype=np.uint8)
    source = Image.fromarray(noise).convert(mode)
    source.save(tmp_path / "a.png")
    picture = read(tmp_path / "a.png")
    expected = np.asarray(source.convert("RGB" if mode in ("P", "RGBA") else "L")).reshape(9, 7, -1)
    np.testing.assert_array_equal(picture.pixels, expected)
    assert (picture.alpha is not None) == (mode in ("LA", "RGBA"))


def test_animation_gives_its_first_frame_with_a_warning(tmp_path):
    frames = [Image.new("RGB", (16, 16), color) for color in ("red", "blue")]
    for suffix in (".webp", ".gif"):
        frames[0].save(tmp_path / f"a{suffix}", save_all=True, append_images=frames[1:], lossless=True)
        picture = read(tmp_path / f"a{suffix}")
        assert "animated (2 frames)" in picture.warnings[0]
        assert tuple(picture.pixels[0, 0]) == (255, 0, 0)


def test_failed_write_leaves_the_old_file(tmp_path: Path, rng, monkeypatch):
    from safelight.errors import OutputError
    from safelight.picture import containers

    write(make(rng, 8), tmp_path / "a.png")
    old = (tmp_path / "a.png").read_bytes()

    def full(*_: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(containers, "with_exact", full)
    with pytest.raises(OutputError, match="No space left"):
        write(make(rng, 8), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == old
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_an_array_is_no_picture(tmp_path):
    with pytest.raises(UsageError, match=r"make one of an array: safelight.Picture\(array\)"):
        write(np.zeros((4, 4, 3), np.uint8), tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()
