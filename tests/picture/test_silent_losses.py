"""What a result cannot keep is told: segments, tags, chunks, trailing data, profiles, regions, positions."""

import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from safelight.picture import Picture, read, write
from safelight.picture.iptc import as_records
from safelight.picture.scale import measure_scale
from tests.picture.odd_support import jpeg_of, png_of
from tests.support import CASES, needs_cases

PICTURES = CASES / "pictures"
WHITE_AND_RED = (31270, 32900, 64000, 33000)
IPTC = b"\x1c\x02\x78\x00\x04Dusk"


@pytest.fixture
def pixels(rng) -> np.ndarray:
    return rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)


def told(path: Path, name: str, **options: object) -> tuple[Picture, str]:
    """The file read, written and read again; and all warnings on the way."""
    picture = read(path)
    warnings = [*picture.warnings, *write(picture, path.with_name(name), **options)]
    return read(path.with_name(name)), "; ".join(warnings)


@pytest.mark.parametrize(
    ("marker", "data"), [(0xEB, b"JP\0\0"), (0xE1, b"FLIR\0"), (0xE4, b"x"), (0xEC, b"Ducky"), (0xE2, b"other")]
)
def test_segments_of_other_programs(tmp_path, pixels, marker, data):
    _, warnings = told(jpeg_of(pixels, tmp_path / "a.jpg", (marker, data)), "b.jpg")
    assert warnings == f"segments of other programs were left out: APP{marker - 0xE0}"


def test_data_behind_a_jpeg(tmp_path, pixels):
    assert not told(jpeg_of(pixels, tmp_path / "a.jpg", tail=bytes(500)), "b.jpg")[1], "zeros fill up"
    video = b"\0\0\0\x18ftypmp42" + bytes(range(1, 100))
    assert (
        told(jpeg_of(pixels, tmp_path / "a.jpg", tail=video), "b.jpg")[1]
        == "111 bytes behind the picture were left out"
    )


@pytest.mark.parametrize("comment", ["Größe".encode(), "Größe".encode("latin-1")])
def test_comments_in_two_alphabets(tmp_path, pixels, comment):
    again, warnings = told(jpeg_of(pixels, tmp_path / "a.jpg", (0xFE, comment)), "b.jpg")
    assert again.metadata.texts == (("Comment", "Größe"),) and not warnings


def test_comments_of_gifs(tmp_path, pixels):
    frames = [Image.fromarray(np.roll(pixels, k)).quantize() for k in range(2)]
    frames[0].save(tmp_path / "a.gif", comment=b"hello", save_all=True, append_images=frames[1:])
    again, _ = told(tmp_path / "a.gif", "b.png")
    assert again.metadata.texts == (("Comment", "hello"),)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        (
            b"cHRM",
            struct.pack(">8I", 31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000),
            "chunks were left out: cHRM",
        ),
        (b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000), ""),
        (b"oFFs", bytes(9), "chunks were left out: oFFs"),
        (b"caBX", b"claims", "chunks were left out: caBX"),
        (b"zTXt", b"Title\0\0not packed", "a damaged text was left out"),
    ],
)
def test_chunks_of_a_png(tmp_path, pixels, name, data, words):
    assert told(png_of(pixels, tmp_path / "a.png", (name, data)), "b.png")[1] == words


