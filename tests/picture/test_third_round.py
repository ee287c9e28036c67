"""Fewer bits, hot pixels, narrow ranges, pictures that are turned, and what else a third stranger found."""

import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from safelight.errors import PictureError
from safelight.picture import Picture, exif, read, read_pages, write
from safelight.picture.fewer_bits import Depth
from safelight.picture.scale import Scale, measure_scale
from safelight.picture.tiff import Value
from tests.picture.odd_support import jpeg_of, png_of
from tests.support import BUNDLES, ROOT, run_cli

GPS_XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:exif="http://ns.adobe.com/exif/1.0/" exif:GPSLatitude="10,20.5N"/></rdf:RDF></x:xmpmeta>'
)


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    """A photograph in [0, 1], (256, 320)."""
    return read(ROOT / "examples/samples/roman_colosseum.webp").pixels[:256, :320, 1] / np.float32(255)


@pytest.fixture
def pixels(rng) -> np.ndarray:
    return rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize(("low", "width"), [(0, 255), (-3, 2), (1e-5, 1e-4)])
def test_floats_on_another_scale_keep_their_picture_in_fewer_bits(tmp_path, scene, depth, low, width):
    told = write(Picture((low + width * scene)[..., None].astype(np.float32)), tmp_path / "a.tif", depth=Depth(depth))
    assert len(told) == 1 and told[0].endswith(f"became black to white, for {depth} bits")
    found = read(tmp_path / "a.tif").as_float()[..., 0]
    low, high = np.percentile(scene, (0.1, 99.9))
    assert np.abs(found - ((scene - low) / (high - low)).clip(0, 1)).max() < 0.01


@pytest.mark.parametrize("name", ["a.jpg", "a.webp", "a.png"])
def test_low_counts_keep_their_picture_in_eight_bits(tmp_path, scene, name):
    counts = Picture(np.rint(100 + 400 * scene).astype(np.uint16)[..., None])
    told = write(counts, tmp_path / name, depth=Depth(8))
    assert any("became black to white, for 8 bits" in words for words in told)
    assert len(np.unique(read(tmp_path / name).pixels)) > 100


def test_the_option_depth_reaches_the_file(tmp_path, scene):
    tifffile.imwrite(tmp_path / "a.tif", (255 * scene).astype(np.float32))
    ask = ("--model", BUNDLES / "restore", "--strength", 0, "--depth", 16)
    done = run_cli("enhance", "a.tif", "-o", "b.tif", *ask, cwd=tmp_path)
    assert done.returncode == 0 and "became black to white, for 16 bits" in done.stderr
    assert tifffile.imread(tmp_path / "b.tif").std() > 5000


@pytest.mark.parametrize("share", [0.0005, 0.004])
def test_hot_pixels_do_not_make_the_scale(scene, rng, share):
    counts = np.rint(100 + 400 * scene).astype(np.uint16)
    alone = measure_scale(Picture(counts[..., None])).scale
    hot = np.zeros(counts.shape, bool)
    hot[::2, ::2] = rng.random((128, 160)) < 4 * share
    damaged = np.where(hot, rng.integers(20_000, 65_536, counts.shape), counts).astype(np.uint16)
    measured = measure_scale(Picture(damaged[..., None]))
    assert measured.scale == pytest.approx(alone, abs=3) and (measured.holes[..., 0] == hot).all()


def test_bright_places_are_no_hot_pixels(scene, rng):
    night = np.rint(2000 * scene).astype(np.uint16)
    night[100:112, 100:112] = rng.integers(50_000, 60_000, (12, 12))
    assert measure_scale(Picture(night[..., None])).scale == Scale(0, 65535)


@pytest.mark.parametrize(("offset", "width", "is_own"), [(30000, 400, True), (64000, 400, True), (20000, 30000, False)])
def test_narrow_ranges_have_a_scale_of_their_own(scene, offset, width, is_own):
    scale = measure_scale(Picture(np.rint(offset + width * scene).astype(np.uint16)[..., None])).scale
    assert (scale.width <= width and scale.low >= offset) == is_own == (scale != Scale(0, 65535))


