"""Files as people have them: what programs and cameras write, with the right values, warnings and causes."""

import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from safelight.errors import PictureError
from safelight.picture import read, read_pages, upright_size, write
from safelight.picture.causes import cause_of
from safelight.picture.iptc import as_records
from safelight.picture.png import png_chunks
from tests.support import DATA, XMP

CASES = DATA.parent / "cases" / "pictures"
needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not at hand: set SAFELIGHT_DATA")


@pytest.fixture
def pixels(rng) -> np.ndarray:
    """(48, 64, 3) of 8 bits."""
    return rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)


def tags_of(path: Path) -> dict[int, object]:
    with tifffile.TiffFile(path) as file:
        return {tag.code: tag.value for tag in file.pages[0].tags.values()}


def rewritten(path: Path, name: str = "out.tif", **options: object) -> tuple[Path, list[str]]:
    """The file read and written again, and all warnings."""
    picture = read(path)
    out = path.with_name(name)
    return out, [*picture.warnings, *write(picture, out, **options)]


# Densities and descriptions of TIFF files


@pytest.mark.parametrize(("unit", "density"), [(1, (200, 13)), (2, (300, 1)), (3, (118, 1)), (1, (1, 1))])
def test_densities_keep_their_unit(tmp_path, pixels, unit, density):
    tifffile.imwrite(tmp_path / "a.tif", pixels, resolution=(density, density), resolutionunit=unit)
    tags = tags_of(rewritten(tmp_path / "a.tif")[0])
    value = tags[282][0] / tags[282][1]
    expected = density[0] / density[1]
    if unit == 1:
        assert tags[296] == 1 and value == pytest.approx(expected)
    else:
        assert tags[296] == 2 and value == pytest.approx(expected * (2.54 if unit == 3 else 1), rel=1e-3)


def test_imagej_files_keep_their_calibration_and_count_their_pages(tmp_path, rng):
    stack = rng.integers(0, 60000, (3, 48, 64), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, resolution=(15.4, 15.4), metadata={"unit": "um"})
    out, warnings = rewritten(tmp_path / "a.tif")
    assert warnings == ["has 3 pages; the first is used"]
    with tifffile.TiffFile(out) as file:
        assert file.imagej_metadata["unit"] == "um" and file.imagej_metadata["images"] == 1
        np.testing.assert_array_equal(file.asarray(), stack[0])
        assert file.pages[0].tags[296].value == 1
        assert np.divide(*file.pages[0].tags[282].value) == pytest.approx(15.4)
    write(read_pages(tmp_path / "a.tif"), tmp_path / "all.tif")
    with tifffile.TiffFile(tmp_path / "all.tif") as file:
        np.testing.assert_array_equal(np.stack([page.asarray() for page in file.pages]), stack)
        assert all(np.divide(*page.tags[282].value) == pytest.approx(15.4) for page in file.pages)


def test_ome_descriptions_do_not_count_pages_that_are_gone(tmp_path, rng):
    tifffile.imwrite(tmp_path / "a.ome.tif", rng.integers(0, 255, (2, 48, 64), dtype=np.uint8), ome=True)
    out, _ = rewritten(tmp_path / "a.ome.tif")
    assert 270 not in tags_of(out)
    with tifffile.TiffFile(out) as file:
        assert file.asarray().shape == (48, 64)


@pytest.mark.parametrize("kind", [{"byteorder": "<"}, {"byteorder": ">"}, {"bigtiff": True}])
def test_the_first_of_two_descriptions_is_kept(tmp_path, pixels, kind):
    tifffile.imwrite(tmp_path / "a.tif", pixels, description="Sample 7, 40x", software="scanner x", **kind)
    out, warnings = rewritten(tmp_path / "a.tif")
    tags = tags_of(out)
    assert tags[270] == "Sample 7, 40x" and tags[305] == "scanner x" and not warnings
    np.testing.assert_array_equal(tifffile.imread(out), pixels)


