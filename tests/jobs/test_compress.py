"""The verbs compress and decompress on files and folders."""

import json
import os
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

import safelight
from safelight.errors import RefusedError, UsageError
from safelight.jobs.compress.compress import compress
from safelight.jobs.compress.decompress import decompress
from safelight.jobs.compress.settings import CompressSettings, DecompressSettings
from safelight.picture import Metadata, Picture, read, write
from tests.support import ROOT, XMP, needs_exiftool, run_cli, tags_by_exiftool

SAMPLE = ROOT / "examples" / "samples" / "roman_colosseum.webp"


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "in" / "photo.png"
    path.parent.mkdir()
    write(Picture(read(SAMPLE).pixels[:160, :200], metadata=Metadata(xmp=XMP, dpi=(300.0, 300.0))), path)
    return path


@pytest.fixture
def packed(tiny_codec, tmp_path):
    """Settings of both verbs, with changes."""

    def settings(kind, *inputs, output, **changes):
        return kind(**({"inputs": inputs, "output": output, "model": str(tiny_codec.folder)} | changes))

    return settings


def compressed(packed, photo, output, **changes):
    (outcome,) = compress(packed(CompressSettings, photo, output=output, **changes)).outcomes
    return outcome


def test_a_file_there_and_back(packed, photo, tmp_path):
    outcome = compressed(packed, photo, tmp_path / "a.latent", quality=40)
    assert outcome.status == "done" and outcome.bytes == (tmp_path / "a.latent").stat().st_size
    assert outcome.bits_per_pixel == pytest.approx(8 * outcome.bytes / (160 * 200), abs=1e-4)
    (back,) = decompress(packed(DecompressSettings, tmp_path / "a.latent", output=tmp_path / "b.png")).outcomes
    assert (back.status, back.quality, back.restored) == ("done", 40, False)
    before, after = read(photo), read(tmp_path / "b.png")
    assert after.metadata.dpi == before.metadata.dpi and b"dc:source" in after.metadata.xmp
    error = np.mean((after.pixels.astype(float) - before.pixels) ** 2)
    assert outcome.psnr_db == pytest.approx(10 * np.log10(255**2 / error), abs=0.01)


@needs_exiftool
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp", "avif"])
def test_exiftool_finds_all_tags_again(packed, tmp_path, suffix):
    Image.fromarray(read(SAMPLE).pixels[:64, :64]).save(tmp_path / "a.jpg")
    said = {
        "Artist": "A. Person",
        "Make": "M",
        "ISO": "400",
        "XMP:Title": "Boat",
        "GPSLatitude": "10",
        "LensModel": "L",
    }
    options = [f"-{key}={value}" for key, value in said.items()]
    subprocess.run(["exiftool", "-q", "-overwrite_original", *options, str(tmp_path / "a.jpg")], check=True)
    compressed(packed, tmp_path / "a.jpg", tmp_path / "a.latent")
    back = tmp_path / f"b.{suffix}"
    decompress(packed(DecompressSettings, tmp_path / "a.latent", output=back))
    before, after = tags_by_exiftool(tmp_path / "a.jpg"), tags_by_exiftool(back)
    names = {name.removeprefix("XMP:") for name in said}
    assert {name: after.get(name) for name in names} == {name: before[name] for name in names}


