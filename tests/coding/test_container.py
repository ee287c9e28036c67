"""The file, whole and damaged."""

import zlib

import numpy as np
import pytest

from safelight.coding.container import SIGNATURE, Extra, Header, pack, unpack
from safelight.errors import PictureError

HEADER = Header(bytes(range(32)), width=3000, height=500, bits=8, quality=40, pixels_crc=12345)
TILES = [b"one stream", b"", b"another one"]


def read(data: bytes, megapixels: float = 400) -> Header:
    return unpack(data, megapixels)


@pytest.fixture
def data() -> bytes:
    return pack(HEADER, {Extra.ICC: b"profile", Extra.ALPHA: b"alpha"}, TILES)


def test_what_is_packed_is_unpacked(data):
    header = read(data)
    assert (header.width, header.height, header.bits, header.quality) == (3000, 500, 8, 40)
    assert (header.model, header.pixels_crc, header.grey, header.restored) == (HEADER.model, 12345, False, False)
    assert [stream.of(data) for stream in header.tiles] == TILES
    assert {kind: stream.of(data) for kind, stream in header.extras.items()} == {1: b"profile", 6: b"alpha"}


def test_one_tile_costs_at_most_64_bytes_beside_its_stream():
    data = pack(HEADER, {}, [bytes(50_000)])
    assert len(data) - 50_000 <= 64


def test_every_flipped_bit_is_found(data):
    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 1 << position % 8
        try:
            header = read(bytes(damaged))
        except PictureError:
            continue
        assert None in [s.of(bytes(damaged)) for s in (*header.tiles, *header.extras.values())], position


def test_every_truncation_is_found(data):
    for length in range(len(data)):
        try:
            header = read(data[:length])
        except PictureError:
            continue
        assert None in [stream.of(data[:length]) for stream in (*header.tiles, *header.extras.values())], length


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: b"", "is empty"),
        (lambda d: b"\xff\xd8\xff\xe0 a jpeg", "is no .latent file"),
        (lambda d: d.replace(b"\r\n", b"\n"), "changed by a transfer as text"),
        (lambda d: bytes([d[0] & 0x7F]) + d[1:], "changed by a transfer as text"),
        (lambda d: d[:8] + b"\x02" + d[9:], "is of version 2, and this program reads version 1; update Safelight"),
        (lambda d: d[:5], "is cut off in its header"),
        (lambda d: d[:60], "is cut off in its header"),
        (lambda d: d[:50] + bytes([d[50] ^ 1]) + d[51:], "its header is damaged"),
    ],
)
def test_what_is_wrong_is_said(data, change, words):
    with pytest.raises(PictureError, match=words):
        read(change(data))


def test_a_size_that_is_too_large_is_refused_before_anything_is_made(data):
    with pytest.raises(PictureError, match=r"declares 3000x500 pixels; the limit is 0 megapixels"):
        read(data, megapixels=0.3)


def test_a_line_of_pixels_is_refused_by_the_positions_that_it_needs():
    """A picture of one row has 16 times as many pixels in whole positions."""
    line = pack(Header(bytes(32), width=4_000_000, height=1, bits=8, quality=1), {}, [])
    with pytest.raises(PictureError, match="declares 4000000x1 pixels; the limit is 4 megapixels"):
        read(line, megapixels=4)


def test_values_of_a_later_version_are_refused(data):
    strange = pack(Header(bytes(32), 1, 1, bits=7, quality=1, pixels_crc=0), {}, [b""])
    with pytest.raises(PictureError, match="does not know; update Safelight"):
        read(strange)


def test_noise_after_the_signature_is_refused(rng):
    for _ in range(1000):
        noise = SIGNATURE + b"\x01" + rng.bytes(int(rng.integers(0, 200)))
        with pytest.raises(PictureError):
            unpack(noise, 400)


def test_a_stranger_reads_the_header(data):
    """By docs/format.md alone."""
    assert data[:9] == b"\x89LAT\r\n\x1a\n\x01" and data[9:41] == HEADER.model
    assert data[41:45] == bytes([0xB8, 0x17, 0xF4, 0x03])  # 3000 and 500 as LEB128
    flags, bits, quality = data[45:48]
    assert (flags, bits, quality, int.from_bytes(data[48:52], "little")) == (0, 8, 40, 12345)
    assert data[52] == 2 and data[53:55] == bytes([1, 7])
    end = 53 + 2 * 6 + 3 * 5
    assert int.from_bytes(data[end : end + 4], "little") == zlib.crc32(data[:end])
    assert data[end + 4 :] == b"profile" + b"alpha" + b"".join(TILES)
    assert np.frombuffer(data[55:59], "<u4")[0] == zlib.crc32(b"profile")