def test_a_small_version_before_the_picture_is_passed_over(tmp_path, pixels):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(pixels[:12, :16], subfiletype=1)
        file.write(pixels, description="the picture itself")
    assert upright_size(tmp_path / "a.tif") == (64, 48)
    out, warnings = rewritten(tmp_path / "a.tif")
    np.testing.assert_array_equal(tifffile.imread(out), pixels)
    assert not warnings and tags_of(out)[270] == "the picture itself"
    assert len(read_pages(tmp_path / "a.tif")) == 1


def test_iptc_ratings_and_places_on_earth_are_kept_or_told(tmp_path, rng):
    heights = (1000 * rng.random((48, 64))).astype(np.float32)
    iptc = b"\x1c\x02\x19\x00\x04boat"
    extra = [
        (33723, 7, len(iptc), iptc, False),
        (18246, 3, 1, 4, False),
        (269, 2, 0, "Doc 3", False),
        (33550, 12, 3, (10.0, 10.0, 0.0), False),
        (34735, 3, 4, (1, 1, 0, 0), False),
        (42113, 2, 0, "-9999", False),
    ]
    tifffile.imwrite(tmp_path / "a.tif", heights, extratags=extra, metadata=None)
    picture = read(tmp_path / "a.tif")
    assert picture.missing == -9999
    out, warnings = rewritten(tmp_path / "a.tif")
    tags = tags_of(out)
    assert tags[18246] == 4 and tags[269] == "Doc 3" and tags[33550] == (10, 10, 0) and tags[42113] == "-9999"
    assert bytes(tags[33723])[: len(iptc)] == iptc and not warnings
    out, warnings = rewritten(tmp_path / "a.tif", "out.png")
    assert any("GeoTIFF" in warning for warning in warnings) and any("IPTC" in warning for warning in warnings)


# Channels that are no colours


@pytest.mark.parametrize("channels", [2, 4, 5])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_channels_without_a_meaning_are_refused(tmp_path, rng, channels, planar):
    values = rng.integers(0, 255, (48, 64, channels), dtype=np.uint8)
    values = values.transpose(2, 0, 1) if planar == "separate" else values
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="minisblack", planarconfig=planar)
    with pytest.raises(PictureError, match=f"{channels} channels, and the file does not say"):
        read(tmp_path / "a.tif")


def test_alpha_is_alpha_where_the_file_says_so(tmp_path, pixels):
    alpha = np.full((48, 64, 1), 128, np.uint8)
    alpha[:10] = 0
    for kind in ("unassalpha", "assocalpha", "unspecified"):
        shown = (pixels * (alpha / 255)).round().astype(np.uint8) if kind == "assocalpha" else pixels
        tifffile.imwrite(
            tmp_path / f"{kind}.tif", np.concatenate([shown, alpha], axis=2), photometric="rgb", extrasamples=[kind]
        )
    straight, multiplied = (read(tmp_path / f"{kind}.tif") for kind in ("unassalpha", "assocalpha"))
    np.testing.assert_array_equal(straight.pixels, pixels)
    assert np.abs(multiplied.pixels[10:].astype(int) - pixels[10:]).max() <= 2
    np.testing.assert_array_equal(multiplied.alpha, alpha)
    with pytest.raises(PictureError, match="does not say that 1 of them"):
        read(tmp_path / "unspecified.tif")


# Values that are no numbers


def test_values_that_are_not_finite_are_read_and_told_where_they_cannot_stay(tmp_path):
    values = np.full((48, 64, 1), 0.5, np.float32)
    values[0, 0], values[1, 1], values[2, 2] = np.nan, np.inf, -3
    tifffile.imwrite(tmp_path / "a.tif", values[..., 0])
    np.testing.assert_array_equal(read(tmp_path / "a.tif").pixels, values)
    out, warnings = rewritten(tmp_path / "a.tif", "out.png")
    assert any("2 values are not finite and became black" in warning for warning in warnings)
    assert any("values down to -3 were cut at 0" in warning for warning in warnings)
    assert read(out).pixels[0, 0] == 0


# The true causes of refusals


def tiff_of(tmp_path: Path, values: np.ndarray, **options: object) -> bytes:
    tifffile.imwrite(tmp_path / "made.tif", values, **options)
    return (tmp_path / "made.tif").read_bytes()