def test_a_folder_is_mirrored_skipped_and_gone_on_with(packed, photo, tmp_path):
    (photo.parent / "sub").mkdir()
    Image.fromarray(np.zeros((20, 30), np.uint8)).save(photo.parent / "sub" / "grey.jpg")
    (photo.parent / "bad.png").write_bytes(b"nonsense")
    (photo.parent / "notes.txt").write_text("no picture")
    settings = packed(CompressSettings, photo.parent, output=tmp_path / "out", recursive=True, quality=20)
    first, second = compress(settings), compress(settings)
    assert [outcome.status for outcome in first.outcomes] == ["failed", "done", "done"]
    assert "bad.png" in first.outcomes[0].error
    assert [outcome.status for outcome in second.outcomes] == ["failed", "skipped", "skipped"]
    assert sorted(path.name for path in (tmp_path / "out").rglob("*.latent")) == ["grey.latent", "photo.latent"]
    header, *lines = [json.loads(line) for line in (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()]
    assert header == {"manifest": 1, "verb": "compress"}
    assert {"quality", "bits_per_pixel", "psnr_db", "model_sha256"} <= next(
        line for line in lines if "key" in line
    ).keys()
    back = packed(DecompressSettings, tmp_path / "out", output=tmp_path / "back", recursive=True, format="tiff")
    assert [outcome.status for outcome in decompress(back).outcomes] == ["done", "done"]
    assert read(tmp_path / "back" / "sub" / "grey.tif").grey


def test_a_result_is_known_when_an_original_of_the_same_stem_comes_and_goes(packed, photo, tmp_path):
    def statuses():
        report = compress(packed(CompressSettings, photo.parent, output=tmp_path / "out", quality=20))
        return [outcome.status for outcome in report.outcomes]

    assert statuses() == ["done"]
    write(read(photo), photo.with_suffix(".tif"))
    assert statuses() == ["skipped", "done"]
    assert sorted(path.name for path in (tmp_path / "out").glob("*.latent")) == ["photo.latent", "photo_tif.latent"]
    photo.unlink()
    assert statuses() == ["skipped"]


@pytest.mark.parametrize("largest", [1100, 1500, 2000])
def test_max_bytes_is_never_passed(packed, photo, tmp_path, largest):
    outcome = compressed(packed, photo, tmp_path / "a.latent", max_bytes=largest)
    assert 0.9 * largest < (tmp_path / "a.latent").stat().st_size <= largest and outcome.quality


def test_bpp_and_psnr(packed, photo, tmp_path):
    rate = compressed(packed, photo, tmp_path / "a.latent", bpp=0.4)
    assert 0.36 < rate.bits_per_pixel <= 0.4
    good = compressed(packed, photo, tmp_path / "b.latent", psnr=21.9)
    worse = compressed(packed, photo, tmp_path / "c.latent", quality=good.quality - 1)
    assert worse.psnr_db < 21.9 <= good.psnr_db


def test_what_cannot_be_reached_is_said(packed, photo, tmp_path):
    small = compressed(packed, photo, tmp_path / "a.latent", max_bytes=60)
    assert small.status == "failed" and "bytes at the least, and 60 were asked for" in small.error
    good = compressed(packed, photo, tmp_path / "a.latent", psnr=99)
    assert good.status == "failed" and "dB at the most, and 99 were asked for" in good.error
    assert not (tmp_path / "a.latent").exists()


def test_float_pictures_are_refused_with_their_name(packed, tmp_path):
    write(Picture(np.zeros((9, 9, 1), np.float32)), tmp_path / "f.tif")
    outcome = compressed(packed, tmp_path / "f.tif", tmp_path / "f.latent")
    assert outcome.status == "failed" and outcome.error.startswith(f"{tmp_path / 'f.tif'}: has values of 32-bit float")


@pytest.mark.parametrize("value", [0, 777, 65535])
def test_flat_pictures_of_16_bits(packed, tmp_path, value):
    write(Picture(np.full((40, 50, 1), value, np.uint16)), tmp_path / "a.tif")
    assert compressed(packed, tmp_path / "a.tif", tmp_path / "a.latent").status == "done"


def test_restoring_first_is_written_into_the_file(packed, photo, tmp_path):
    noisy = read(photo).pixels + np.random.default_rng(0).normal(0, 20, (160, 200, 3))
    write(Picture(np.clip(noisy, 0, 255).astype(np.uint8)), tmp_path / "noisy.png")
    plain = compressed(packed, tmp_path / "noisy.png", tmp_path / "a.latent", quality=90)
    restored = compressed(packed, tmp_path / "noisy.png", tmp_path / "b.latent", quality=90, restore=True)
    assert restored.bytes < plain.bytes
    (back,) = decompress(packed(DecompressSettings, tmp_path / "b.latent", output=tmp_path / "b.png")).outcomes
    assert back.restored


def test_metadata_can_be_stripped(packed, photo, tmp_path):
    compressed(packed, photo, tmp_path / "a.latent", metadata="strip")
    decompress(packed(DecompressSettings, tmp_path / "a.latent", output=tmp_path / "b.png"))
    assert read(tmp_path / "b.png").metadata.xmp is None


def test_damage_region_and_salvage_on_the_command_line(packed, tiny_codec, photo, tmp_path):
    compressed(packed, photo, tmp_path / "a.latent")
    model = ("--model", tiny_codec.folder)
    part = run_cli("decompress", tmp_path / "a.latent", "-o", tmp_path / "p.png", "--region", "10,20,30,40", *model)
    assert part.returncode == 0 and read(tmp_path / "p.png").size == (30, 40)
    data = bytearray((tmp_path / "a.latent").read_bytes())
    data[-5] ^= 8
    (tmp_path / "d.latent").write_bytes(data)
    failed = run_cli("decompress", tmp_path / "d.latent", "-o", tmp_path / "d.png", *model)
    assert failed.returncode == 1 and "tile 1 of 1 (rows 1 to 160, columns 1 to 200) is damaged" in failed.stderr
    assert failed.stderr.count("\n") == 2 and not (tmp_path / "d.png").exists()
    saved = run_cli("decompress", tmp_path / "d.latent", "-o", tmp_path / "d.png", "--salvage", *model)
    assert saved.returncode == 1 and "nothing of it can be saved" in saved.stderr and not (tmp_path / "d.png").exists()


def test_lines_for_people_and_for_programs(packed, tiny_codec, photo, tmp_path):
    model = ("--model", tiny_codec.folder)
    line = run_cli("compress", photo, "-o", tmp_path / "a.latent", "-q", 30, *model).stdout
    assert line.startswith(f"{photo} -> {tmp_path / 'a.latent'}  (") and " bits per pixel, " in line and " dB, " in line
    record = json.loads(run_cli("compress", photo, "-o", tmp_path / "b.latent", "--json", *model).stdout)
    assert record["quality"] == 50 and record["bytes"] and record["seconds"] and record["psnr_db"]
    planned = run_cli("compress", photo.parent, "-o", tmp_path / "out", "--dry-run", *model)
    assert planned.stdout == f"{photo} -> {tmp_path / 'out' / 'photo.latent'}\n" and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--quality", 0), "--quality '0'"),
        (("--quality", 5, "--bpp", 1), "--quality and --bpp both say how large a file is"),
        (("--max-bytes", 0), "--max-bytes '0'"),
        (("--model", "photo"), "model 'photo' is a restorer of photographs, and a codec is needed"),
    ],
)
def test_wrong_requests(photo, tmp_path, words, reason):
    wrong = run_cli("compress", photo, "-o", tmp_path / "a.latent", *words)
    assert wrong.returncode in (2, 3) and reason in wrong.stderr and wrong.stderr.count("\n") <= 8


