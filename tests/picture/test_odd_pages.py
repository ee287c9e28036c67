"""Pages that tell of more than they are, masks before the picture, and files whose kind nobody reads."""

import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from safelight.errors import PictureError
from safelight.picture import Picture, exif, read, read_pages, write
from safelight.picture.tiff import Value
from tests.picture.odd_support import jpeg_of, png_of
from tests.support import needs_exiftool, tags_by_exiftool

TAGS = {
    0x4746: Value(3, 1, struct.pack("<H", 4)),
    0x013C: Value(2, 5, b"host\0"),
    0x010E: Value(2, 8, "Größe".encode() + b"\0"),
}
NOTE = {exif.MAKER_NOTE: Value(7, 40, bytes(range(40)))}


@pytest.fixture
def pixels(rng) -> np.ndarray:
    return rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)


def description_of(path: Path) -> str:
    with tifffile.TiffFile(path) as file:
        return file.pages[0].description


def test_exif_of_avif_is_exact(tmp_path, pixels):
    block = exif.serialise(exif.Exif(TAGS, NOTE, gps={1: Value(2, 2, b"N\0")}))
    picture = read(png_of(pixels, tmp_path / "a.png", (b"eXIf", block)))
    assert not write(picture, tmp_path / "a.avif")
    again = read(tmp_path / "a.avif")
    assert exif.parse(again.metadata.exif) == exif.parse(block)
    with Image.open(tmp_path / "a.avif") as image:
        assert image.getexif()[0x4746] == 4 and image.getexif()[0x013C] == "host"
    assert np.abs(again.pixels.astype(int) - pixels).mean() < 20, "the pixels are still found"


@needs_exiftool
def test_exif_of_avif_by_exiftool(tmp_path, pixels):
    block = exif.serialise(exif.Exif(TAGS))
    write(read(png_of(pixels, tmp_path / "a.png", (b"eXIf", block))), tmp_path / "a.avif")
    found = tags_by_exiftool(tmp_path / "a.avif")
    assert (found["Rating"], found["HostComputer"], found["ImageDescription"]) == (4, "host", "Größe")


