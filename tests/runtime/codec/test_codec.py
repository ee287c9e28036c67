"""Pictures to bytes and back, by a small codec: exact, bounded, and clear about damage."""

import dataclasses

import numpy as np
import onnxruntime as ort
import pytest

from safelight.coding.entropy import SymbolReader
from safelight.coding.tiling import Tile, grid_of, tiles
from safelight.errors import PictureError, UsageError
from safelight.picture import Metadata, Picture, read
from safelight.runtime.codec import Codec
from safelight.runtime.codec import codec as codec_module
from safelight.runtime.codec.codec import Region
from safelight.runtime.codec.load import build_core, read_codec
from safelight.runtime.codec.networks import Law
from tests.make_golden import EXIF, PHOTO, RATE_WEIGHT
from tests.stranger import StrangersBundle, decode
from tests.support import ROOT, load_benchmark

GOLDEN = ROOT / "tests" / "golden"


def noisy(rng: np.random.Generator, *shape: int, dtype: type = np.uint8) -> np.ndarray:
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


@pytest.mark.parametrize("size", [(1, 1), (1, 70), (15, 17), (16, 64), (65, 130), (151, 211)])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_of_any_size_makes_the_round_trip(codec, photo_pixels, size, channels):
    pixels = photo_pixels[: size[0], : size[1], :channels]
    made = codec.encode(Picture(pixels), 60)
    decoded = codec.decompress(made.data)
    np.testing.assert_array_equal(decoded.pixels, made.decoded)
    assert decoded.pixels.shape == pixels.shape and decoded.pixels.dtype == np.uint8
    assert np.abs(decoded.pixels.astype(int) - pixels).mean() < 60


@pytest.mark.parametrize("quality", [1, 50, 100])
def test_graphs_and_the_law_agree_to_the_bit(codec, tiny_codec, photo_pixels, quality):
    parts = read_codec(tiny_codec)
    law = Codec(build_core(Law(parts.programs, parts.arrays), parts, tiny_codec))
    picture = Picture(photo_pixels[:96, :80])
    data = codec.compress(picture, quality)
    assert law.compress(picture, quality) == data
    np.testing.assert_array_equal(law.decompress(data).pixels, codec.decompress(data).pixels)


def test_torch_agrees_too(codec, tiny_codec, photo_pixels):
    pytest.importorskip("torch")
    parts = read_codec(tiny_codec)
    engine = load_benchmark("codec_exact").TorchEngine(parts)
    picture = Picture(photo_pixels)
    assert Codec(build_core(engine, parts, tiny_codec)).compress(picture, 40) == codec.compress(picture, 40)


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("optimised", [True, False])
def test_threads_and_optimisation_change_nothing(tiny_codec, photo_pixels, codec, threads, optimised, monkeypatch):
    level = ort.GraphOptimizationLevel
    real = ort.SessionOptions

    def options():
        made = real()
        made.graph_optimization_level = level.ORT_ENABLE_ALL if optimised else level.ORT_DISABLE_ALL
        return made

    monkeypatch.setattr(ort, "SessionOptions", options)
    other = Codec.load(tiny_codec.folder, threads=threads)
    picture = Picture(photo_pixels)
    assert other.compress(picture, 70) == codec.compress(picture, 70)


def test_tiles_meet_without_a_seam(codec, photo_pixels, monkeypatch):
    """The synthesis of a picture in small tiles is that of the picture as a whole."""
    picture = Picture(photo_pixels)
    monkeypatch.setattr("safelight.coding.tiling.TILE", 4)
    made = codec.encode(picture, 50)
    parts = len(codec.header(made.data).tiles)
    assert parts == 12
    latents = np.zeros((16, *grid_of(*picture.size)), np.int32)
    for tile, stream in zip(tiles(grid_of(*picture.size)), codec.header(made.data).tiles, strict=True):
        reading = codec_module.Reading(codec_module.SymbolReader(codec.core.coder.coder, stream.of(made.data)))
        latents[:, *tile.slices()] = codec.core.coder.code((tile.height, tile.width), 50, reading)
    whole = Tile(0, 0, *latents.shape[1:])
    at_once = codec.core.decoded(latents, [whole], codec.header(made.data))
    np.testing.assert_array_equal(at_once, made.decoded)
    analysed = codec.core.analyse(picture.pixels, whole, latents.shape[1:])
    for tile in tiles(latents.shape[1:]):
        part = codec.core.analyse(picture.pixels, tile, latents.shape[1:])
        np.testing.assert_array_equal(part, analysed[:, *tile.slices()])


def test_a_region_is_that_part_of_the_whole(codec, photo_pixels, monkeypatch):
    monkeypatch.setattr("safelight.coding.tiling.TILE", 4)
    alpha = np.arange(151 * 211, dtype=np.uint8).reshape(151, 211, 1)
    data = codec.compress(Picture(photo_pixels, alpha), 50)
    whole = codec.decompress(data)
    part = codec.decompress(data, Region(60, 70, 33, 50))
    np.testing.assert_array_equal(part.pixels, whole.pixels[70:120, 60:93])
    np.testing.assert_array_equal(part.alpha, whole.alpha[70:120, 60:93])
    for region in (Region(-1, 0, 5, 5), Region(0, 0, 0, 5), Region(200, 0, 12, 5), Region(0, 150, 5, 2)):
        with pytest.raises(PictureError, match="not inside the picture, which has 211x151 pixels"):
            codec.decompress(data, region)


def test_bytes_and_quality_rise_together(codec, photo_pixels):
    """Of a codec that is not trained, in larger steps than those of one that is."""
    made = [codec.encode(Picture(photo_pixels), quality) for quality in (1, 25, 50)]
    sizes = [len(one.data) for one in made]
    errors = [np.mean((one.decoded.astype(float) - photo_pixels) ** 2) for one in made]
    assert sizes == sorted(set(sizes)) and errors == sorted(set(errors), reverse=True)