def test_a_flat_picture_stays_flat(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.full((64, 64), 777, np.uint16))
    done = run_cli("enhance", "a.tif", "-o", "b.tif", "--model", BUNDLES / "restore", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert np.abs(tifffile.imread(tmp_path / "b.tif").astype(int) - 777).max() <= 1


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_densities_turn_with_the_picture(tmp_path, pixels, orientation):
    tags = [(274, 3, 1, orientation, True)]
    tifffile.imwrite(tmp_path / "a.tif", pixels, resolution=(100, 200), resolutionunit=2, extratags=tags)
    tifffile.imwrite(tmp_path / "b.tif", pixels, resolution=(15, 30), resolutionunit=1, extratags=tags)
    block = Image.Exif()
    block[274] = orientation
    Image.fromarray(pixels).save(tmp_path / "c.jpg", dpi=(100, 200), exif=block)
    block[282], block[283], block[296] = 100.0, 200.0, 2
    Image.fromarray(pixels).save(tmp_path / "d.webp", exif=block)
    expected = (200, 100) if orientation == 6 else (100, 200)
    for name in ("a.tif", "c.jpg", "d.webp"):
        assert read(tmp_path / name).metadata.dpi == expected
    write(read(tmp_path / "d.webp"), tmp_path / "e.webp")
    assert read(tmp_path / "e.webp").metadata.dpi == expected
    main = exif.parse(read(tmp_path / "b.tif").metadata.exif).main
    x, y = (struct.unpack("<II", main[tag].data)[0] / struct.unpack("<II", main[tag].data)[1] for tag in (282, 283))
    assert (x, y) == ((30, 15) if orientation == 6 else (15, 30))


@pytest.mark.parametrize("orientation", [1, 6])
def test_places_on_earth_do_not_survive_a_turn(tmp_path, pixels, orientation):
    tags = [(33550, 12, 3, (1.0, 1.0, 0.0), True), (33922, 12, 6, (0.0,) * 6, True), (274, 3, 1, orientation, True)]
    tifffile.imwrite(tmp_path / "a.tif", pixels, extratags=[*tags, (42113, 2, 5, "9999", True)], description="")
    picture = read(tmp_path / "a.tif")
    write(picture, tmp_path / "b.tif")
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        found = {tag for tag in (33550, 33922, 42113) if tag in file.pages[0].tags}
    assert found == ({42113} if orientation == 6 else {33550, 33922, 42113})
    assert any("place on Earth" in words for words in picture.warnings) == (orientation == 6)


def test_profiles_and_densities_of_further_pages_are_told(tmp_path, pixels):
    profile = read(ROOT / "examples/samples/roman_colosseum.webp").metadata.icc or bytes(36) + b"acsp" + bytes(200)
    pages = [Picture(pixels), Picture(pixels)]
    other = pages[1].with_(metadata=pages[1].metadata.__class__(icc=profile))
    assert not write(pages, tmp_path / "a.tif")
    assert "others have their own: pages 2" in write([pages[0], other], tmp_path / "a.tif")[0]
    assert len(read_pages(tmp_path / "a.tif")) == 2


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("behind", [False, True])
def test_positions_go_from_xmp_however_a_png_holds_it(tmp_path, pixels, packed, behind):
    text = zlib.compress(GPS_XMP) if packed else GPS_XMP
    payload = b"XML:com.adobe.xmp\0" + bytes([packed, 0, 0, 0]) + text
    picture = read(png_of(pixels, tmp_path / "a.png", (b"iTXt", payload), behind=behind))
    assert picture.metadata.xmp == GPS_XMP
    assert "XML:com.adobe.xmp" not in dict(picture.metadata.texts)
    write(picture, tmp_path / "b.png", metadata="strip-gps")
    whole = (tmp_path / "b.png").read_bytes()
    assert b"GPSLatitude" not in whole and b"XML:com.adobe.xmp" in whole


def test_positions_go_from_geotiff(tmp_path, pixels):
    tags = [(33550, 12, 3, (1.0, 1.0, 0.0), True), (33922, 12, 6, (0.0,) * 6, True)]
    tifffile.imwrite(tmp_path / "a.tif", pixels, extratags=tags)
    write(read(tmp_path / "a.tif"), tmp_path / "b.tif", metadata="strip-gps")
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        assert not {33550, 33922} & {tag.code for tag in file.pages[0].tags}


def test_what_stands_behind_a_large_jpeg(tmp_path, rng):
    large = rng.integers(0, 256, (1600, 1600, 3), dtype=np.uint8)
    path = jpeg_of(large, tmp_path / "a.jpg", tail=b"\0\0\0\x18ftypmp42" + bytes(range(1, 100)))
    assert path.stat().st_size > 1 << 20
    assert read(path).warnings == ("111 bytes behind the picture were left out",)


def test_a_second_exif_block(tmp_path, pixels):
    block = b"Exif\0\0" + exif.serialise(exif.Exif({0x010F: Value(2, 5, b"Make\0")}))
    path = jpeg_of(pixels, tmp_path / "a.jpg", (0xE1, block), (0xE1, block))
    assert read(path).warnings == ("its second EXIF block was left out",)


@pytest.mark.parametrize("name", ["b.jpg", "b.png", "b.webp", "b.avif", "b.tif"])
def test_exif_3_texts_are_kept(tmp_path, pixels, name):
    value = Value(129, 7, "Größe".encode())
    picture = read(png_of(pixels, tmp_path / "a.png", (b"eXIf", exif.serialise(exif.Exif({0x013B: value})))))
    write(picture, tmp_path / name)
    assert exif.parse(read(tmp_path / name).metadata.exif).main[0x013B] == value


def test_tags_that_a_tiff_does_not_get(tmp_path, pixels):
    block = exif.serialise(exif.Exif({0x000B: Value(2, 4, b"abc\0"), 65000: Value(2, 4, b"abc\0")}))
    picture = read(png_of(pixels, tmp_path / "a.png", (b"eXIf", block)))
    assert write(picture, tmp_path / "b.tif") == ["EXIF tags were left out, since tiff does not hold them here: 65000"]
    assert 0x000B in exif.parse(read(tmp_path / "b.tif").metadata.exif).main


@pytest.mark.parametrize("name", [b"sBIT", b"mDCV", b"cLLI", b"vpAg", b"prVt"])
def test_chunks_that_nobody_here_knows(tmp_path, pixels, name):
    assert read(png_of(pixels, tmp_path / "a.png", (name, bytes(3)))).warnings == (
        f"chunks were left out: {name.decode()}",
    )


def test_video_levels_in_a_png(tmp_path, pixels):
    with pytest.raises(PictureError, match="narrow range"):
        read(png_of(pixels, tmp_path / "a.png", (b"cICP", bytes([1, 13, 0, 0]))))


@pytest.mark.parametrize(("number", "name"), [(34934, "JPEG XR"), (34933, "PNG"), (60001, "a method of number 60001")])
def test_compressions_are_named(tmp_path, pixels, number, name):
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    whole = bytearray((tmp_path / "a.tif").read_bytes())
    (first,) = struct.unpack("<I", whole[4:8])
    (count,) = struct.unpack("<H", whole[first : first + 2])
    for start in range(first + 2, first + 2 + 12 * count, 12):
        if struct.unpack("<H", whole[start : start + 2])[0] == 259:
            struct.pack_into("<H", whole, start + 8, number)
    (tmp_path / "a.tif").write_bytes(whole)
    with pytest.raises(PictureError, match=f"is compressed by {name}"):
        read(tmp_path / "a.tif")


def test_a_picture_of_holes_alone_is_named(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.full((32, 32), np.nan, np.float32))
    done = run_cli("enhance", "a.tif", "-o", "b.tif", "--model", BUNDLES / "restore", cwd=tmp_path)
    assert "failed: a.tif: holds no values" in done.stderr and "Warning" not in done.stderr


def test_a_file_that_is_cut_off_while_it_is_read(tmp_path, pixels):
    path = png_of(np.tile(pixels, (4, 4, 1)), tmp_path / "a.png")
    from safelight.picture.opening import open_image  # the header alone; pixels come later

    image = open_image(path)
    path.write_bytes(path.read_bytes()[:100])
    assert image.write_to_memory() == np.tile(pixels, (4, 4, 1)).tobytes()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_pictures_whose_zero_is_white(tmp_path, rng, dtype):
    values = rng.integers(1, 200, (40, 40)).astype(dtype)
    values[3:9, 3:9] = 0
    tags = [(42113, 2, 2, "0", True)]
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="miniswhite", extratags=tags)
    picture = read(tmp_path / "a.tif")
    write(picture, tmp_path / "b.tif")
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        found, missing = file.asarray(), float(file.pages[0].tags[42113].value)
    if dtype == np.float32:
        assert any("its 0 is white" in words for words in picture.warnings) and (found == values).all()
    else:
        assert (found == np.iinfo(dtype).max - values).all() and not picture.warnings
    assert missing == picture.missing and ((found == missing) == (values == 0)).all()


