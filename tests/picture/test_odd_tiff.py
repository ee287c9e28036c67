"""TIFF files as scanners and microscopes write them, and the true causes of refusals."""

import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from safelight.errors import PictureError
from safelight.picture import read, read_pages, upright_size, write


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
    assert warnings == ["has 3 pages; the first is used (enhance --pages all uses all)"]
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
    tiff_of(tmp_path, np.ones((48, 64), dtype))
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
        with pytest.raises(PictureError, match=r"this install cannot read HEIC; in the clone: .* -m pip"):
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