@pytest.mark.parametrize(
    ("dtype", "cause"),
    [
        (np.float64, "64-bit float"),
        (np.int16, "16-bit signed integers"),
        (np.int32, "32-bit signed integers"),
        (np.uint32, "32-bit integers"),
        (np.complex64, "64-bit complex float"),
    ],
)
def test_numbers_that_are_not_read_are_named(tmp_path, dtype, cause):
    assert cause in str(cause_of(tiff_of(tmp_path, np.ones((48, 64), dtype))))
    with pytest.raises(PictureError, match=cause):
        write(read(tmp_path / "made.tif"), tmp_path / "out.tif")


@pytest.mark.parametrize(("compression", "name"), [("zstd", "Zstandard"), ("lzma", "LZMA")])
def test_compressions_that_are_not_read_are_named(tmp_path, pixels, compression, name):
    pytest.importorskip("imagecodecs")
    tiff_of(tmp_path, pixels, compression=compression)
    with pytest.raises(PictureError, match=f"compressed by {name}, which this install cannot read; save it with LZW"):
        read(tmp_path / "made.tif")


@pytest.mark.parametrize(
    ("start", "cause"),
    [
        (b"BM\x36\x10", "a BMP picture; convert it"),
        (b"P6\n4 4\n255\n", "a Netpbm picture"),
        (b"\xff\x0a\xfa\x7f", "a JPEG XL picture"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 picture"),
        (b"8BPS\0\1", "a Photoshop file"),
        (b"II*\0\x10\0\0\0CR\2\0", "a raw camera file; develop it"),
        (b"%PDF-1.7", "a PDF document"),
        (b"\n<!DOCTYPE html><html>", "a web page, not a picture; download"),
        (b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
        (b"\0" * 128 + b"DICM", "a DICOM file"),
        (b"\xff\xd8\xff\xc3\0\x0b\x08\0\x10\0\x10\1\1\x11\0", "is a lossless JPEG"),
        (b"\xff\xd8\xff\xc1\0\x0b\x0c\0\x10\0\x10\1\1\x11\0", "is a 12-bit JPEG"),
    ],
)
def test_files_of_other_kinds_are_named(tmp_path, start, cause):
    (tmp_path / "a.jpg").write_bytes(start + b"\1" * 100)
    with pytest.raises(PictureError, match=cause):
        read(tmp_path / "a.jpg")


def test_what_is_damaged_is_still_called_damaged(tmp_path, pixels):
    Image.fromarray(pixels).save(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:700])
    with pytest.raises(PictureError, match="damaged or cut off"):
        read(tmp_path / "a.jpg")


def test_heic_names_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    for brands in (b"heic\0\0\0\0mif1heic", b"mif1\0\0\0\0mif1heic", b"heix\0\0\0\0mif1miaf"):
        (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftyp" + brands + b"\0" * 99)
        with pytest.raises(PictureError, match=r"this install cannot read HEIC: pip install 'safelight\[heif\]'"):
            read(tmp_path / "a.heic")


@pytest.mark.parametrize("sign", ["version", "mosaic", "thumbnail"])
def test_raw_camera_files_are_named_and_their_thumbnails_not_taken(tmp_path, pixels, sign):
    if sign == "mosaic":
        tifffile.imwrite(tmp_path / "a.tif", pixels[..., 0].astype(np.uint16), photometric="cfa")
    elif sign == "version":
        tifffile.imwrite(tmp_path / "a.tif", pixels, extratags=[(50706, 1, 4, b"\1\4\0\0", False)], metadata=None)
    else:
        with tifffile.TiffWriter(tmp_path / "a.tif") as file:
            file.write(pixels[:12, :16], subfiletype=1, subifds=1)
            file.write(pixels)
    with pytest.raises(PictureError, match="is a raw camera file; develop it to TIFF first"):
        read(tmp_path / "a.tif")


# Companions in JPEG files


def jpeg_with(pixels: np.ndarray, path: Path, xmp: bytes, tail: bytes = b"") -> None:
    Image.fromarray(pixels).save(path)
    whole = path.read_bytes()
    payload = b"http://ns.adobe.com/xap/1.0/\0" + xmp
    segment = b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload
    path.write_bytes(whole[:2] + segment + whole[2:] + tail)


CAMERA = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:G="http://ns.google.com/photos/1.0/camera/"'
    b' xmlns:C="http://ns.google.com/photos/1.0/container/" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    b' G:%s="1" dc:source="mine"><C:Directory><rdf:Seq><rdf:li>video</rdf:li></rdf:Seq></C:Directory>'
    b"</rdf:Description></rdf:RDF></x:xmpmeta>"
)


@pytest.mark.parametrize("claim", [b"MotionPhoto", b"MicroVideo"])
def test_videos_are_left_out_with_their_claims(tmp_path, pixels, claim):
    jpeg_with(pixels, tmp_path / "a.jpg", CAMERA % claim, tail=b"\0\0\0\x18ftypmp42" + b"\0" * 500)
    picture = read(tmp_path / "a.jpg")
    assert picture.warnings == ("its moving part (a video) was left out",)
    assert claim not in picture.metadata.xmp and b"Directory" not in picture.metadata.xmp
    assert b'dc:source="mine"' in picture.metadata.xmp


def test_gain_maps_are_left_out_with_their_claims(tmp_path, pixels):
    packet = CAMERA.replace(b"http://ns.google.com/photos/1.0/camera/", b"http://ns.adobe.com/hdr-gain-map/1.0/")
    jpeg_with(pixels, tmp_path / "a.jpg", packet % b"Version")
    picture = read(tmp_path / "a.jpg")
    assert picture.warnings == ("its gain map was left out: the result is the standard picture without HDR",)
    assert b"G:Version" not in picture.metadata.xmp


def test_further_pictures_are_told(tmp_path, pixels):
    pixels[:] = np.linspace(0, 255, 64)[None, :, None]
    first, second = Image.fromarray(pixels), Image.fromarray(pixels[:, ::-1].copy())
    first.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[second])
    picture = read(tmp_path / "a.jpg")
    assert picture.warnings == ("holds 2 pictures; only the first is kept",)
    assert np.abs(picture.pixels.astype(int) - pixels).mean() < 3