def test_a_scale_that_is_asked_for_is_that_of_the_file(tmp_path):
    values = np.linspace(-80, -20, 64 * 64, dtype=np.float32).reshape(64, 64)
    tifffile.imwrite(tmp_path / "a.tif", values)
    ask = ("--model", BUNDLES / "restore", "--strength", 0, "--depth", 16, "--scale=-90:0")
    done = run_cli("enhance", "a.tif", "-o", "b.tif", *ask, cwd=tmp_path)
    assert done.returncode == 0 and "values from -90 to 0 became black to white" in done.stderr
    assert np.abs(tifffile.imread(tmp_path / "b.tif") - (values + 90) / 90 * 65535).max() < 2


@pytest.mark.parametrize(("background", "hot"), [(1000, 50_000), (31_000, 60_000), (300, 60_000)])
def test_hot_pixels_on_a_flat_picture(tmp_path, rng, background, hot):
    values = np.full((150, 200), background, np.uint16)
    where = np.zeros(values.shape, bool)
    where[::2, ::2] = rng.random((75, 100)) < 0.012
    values[where] = hot
    tifffile.imwrite(tmp_path / "a.tif", values)
    done = run_cli("enhance", "a.tif", "-o", "b.tif", "--model", BUNDLES / "restore", cwd=tmp_path)
    found = tifffile.imread(tmp_path / "b.tif").astype(int)
    assert done.returncode == 0 and (found[where] == hot).all() and np.abs(found[~where] - background).max() <= 1