def test_tags_of_a_tiff(tmp_path, pixels):
    tags = [(65000, 2, 5, "mine", True), (50844, 12, 2, (1.5, 2.5), True), (301, 3, 2, (1, 2), True)]
    tifffile.imwrite(tmp_path / "a.tif", pixels, extratags=tags, description="")
    _, warnings = told(tmp_path / "a.tif", "b.tif")
    assert warnings == "TIFF tags were left out: 301, 65000"
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        assert file.pages[0].tags[50844].value == (1.5, 2.5)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("resources", [False, True])
def test_iptc_of_a_tiff(tmp_path, pixels, order, resources):
    block = IPTC + bytes(-len(IPTC) % 4)
    data = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(block)) + block if resources else block
    kind = (34377, 7, len(data)) if resources else (33723, 4, len(data) // 4)
    value = data if resources else np.frombuffer(data, f"{order}u4").tolist()
    tifffile.imwrite(tmp_path / "a.tif", pixels, byteorder=order, extratags=[(*kind, value, True)])
    for name in ("b.tif", "b.jpg"):
        again, warnings = told(tmp_path / "a.tif", name)
        assert as_records(again.metadata.iptc)[: len(IPTC)] == IPTC
        assert ("Photoshop" in warnings) == resources


@pytest.mark.parametrize("value", ["-9999", "nan", "-inf", "1e40", "0.5", "70000", ""])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_values_that_no_pixel_can_have_mark_nothing(tmp_path, rng, value, dtype):
    tags = [(42113, 2, len(value) + 1, value, True)]
    tifffile.imwrite(tmp_path / "a.tif", rng.integers(0, 250, (32, 32), dtype=dtype), extratags=tags)
    assert measure_scale(read(tmp_path / "a.tif")).holes is None


def test_positions_go_from_all_name_spaces(tmp_path, pixels):
    packet = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description xmlns:d="http://www.dji.com/drone-dji/1.0/" d:GpsLatitude="47.1" d:Model="M3">'
        b"<d:GpsLongitude>8.5</d:GpsLongitude><d:AbsoluteAltitude>400</d:AbsoluteAltitude>"
        b"</rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    path = jpeg_of(pixels, tmp_path / "a.jpg", (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet))
    kept = told(path, "b.jpg", metadata="strip-gps")[0].metadata.xmp
    assert b"M3" in kept and not any(word in kept for word in (b"47.1", b"8.5", b"400"))


def test_places_of_faces_in_a_picture_that_is_turned(tmp_path, pixels):
    packet = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/">'
        b"<mwg-rs:Regions><mwg-rs:Name>Ann</mwg-rs:Name></mwg-rs:Regions></rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    for orientation in (1, 6):
        exif = Image.Exif()
        exif[0x0112] = orientation
        exif.get_ifd(0x8769).update({0xA002: 64, 0xA003: 48, 0x9214: (1, 2)})
        block = b"Exif\0\0" + exif.tobytes().removeprefix(b"Exif\0\0")
        segments = ((0xE1, block), (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet))
        again, warnings = told(jpeg_of(pixels, tmp_path / "a.jpg", *segments), "b.jpg")
        with Image.open(tmp_path / "b.jpg") as image:
            detail = image.getexif().get_ifd(0x8769)
        is_turned = orientation == 6
        assert (b"Ann" not in again.metadata.xmp) == ("faces" in warnings) == (0x9214 not in detail) == is_turned
        assert (detail[0xA002], detail[0xA003]) == again.size


@needs_cases
def test_grey_profiles_where_grey_is_stored_as_colour(tmp_path):
    picture = read(PICTURES / "E16_grey_greyicc.png")
    assert not write(picture, tmp_path / "a.png")
    for name in ("a.webp", "a.avif"):
        assert any("its profile of grey was left out" in warning for warning in write(picture, tmp_path / name))


def test_no_density_is_made_up_in_avif(tmp_path, pixels):
    tifffile.imwrite(tmp_path / "a.tif", pixels, description="a boat")
    again, _ = told(tmp_path / "a.tif", "b.avif")
    assert again.metadata.dpi is None and b"a boat" in again.metadata.exif


def test_floats_on_another_scale_become_integers_on_theirs(tmp_path, rng):
    values = np.linspace(-80, -40, 48 * 64, dtype=np.float32).reshape(48, 64)
    tifffile.imwrite(tmp_path / "a.tif", values)
    again, warnings = told(tmp_path / "a.tif", "b.png")
    assert "became black to white" in warnings and "-79.9" in warnings
    assert np.corrcoef(again.pixels.ravel(), values.ravel())[0, 1] > 0.999


def test_missing_floats_are_black_whatever_the_scale(tmp_path):
    values = np.linspace(-3000, 4000, 48 * 64, dtype=np.float32).reshape(48, 64)
    values[5:9, 5:9], values[20, :4] = np.nan, np.inf
    tifffile.imwrite(tmp_path / "a.tif", values)
    again, warnings = told(tmp_path / "a.tif", "b.png")
    assert "20 values are not finite and became black" in warnings and "values from -29" in warnings
    assert not again.pixels[5:9, 5:9].any() and not again.pixels[20, :4].any()
    assert again.pixels[24, 32, 0] > 20_000, "0 is in the middle of the scale"


def test_a_lossless_webp_with_a_large_profile_stays_lossless(tmp_path, pixels):
    icc = bytearray(8000)
    icc[16:20], icc[36:40] = b"RGB ", b"acsp"
    Image.fromarray(pixels).save(tmp_path / "a.webp", lossless=True, icc_profile=bytes(icc))
    again, _ = told(tmp_path / "a.webp", "b.webp")
    assert np.array_equal(again.pixels, pixels)


@needs_cases
def test_heic_pixels_are_always_the_same():
    pytest.importorskip("pi_heif")
    first = read(PICTURES / "plain.heic").pixels
    assert all(np.array_equal(read(PICTURES / "plain.heic").pixels, first) for _ in range(20))