# PNG files


def png_with(pixels: np.ndarray, path: Path, *chunks: tuple[bytes, bytes], behind: bool) -> None:
    Image.fromarray(pixels).save(path)
    whole = path.read_bytes()
    made = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    at = len(whole) - 12 if behind else 33
    path.write_bytes(whole[:at] + made + whole[at:])


EXIF_ON_ITS_SIDE = b"II*\0\x08\0\0\0\1\0" + struct.pack("<HHIHH", 0x112, 3, 1, 6, 0) + b"\0\0\0\0"


@pytest.mark.parametrize("behind", [False, True])
def test_exif_before_and_behind_the_pixels_turns_the_picture(tmp_path, pixels, behind):
    png_with(pixels, tmp_path / "a.png", (b"eXIf", EXIF_ON_ITS_SIDE), behind=behind)
    picture = read(tmp_path / "a.png")
    assert picture.size == (48, 64) == upright_size(tmp_path / "a.png")
    np.testing.assert_array_equal(picture.pixels, np.rot90(pixels, -1))
    assert picture.metadata.exif is not None and not picture.warnings


def test_raw_profiles_are_read(tmp_path, pixels):
    def raw(kind: bytes, data: bytes) -> tuple[bytes, bytes]:
        text = b"\n" + kind + b"\n%8d\n" % len(data) + data.hex().encode() + b"\n"
        return b"zTXt", b"Raw profile type " + kind + b"\0\0" + zlib.compress(text)

    iptc = b"\x1c\x02\x19\x00\x04boat"
    chunks = [raw(b"exif", b"Exif\0\0" + EXIF_ON_ITS_SIDE), raw(b"xmp", XMP), raw(b"iptc", iptc)]
    png_with(pixels, tmp_path / "a.png", *chunks, behind=False)
    picture = read(tmp_path / "a.png")
    assert picture.size == (48, 64) and picture.metadata.iptc == iptc and b"J\xc3\xb6rg" in picture.metadata.xmp
    out, _ = rewritten(tmp_path / "a.png", "out.jpg")
    assert as_records(read(out).metadata.iptc) == iptc
    write(read(out), tmp_path / "out.tif")
    assert read(tmp_path / "out.tif").metadata.iptc[: len(iptc)] == iptc