def test_mild_hot_pixels(scene, rng):
    counts = np.rint(100 + 1000 * scene).astype(np.uint16)
    hot = np.zeros(counts.shape, bool)
    hot[::2, ::2] = rng.random((128, 160)) < 0.012
    damaged = np.where(hot, 2500, counts).astype(np.uint16)
    assert measure_scale(Picture(damaged[..., None])).scale.high < 1200


@pytest.mark.parametrize("value", [2e-5, 0.0, -7.0, 3e30])
def test_flat_floats_stay_flat(tmp_path, value):
    tifffile.imwrite(tmp_path / "a.tif", np.full((64, 64), value, np.float32))
    done = run_cli("enhance", "a.tif", "-o", "b.tif", "--model", BUNDLES / "restore", cwd=tmp_path)
    assert done.returncode == 0 and "Warning" not in done.stderr, done.stderr
    assert np.abs(tifffile.imread(tmp_path / "b.tif") - np.float32(value)).max() <= 1e-2 * abs(value) + 1e-11


@pytest.mark.parametrize("spread", [0.4, 1, 4])
def test_dark_frames_are_restored(tmp_path, rng, spread):
    tifffile.imwrite(tmp_path / "a.tif", np.rint(1000 + rng.normal(0, spread, (150, 200))).astype(np.uint16))
    done = run_cli("enhance", "a.tif", "-o", "b.tif", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert np.abs(tifffile.imread(tmp_path / "b.tif").astype(int) - 1000).max() <= 6 * spread


def test_positions_in_texts_of_a_png(tmp_path, pixels):
    texts = ((b"tEXt", b"exif:GPSLatitude\x0047"), (b"tEXt", b"Title\0Boat"))
    picture = read(png_of(pixels, tmp_path / "a.png", *texts))
    write(picture, tmp_path / "b.png", metadata="strip-gps")
    assert read(tmp_path / "b.png").metadata.texts == (("Title", "Boat"),)
