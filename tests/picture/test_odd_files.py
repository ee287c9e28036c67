"""JPEG, PNG, WebP and HEIC files as cameras and programs write them: right values, warnings, nothing silently lost."""

import json
import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from safelight.errors import PictureError
from safelight.picture import read, upright_size, write
from safelight.picture.iptc import as_records
from safelight.picture.png import png_chunks, text_chunk
from tests.picture.odd_support import jpeg_of, png_of
from tests.support import CASES, XMP, needs_cases, needs_exiftool

PICTURES = CASES / "pictures"


@pytest.fixture
def pixels(rng) -> np.ndarray:
    """(48, 64, 3) of 8 bits."""
    return rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)


def rewritten(path: Path, name: str = "out.tif", **options: object) -> tuple[Path, list[str]]:
    """The file read and written again, and all warnings."""
    picture = read(path)
    out = path.with_name(name)
    return out, [*picture.warnings, *write(picture, out, **options)]


# Companions in JPEG files


def jpeg_with(pixels: np.ndarray, path: Path, xmp: bytes, tail: bytes = b"") -> None:
    jpeg_of(pixels, path, (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp), tail=tail)


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


EXIF_ON_ITS_SIDE = b"II*\0\x08\0\0\0\1\0" + struct.pack("<HHIHH", 0x112, 3, 1, 6, 0) + b"\0\0\0\0"


@pytest.mark.parametrize("behind", [False, True])
def test_exif_before_and_behind_the_pixels_turns_the_picture(tmp_path, pixels, behind):
    png_of(pixels, tmp_path / "a.png", (b"eXIf", EXIF_ON_ITS_SIDE), behind=behind)
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
    png_of(pixels, tmp_path / "a.png", *chunks, behind=False)
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
    png_of(pixels, tmp_path / "a.png", (b"cICP", bytes([*numbers, 0, 1])), behind=False)
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
    plain, turned, alpha = (read(PICTURES / f"{name}.heic") for name in ("plain", "o6", "alpha"))
    assert plain.size == turned.size == (160, 224) and alpha.alpha is not None
    assert plain.format == "heic" and not plain.warnings
    out, _ = rewritten_to(PICTURES / "o6.heic", tmp_path / "o6.jpg")
    assert read(out).size == (160, 224)
    phone = read(PICTURES / "uhdr_pixel.jpg")
    assert phone.size == (640, 480) and any("gain map" in warning for warning in phone.warnings)
    with pytest.raises(PictureError, match="PQ curve"):
        read(PICTURES / "E13_pq_bt2020_10bit.avif")


def rewritten_to(path: Path, out: Path) -> tuple[Path, list[str]]:
    picture = read(path)
    return out, [*picture.warnings, *write(picture, out)]


def test_texts_are_kept_where_the_format_has_them_and_told_elsewhere(tmp_path, pixels):
    texts = [("Author", "J\xf6rg"), ("Title", "\u65e5\u672c")]
    png_of(pixels, tmp_path / "a.png", *[text_chunk(*text) for text in texts], behind=True)
    assert set(read(tmp_path / "a.png").metadata.texts) == set(texts)
    out, warnings = rewritten(tmp_path / "a.png", "out.png")
    assert set(read(out).metadata.texts) == set(texts) and not warnings
    with Image.open(out) as image:
        image.load()
        assert image.text["Author"] == "J\xf6rg" and image.text["Title"] == "\u65e5\u672c"
    _, warnings = rewritten(tmp_path / "a.png", "out.jpg")
    assert warnings == ["text was left out, since jpeg does not hold it here: Author, Title"]
    Image.fromarray(pixels).save(tmp_path / "a.jpg", comment="shot from the roof")
    out, warnings = rewritten(tmp_path / "a.jpg", "out.jpg")
    with Image.open(out) as image:
        assert image.info["comment"] == b"shot from the roof" and not warnings
    assert read(rewritten(tmp_path / "a.jpg", "b.png")[0]).metadata.texts == (("Comment", "shot from the roof"),)
    write(read(tmp_path / "a.jpg"), tmp_path / "bare.jpg", metadata="strip")
    assert not read(tmp_path / "bare.jpg").metadata.texts


@pytest.mark.parametrize(("chunks", "told"), [([(b"gAMA", 100000)], True), ([(b"gAMA", 45455)], False)])
def test_another_gamma_is_told(tmp_path, pixels, chunks, told):
    png_of(pixels, tmp_path / "a.png", *[(name, struct.pack(">I", value)) for name, value in chunks], behind=False)
    assert any("gamma of 1 was left out" in warning for warning in read(tmp_path / "a.png").warnings) == told


@pytest.mark.slow
@needs_exiftool
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp", "avif"])
def test_exiftool_finds_all_tags_again(tmp_path, pixels, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(pixels).save(path)
    said = {"Artist": "A. Person", "Copyright": "C", "ImageDescription": "sunset", "Make": "M", "ISO": "400"}
    said |= {"LensModel": "L", "XMP:Title": "Boat", "XMP:Rating": "4", "XMP-mwg-rs:RegionName": "Face"}
    said |= {"GPSLatitude": "10", "GPSLatitudeRef": "N", "UserComment": "hello"}
    command = ["exiftool", "-q", "-m", "-overwrite_original", *(f"-{key}={value}" for key, value in said.items())]
    subprocess.run([*command, str(path)], check=True, capture_output=True)
    out, warnings = rewritten(path, f"out.{suffix}")
    groups = ("IFD0:", "ExifIFD:", "GPS:", "XMP", "PNG:")
    before, after = (
        json.loads(subprocess.run(["exiftool", "-j", "-G1", str(p)], check=True, capture_output=True).stdout)[0]
        for p in (path, out)
    )
    own = ("Compression", "StripOffsets", "RowsPerStrip", "StripByteCounts", "ProfileName", "XMPToolkit")
    lost = {k: v for k, v in before.items() if k.startswith(groups) and not k.endswith(own) and after.get(k) != v}
    assert not lost and not warnings
