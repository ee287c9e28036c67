"""EXIF blocks: laws of the parser and writer."""

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safelight.picture.exif import MAKER_NOTE, Exif, append_to_tiff_file, parse, parse_tiff_file, serialise
from safelight.picture.tiff import Value, read_pages

values = st.one_of(
    st.binary(min_size=1, max_size=40).map(lambda b: Value(7, len(b), b)),
    st.lists(st.integers(0, 65535), min_size=1, max_size=9).map(
        lambda v: Value(3, len(v), struct.pack(f"<{len(v)}H", *v))
    ),
    st.lists(st.integers(0, 2**32 - 1), min_size=2, max_size=4)
    .filter(lambda v: len(v) % 2 == 0)
    .map(lambda v: Value(5, len(v) // 2, struct.pack(f"<{len(v)}I", *v))),
)
directories = st.dictionaries(st.integers(1, 0x7FFF), values, max_size=6)


@given(directories, directories, directories)
def test_serialise_then_parse_is_identity(main, exif, gps):
    before = Exif(main, exif, gps)
    after = parse(serialise(before))
    assert (after.main, after.exif, after.gps) == (main, exif, gps)


@given(directories, st.binary(min_size=5, max_size=60), st.integers(0, 600))
def test_maker_note_stays_where_it_was(main, note, gap):
    offset = 8 + 2 + 12 * (len(main) + 2) + 4 + gap
    before = Exif(main, {MAKER_NOTE: Value(7, len(note), note)}, {1: Value(2, 6, b"12345\0")}, maker_note_offset=offset)
    block = serialise(before)
    assert block[offset : offset + len(note)] == note
    assert parse(block) == before


@given(st.binary(max_size=200))
def test_garbage_is_refused_or_read_but_never_crashes(noise):
    for block in (noise, b"II*\0\x08\0\0\0" + noise, b"MM\0*\0\0\0\x08" + noise):
        try:
            parse(block)
        except ValueError:
            pass
        except struct.error as error:
            pytest.fail(f"leaked {error}")


def test_big_endian_values_are_turned():
    block = b"MM\0*\0\0\0\x08" + struct.pack(">HHHIHHI", 1, 0x0112, 3, 1, 6, 0, 0)
    assert parse(block).main == {0x0112: Value(3, 1, b"\x06\0")}
    assert parse(block).upright().main[0x0112].data == b"\x01\0"


def test_tiff_file_round_trip(tmp_path, exif_block):
    import numpy as np
    import tifffile

    tifffile.imwrite(tmp_path / "a.tif", np.zeros((8, 8), np.uint8), description="old", byteorder="<")
    block = parse(exif_block)
    with (tmp_path / "a.tif").open("r+b") as file:
        append_to_tiff_file(file, block)
    with (tmp_path / "a.tif").open("rb") as file:
        found = parse_tiff_file(file, read_pages(file)[0])
    assert (found.exif, found.gps) == (block.exif, block.gps)
    assert found.main[0x010F] == block.main[0x010F]
    assert tifffile.imread(tmp_path / "a.tif").shape == (8, 8)
    with pytest.raises(ValueError, match="classic"):
        append_to_tiff_file(io.BytesIO(b"MM\0*\0\0\0\x08"), block)