@pytest.mark.parametrize("all_pages", [False, True])
def test_planes_without_a_directory_are_told(tmp_path, rng, all_pages):
    planes = rng.integers(0, 255, (5, 48, 64), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", planes, imagej=True, truncate=True)
    picture = read_pages(tmp_path / "a.tif")[0] if all_pages else read(tmp_path / "a.tif")
    assert picture.warnings == ("tells of 5 planes, of which 1 can be read; save each plane as a page of its own",)
    write(picture, tmp_path / "b.tif")
    assert "images=1" in description_of(tmp_path / "b.tif") and (tifffile.imread(tmp_path / "b.tif") == planes[0]).all()


def test_planes_of_a_metamorph_stack_are_told(tmp_path, rng):
    tags = [(33629, 5, 3, (1, 1, 2, 1, 3, 1), True)]
    tifffile.imwrite(tmp_path / "a.stk.tif", rng.integers(0, 255, (48, 64), dtype=np.uint8), extratags=tags)
    assert any("tells of 3 planes, of which 1" in warning for warning in read(tmp_path / "a.stk.tif").warnings)


@pytest.mark.parametrize("options", [{"metadata": {"axes": "ZYX"}, "ome": True}, {}])
def test_descriptions_of_all_pages_are_told(tmp_path, rng, options):
    tifffile.imwrite(tmp_path / "a.tif", rng.integers(0, 255, (5, 48, 64), dtype=np.uint8), **options)
    picture = read(tmp_path / "a.tif")
    assert [words[:20] for words in picture.warnings] == ["has 5 pages; the fir", "its description (OME"]
    write(picture, tmp_path / "b.tif")
    assert description_of(tmp_path / "b.tif") == ""


def test_metadata_of_further_pages_is_told(tmp_path, pixels):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for number in range(8):
            text = None if number in (0, 2) else f"page {number}"
            file.write(pixels, photometric="rgb", description=text, metadata=None, contiguous=False)
    told = (
        "profile, density, EXIF, XMP and IPTC are those of the first page; others have their own: "
        "pages 2, 4, 5, 6, 7 and more"
    )
    pages = read_pages(tmp_path / "a.tif")
    assert write(pages, tmp_path / "b.tif") == [told]
    assert not write(pages, tmp_path / "b.tif", metadata="strip")


def test_a_mask_before_the_picture(tmp_path, pixels):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(pixels[..., 0] > 100, photometric="mask")
        file.write(pixels, photometric="rgb")
    picture = read(tmp_path / "a.tif")
    assert (picture.pixels == pixels).all() and not picture.warnings


@pytest.mark.parametrize("shape", [(10, 11), (1, 1), (0, 0)])
def test_pixels_that_are_not_square(tmp_path, pixels, shape):
    jpeg = bytearray(jpeg_of(pixels, tmp_path / "a.jpg").read_bytes())
    jpeg[13:18] = struct.pack(">BHH", 0, *shape)
    (tmp_path / "a.jpg").write_bytes(jpeg)
    png_of(pixels, tmp_path / "a.png", (b"pHYs", struct.pack(">IIB", *shape, 0)))
    expected = (f"its pixels are not square ({shape[0]}:{shape[1]}); the result does not say so",) * (shape == (10, 11))
    for name in ("a.jpg", "a.png"):
        picture = read(tmp_path / name)
        assert picture.warnings == expected and picture.metadata.dpi is None


def animated(pixels: np.ndarray, path: Path) -> None:
    frames = [Image.fromarray(np.roll(pixels, 5 * k, axis=0)) for k in range(3)]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def tiled_planes(pixels: np.ndarray, path: Path) -> None:
    planes = np.moveaxis(pixels, 2, 0)
    tifffile.imwrite(path, planes, photometric="rgb", planarconfig="separate", tile=(32, 32))


def directory_behind(pixels: np.ndarray, path: Path) -> None:
    """As libtiff writes: pixels first, then the directory; more than is looked at for a file's kind."""
    large = np.zeros((1200, 1200))
    tifffile.imwrite(path, large)
    whole = bytearray(path.read_bytes())
    (first,) = struct.unpack("<I", whole[4:8])
    with path.open("rb") as file:
        page = tifffile.TiffFile(file).pages[0]
        entries = page.offset
    assert entries == first
    count = struct.unpack("<H", whole[first : first + 2])[0]
    moved = whole[first : first + 2 + 12 * count + 4]
    struct.pack_into("<I", whole, 4, len(whole))
    path.write_bytes(whole + moved)


KINDS = {
    "ico": (lambda pixels, path: Image.fromarray(pixels).save(path, "ICO"), "an icon"),
    "tga": (lambda pixels, path: Image.fromarray(pixels).save(path, "TGA"), "a Targa picture"),
    "rle.tga": (lambda pixels, path: Image.fromarray(pixels).save(path, "TGA", compression="tga_rle"), "a Targa"),
    "avif": (animated, "an animated AVIF"),
    "lab.tif": (lambda pixels, path: tifffile.imwrite(path, pixels, photometric="cielab"), "Lab colours of 8 bits"),
    "tiles.tif": (tiled_planes, "channels in separate tiles"),
    "behind.tif": (directory_behind, "64-bit float"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_that_are_not_read_are_named(tmp_path, pixels, kind):
    make, cause = KINDS[kind]
    make(pixels, tmp_path / f"a.{kind}")
    with pytest.raises(PictureError, match=cause):
        read(tmp_path / f"a.{kind}")


def test_a_picture_beside_nothing_is_as_before(pixels):
    assert Picture(pixels).metadata.of_one_page() == (Picture(pixels).metadata, [])