def test_a_file_of_zeros_is_named(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"\0" * 500)
    with pytest.raises(PictureError, match="nothing but zeros"):
        read(tmp_path / "a.jpg")


def test_animated_png_files_are_told(tmp_path, pixels):
    frames = [Image.fromarray(np.roll(pixels, k, axis=0)) for k in range(3)]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:])
    assert read(tmp_path / "a.png").warnings == ("is animated (3 frames); the first frame is used",)


@pytest.mark.parametrize(
    ("numbers", "expected"), [((1, 13), None), ((12, 13), "P3"), ((9, 16), "PQ"), ((9, 18), "HLG")]
)
def test_colour_numbers_are_carried_or_refused(tmp_path, pixels, numbers, expected):
    png_with(pixels, tmp_path / "a.png", (b"cICP", bytes([*numbers, 0, 1])), behind=False)
    if expected in ("PQ", "HLG"):
        with pytest.raises(PictureError, match=f"is an HDR picture \\({expected} curve\\)"):
            read(tmp_path / "a.png")
        return
    icc = read(tmp_path / "a.png").metadata.icc
    assert (icc is None) == (expected is None) and (icc is None or icc[36:40] == b"acsp")


# Profiles, and files without loss


def test_profiles_that_do_not_fit_are_told(tmp_path, pixels):
    from PIL import ImageCms

    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    grey = srgb[:16] + b"GRAY" + srgb[20:]
    for name, array, icc, words in (
        ("grey", pixels[..., 0], srgb, "profile is of colours and the picture is grey"),
        ("colour", pixels, grey, "profile is of grey and the picture has colours"),
        ("broken", pixels, b"garbage" * 30, "profile is damaged"),
    ):
        Image.fromarray(array).save(tmp_path / f"{name}.jpg", icc_profile=icc)
        picture = read(tmp_path / f"{name}.jpg")
        assert picture.metadata.icc is None and any(words in warning for warning in picture.warnings), picture.warnings
    Image.fromarray(pixels).save(tmp_path / "right.jpg", icc_profile=srgb)
    assert read(tmp_path / "right.jpg").metadata.icc == srgb


def test_lossless_webp_stays_lossless(tmp_path, pixels):
    Image.fromarray(pixels).save(tmp_path / "a.webp", lossless=True)
    out, _ = rewritten(tmp_path / "a.webp", "out.webp")
    np.testing.assert_array_equal(read(out).pixels, pixels)
    Image.fromarray(pixels).save(tmp_path / "b.webp", quality=80)
    assert not read(tmp_path / "b.webp").is_lossless


def test_chunks_of_a_damaged_png_end(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"\xff\xff\xff\xffIDAT" + b"\0\0\0\x05tEXtabc")
    with path.open("rb") as file:
        assert [name for name, _ in png_chunks(file)] in ([], [b"tEXt"])


@needs_cases
def test_phone_pictures_are_read(tmp_path):
    pytest.importorskip("pi_heif")
    plain, turned, alpha = (read(CASES / f"{name}.heic") for name in ("plain", "o6", "alpha"))
    assert plain.size == turned.size == (160, 224) and alpha.alpha is not None
    assert plain.format == "heic" and not plain.warnings
    out, _ = rewritten_to(CASES / "o6.heic", tmp_path / "o6.jpg")
    assert read(out).size == (160, 224)
    phone = read(CASES / "uhdr_pixel.jpg")
    assert phone.size == (640, 480) and any("gain map" in warning for warning in phone.warnings)
    with pytest.raises(PictureError, match="PQ curve"):
        read(CASES / "E13_pq_bt2020_10bit.avif")


def rewritten_to(path: Path, out: Path) -> tuple[Path, list[str]]:
    picture = read(path)
    return out, [*picture.warnings, *write(picture, out)]
