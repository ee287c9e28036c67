"""Damaged, cut off and hostile files: a clear line each, and what is whole can be saved."""

import struct
import zlib

import numpy as np
import pytest

from safelight.coding.container import SIGNATURE, Extra, pack
from safelight.coding.entropy import SymbolWriter
from safelight.errors import PictureError, RefusedError
from safelight.picture import Metadata, Picture
from safelight.runtime.codec import pixels
from safelight.runtime.codec.codec import Region


def test_a_stream_of_half_a_word_is_damaged(codec, photo_pixels):
    header = codec.header(codec.compress(Picture(photo_pixels), 50))
    short = pack(header, {}, [b"abc"])
    with pytest.raises(PictureError, match="ends within a word"):
        codec.decompress(short)
    with pytest.raises(PictureError, match="nothing of it can be saved"):
        codec.decompress(short, salvage=True)


def test_a_strange_density_or_exif_is_an_extra_that_is_damaged(codec, photo_pixels):
    header = codec.header(codec.compress(Picture(photo_pixels), 50))
    tile = SymbolWriter(codec.core.coder.coder).finish()
    for extra, content in (
        (Extra.DPI, struct.pack("<dd", float("nan"), 72)),
        (Extra.DPI, struct.pack("<dd", -1, 72)),
        (Extra.EXIF, zlib.compress(b"abc")),
        (Extra.ICC, zlib.compress(bytes(2**20))[:-9]),
    ):
        data = pack(header, {extra: content}, [tile])
        with pytest.raises(PictureError, match=f"its {extra.name} "):
            codec.decompress(data)


def test_a_damaged_tile_is_named_and_the_rest_is_saved(codec, photo_pixels, monkeypatch):
    monkeypatch.setattr("safelight.coding.tiling.TILE", 4)
    data = codec.compress(Picture(photo_pixels), 50)
    stream = codec.header(data).tiles[5]
    damaged = bytearray(data)
    damaged[stream.start + 3] ^= 4
    words = r"tile 6 of 12 \(rows 65 to 128, columns 65 to 128\) is damaged or cut off"
    with pytest.raises(PictureError, match=f"{words}; copy the file again, or save the rest with --salvage"):
        codec.decompress(bytes(damaged))
    saved = codec.decompress(bytes(damaged), salvage=True)
    assert saved.warnings[0].startswith("tile 6 of 12") and saved.warnings[0].endswith(
        "; it is grey, and pixels near it may be wrong"
    )
    whole = codec.decompress(data).pixels
    np.testing.assert_array_equal(saved.pixels[:4], whole[:4])  # 60 px away
    far = Region(208, 0, 3, 20)
    np.testing.assert_array_equal(codec.decompress(bytes(damaged), far).pixels, whole[:20, 208:], "not touched by it")


def test_a_file_that_is_cut_off_is_saved_as_far_as_it_goes(codec, photo_pixels, monkeypatch):
    monkeypatch.setattr("safelight.coding.tiling.TILE", 4)
    data = codec.compress(Picture(photo_pixels), 50)
    half = data[: codec.header(data).tiles[7].start]
    with pytest.raises(PictureError, match="tile 8 of 12"):
        codec.decompress(half)
    assert len(codec.decompress(half, salvage=True).warnings) == 5


def test_a_damaged_extra_is_named(codec, photo_pixels):
    picture = Picture(photo_pixels, np.zeros((151, 211, 1), np.uint8), Metadata(icc=b"profile"))
    data = codec.compress(picture, 50)
    start = codec.header(data).extras[1].start
    damaged = data[:start] + b"?" + data[start + 1 :]
    with pytest.raises(PictureError, match="its ICC is damaged or cut off"):
        codec.decompress(damaged)
    saved = codec.decompress(damaged, salvage=True)
    assert saved.metadata.icc is None and saved.warnings == ("ICC is damaged or cut off",)
    np.testing.assert_array_equal(saved.pixels, codec.decompress(data).pixels)


def test_a_file_of_another_model_is_refused(codec, photo_pixels):
    data = codec.compress(Picture(photo_pixels[:16, :16]), 50)
    foreign = data[:9] + bytes(32) + data[41:]
    with pytest.raises((RefusedError, PictureError), match=r"damaged|model 000000000000"):
        codec.decompress(foreign)


def test_a_wrong_pixel_is_not_given_out(codec, photo_pixels, monkeypatch):
    data = codec.compress(Picture(photo_pixels), 50)
    real = pixels.from_units
    monkeypatch.setattr(pixels, "from_units", lambda values, bits, grey: real(values + 64, bits, grey))
    with pytest.raises(PictureError, match="its pixels are not those that were compressed"):
        codec.decompress(data)


def test_a_thousand_broken_files(codec, photo_pixels, rng):
    data = codec.compress(Picture(photo_pixels, None, Metadata(xmp=b"<x/>")), 20)
    for k in range(1000):
        broken = bytearray(data)
        for position in rng.integers(len(SIGNATURE) if k % 2 else 0, len(data), 1 + k % 7):
            broken[position] = int(rng.integers(256))
        broken = broken[: int(rng.integers(len(data)))] if k % 3 == 0 else broken
        try:
            codec.decompress(bytes(broken), max_megapixels=1)
        except (PictureError, RefusedError) as error:
            assert "\n" not in str(error)