def test_a_larger_weight_of_the_rate_makes_smaller_files(codec, photo_pixels):
    sizes = [len(codec.encode(Picture(photo_pixels), 40, rate_weight=weight).data) for weight in (0.0, 1.0, 4.0)]
    assert sizes == sorted(set(sizes), reverse=True)


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_more_than_eight_bits(codec, photo_pixels, bits):
    fine = photo_pixels.astype(np.uint16) * 257
    fine[..., 0] += 100
    decoded = codec.decompress(codec.compress(Picture(np.minimum(fine, 65535), bits=bits), 100))
    assert (decoded.bits, decoded.pixels.dtype) == (bits, np.uint16)
    eight = codec.decompress(codec.compress(Picture(photo_pixels), 100)).pixels
    assert np.abs(decoded.pixels / 257 - eight).mean() < 3
    assert len(np.unique(decoded.pixels)) > 256


def test_float_is_refused_with_a_mend(codec):
    with pytest.raises(PictureError, match=r"32-bit float, and a .latent file holds 8 to 16 bits; convert it first"):
        codec.compress(Picture(np.zeros((8, 8, 3), np.float32)))


def test_wrong_qualities_and_depths_are_refused(codec, photo_pixels):
    for quality in (0, 101, -3):
        with pytest.raises(UsageError, match="use a whole number from 1 to 100"):
            codec.compress(Picture(photo_pixels), quality)
    with pytest.raises(PictureError, match=r"has 14 bits; a .latent file holds 8, 10, 12, 16"):
        codec.compress(Picture(photo_pixels.astype(np.uint16), bits=14))


def test_grey_stays_grey_and_costs_less(codec, photo_pixels):
    grey = photo_pixels[..., 1:2]
    data = codec.compress(Picture(grey), 60)
    assert codec.decompress(data).grey and len(data) < len(codec.compress(Picture(photo_pixels), 60))


def test_what_travels_beside_the_pixels_is_kept(codec, photo_pixels, rng):
    metadata = Metadata(icc=b"icc" * 99, exif=EXIF, xmp=b"<x/>", iptc=b"iptc", dpi=(300.0, 299.5))
    for dtype in (np.uint8, np.uint16):
        alpha = noisy(rng, 151, 211, 1, dtype=dtype)
        picture = Picture(photo_pixels.astype(dtype), alpha, metadata)
        back = codec.decompress(codec.compress(picture, 30))
        assert back.metadata == metadata
        np.testing.assert_array_equal(back.alpha, alpha)


def test_equal_input_gives_equal_bytes(codec, photo_pixels):
    picture = Picture(photo_pixels)
    assert codec.compress(picture, 33) == codec.compress(picture.with_(format="jpeg"), 33)


def test_golden_files_of_another_day(codec):
    """Made once by `python -m tests.make_golden`; they must decode to these pixels for ever."""
    files = {path.stem: path.read_bytes() for path in GOLDEN.glob("*.latent")}
    assert len(files) == 7
    for data in files.values():
        codec.decompress(data)  # compares the checksum of the pixels
    photo = read(PHOTO).with_(metadata=Metadata())
    for quality in (5, 40, 90):
        assert codec.encode(photo, quality, rate_weight=RATE_WEIGHT).data == files[f"colosseum-{quality:02d}"]


@pytest.mark.parametrize("name", sorted(path.stem for path in GOLDEN.glob("*.latent")))
def test_a_stranger_decodes_the_same(codec, tiny_codec, name):
    data = (GOLDEN / f"{name}.latent").read_bytes()
    ours, theirs = codec.decompress(data), decode(data, StrangersBundle(tiny_codec.folder))
    np.testing.assert_array_equal(theirs.pixels, ours.pixels)
    if ours.alpha is not None:
        np.testing.assert_array_equal(theirs.extras[6], ours.alpha[..., 0])
        assert theirs.extras[1] == ours.metadata.icc and theirs.extras[5] == ours.metadata.dpi


def test_golden_files_reach_the_rare_rules(codec, monkeypatch):
    """Else a decoder could do without them."""
    escaped, coarse = [], []
    read_escaped, hyper = SymbolReader._read_escaped, codec_module.Reading.hyper
    monkeypatch.setattr(SymbolReader, "_read_escaped", lambda self, r: escaped.append(r) or read_escaped(self, r))
    monkeypatch.setattr(codec_module.Reading, "hyper", lambda self, e: coarse.append(hyper(self, e)) or coarse[-1])
    tiles_of = [len(codec.header(path.read_bytes()).tiles) for path in GOLDEN.glob("*.latent")]
    for path in GOLDEN.glob("*.latent"):
        codec.decompress(path.read_bytes())
    assert len(escaped) > 50 and max(tiles_of) == 2 and sum(len(np.unique(symbols)) > 3 for symbols in coarse) >= 3


def test_tiles_follow_from_the_size_alone():
    assert tiles((5, 70))[0] == Tile(0, 0, 5, 36) and tiles((5, 70))[1] == Tile(0, 36, 5, 34)
    assert tiles((64, 64)) == [Tile(0, 0, 64, 64)]
    cut = tiles((200, 129))
    assert max(tile.height for tile in cut) <= 64 and max(tile.width for tile in cut) <= 64
    assert sum(tile.height * tile.width for tile in cut) == 200 * 129
    assert all(tile.top % 4 == 0 and tile.left % 4 == 0 for tile in cut)
    assert dataclasses.astuple(Tile(1, 2, 3, 4).with_halo(9, (5, 5))) == (0, 0, 5, 5)