def test_what_is_no_file_is_refused(packed, tmp_path):
    os.mkfifo(tmp_path / "pipe.latent")
    (outcome,) = decompress(packed(DecompressSettings, tmp_path / "pipe.latent", output=tmp_path / "b.png")).outcomes
    assert outcome.error.endswith("is not a file; name a .latent file or a folder of them")


def test_one_folder_for_both_ways(packed, photo, tmp_path):
    compress(packed(CompressSettings, photo, output=tmp_path / "work"))
    back = decompress(packed(DecompressSettings, tmp_path / "work", output=tmp_path / "work"))
    assert [outcome.status for outcome in back.outcomes] == ["done"]
    assert (tmp_path / "work" / "photo.png").exists()


def test_a_limit_or_the_usual_quality_is_no_other_setting(packed, photo, tmp_path):
    first = packed(CompressSettings, photo.parent, output=tmp_path / "out")
    again = packed(CompressSettings, photo.parent, output=tmp_path / "out", max_megapixels=9, quality=50, threads=1)
    assert [compress(settings).outcomes[0].status for settings in (first, again)] == ["done", "skipped"]


def test_wrong_names_and_regions(photo, tmp_path):
    with pytest.raises(UsageError, match="several pictures need a folder"):
        compress(CompressSettings(inputs=(photo, photo), output=tmp_path / "a.latent"))
    with pytest.raises(UsageError, match=r"'.png' cannot be written"):
        compress(CompressSettings(inputs=(photo,), output=tmp_path / "a.png"))
    with pytest.raises(UsageError, match="is no region; write left,top,width,height"):
        DecompressSettings.of(inputs=("a.latent",), output="b.png", region="1,2,3")


def test_a_file_that_is_no_latent_file(packed, photo, tmp_path):
    shutil.copy(photo, tmp_path / "a.latent")
    (outcome,) = decompress(packed(DecompressSettings, tmp_path / "a.latent", output=tmp_path / "b.png")).outcomes
    assert outcome.error == f"{tmp_path / 'a.latent'}: is no .latent file; name one that 'safelight compress' wrote"


def test_in_python(tiny_codec, photo):
    codec = safelight.Codec.load(tiny_codec.folder)
    data = codec.compress(safelight.read(photo), quality=40)
    assert codec.decompress(data).size == (200, 160)
    with pytest.raises(RefusedError, match="a codec is needed"):
        safelight.Codec.load("photo")
