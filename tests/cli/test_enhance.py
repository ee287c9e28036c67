"""`safelight enhance` as a person runs it, with good files and bad."""

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from safelight.bundle import Bundle
from safelight.evaluation.uncertainty_view import glow
from safelight.picture import read
from safelight.picture.exif import parse
from tests.support import XMP, run_cli


@pytest.fixture
def inputs(tmp_path: Path, exif_block: bytes) -> Path:
    """Three small photographs of different kinds."""
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "a.jpg", exif=b"Exif\0\0" + exif_block, xmp=XMP, dpi=(240, 240))
    Image.fromarray(noise[..., 0]).save(folder / "b.png")
    tifffile.imwrite(folder / "sub" / "c.tif", noise.astype(np.uint16) * 257, photometric="rgb")
    return folder


def hashes(folder: Path) -> dict[str, str]:
    files = (p for p in sorted(folder.rglob("*")) if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def pixels(folder: Path) -> dict[str, str]:
    return {name: digest for name, digest in hashes(folder).items() if name != "manifest.jsonl"}


def enhance(tiny: Bundle, *arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    return run_cli("enhance", *arguments, "--model", tiny.folder, **options)


def test_a_folder_is_mirrored_and_a_second_run_has_nothing_to_do(tiny, inputs, tmp_path):
    before = hashes(inputs)
    first = enhance(tiny, inputs, "-r", "-o", tmp_path / "out", "--samples", 1, "--uncertainty", "--json")
    assert first.returncode == 0, first.stderr
    assert "3 done, 0 skipped, 0 failed, on cpu" in first.stderr
    told = [json.loads(line) for line in first.stdout.splitlines()]
    assert [t["status"] for t in told] == ["done"] * 3
    assert set(pixels(tmp_path / "out")) == {
        f"{stem}{kind}"
        for stem, suffix in (("a", ".jpg"), ("b", ".png"), ("sub/c", ".tif"))
        for kind in (suffix, f"_sample1{suffix}", "_std.tif", "_std.png")
    }
    std = tifffile.imread(tmp_path / "out" / "sub" / "c_std.tif")
    assert std.dtype == np.float32 and std.shape == (40, 60) and std.min() > 0
    view = read(tmp_path / "out" / "sub" / "c_std.png")
    seen = glow(std[..., None] / np.float32(read(inputs / "sub" / "c.tif").full_scale))
    assert (view.pixels[:40, :60] == np.rint(255 * seen).astype(np.uint8)).all() and view.size[1] > 40
    after = pixels(tmp_path / "out")
    second = enhance(tiny, inputs, "-r", "-o", tmp_path / "out", "--samples", 1, "--uncertainty")
    assert "0 done, 3 skipped, 0 failed" in second.stderr
    assert pixels(tmp_path / "out") == after
    assert hashes(inputs) == before


def test_nothing_is_lost_and_provenance_is_added(tiny, inputs, tmp_path):
    assert enhance(tiny, inputs / "a.jpg", "-o", tmp_path / "a.jpg").returncode == 0
    old, new = read(inputs / "a.jpg"), read(tmp_path / "a.jpg")
    assert new.size == old.size == (40, 60), "orientation 6 was applied"
    assert new.metadata.exif == old.metadata.exif
    assert new.metadata.dpi == (240, 240)
    assert b"J\xc3\xb6rg" in new.metadata.xmp and b"algorithmicallyEnhanced" in new.metadata.xmp
    assert parse(new.metadata.exif).gps
    plain = enhance(tiny, inputs / "a.jpg", "-o", tmp_path / "p.jpg", "--no-provenance", "--metadata", "strip-gps")
    assert plain.returncode == 0
    new = read(tmp_path / "p.jpg").metadata
    assert b"safelight" not in new.xmp and b"GPS" not in new.xmp and not parse(new.exif).gps


@pytest.mark.parametrize(
    ("suffix", "dtype"), [("png", "u1"), ("png", "u2"), ("tif", "u1"), ("tif", "u2"), ("tif", "f4")]
)
def test_strength_zero_is_bit_exact(tiny, tmp_path, suffix, dtype):
    drawn = np.random.default_rng(0).random((30, 20, 3)) * (1.5 if dtype == "f4" else np.iinfo(dtype).max)
    values = drawn.astype(dtype)
    if (suffix, dtype) == ("png", "u2"):
        from safelight.picture import Picture, write

        write(Picture(values), tmp_path / "a.png")
    elif suffix == "png":
        Image.fromarray(values).save(tmp_path / "a.png")
    else:
        tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb")
    done = enhance(tiny, tmp_path / f"a.{suffix}", "-o", tmp_path / f"out.{suffix}", "--strength", 0)
    assert done.returncode == 0, done.stderr
    after = read(tmp_path / f"out.{suffix}").pixels
    assert after.dtype == values.dtype
    np.testing.assert_array_equal(after, values)


def test_one_bad_file_does_not_stop_the_rest(tiny, inputs, tmp_path):
    (inputs / "Thumbs.db").write_bytes(b"")
    (inputs / "empty.jpg").write_bytes(b"")
    (inputs / "text.png").write_text("not a picture")
    (inputs / "cut.jpg").write_bytes((inputs / "a.jpg").read_bytes()[:900])
    before = hashes(inputs)
    done = enhance(tiny, inputs, "-o", tmp_path / "out")
    assert done.returncode == 1
    failures = [line for line in done.stderr.splitlines() if line.startswith("failed: ")]
    assert len(failures) == 3
    assert all(any(name in line for line in failures) for name in ("empty.jpg", "text.png", "cut.jpg"))
    assert "2 done, 0 skipped, 3 failed" in done.stderr
    assert set(pixels(tmp_path / "out")) == {"a.jpg", "b.png"}
    assert hashes(inputs) == before
    stopped = enhance(tiny, inputs, "-o", tmp_path / "out2", "--on-error", "stop")
    assert stopped.returncode == 1
    assert "1 failed" in stopped.stderr


def test_a_pipe_does_not_hang_and_missing_files_are_told(tiny, tmp_path):
    os.mkfifo(tmp_path / "p.jpg")
    done = enhance(tiny, tmp_path / "p.jpg", tmp_path / "none.png", "-o", tmp_path / "out")
    assert done.returncode == 1
    assert "p.jpg: is not a file" in done.stderr and "none.png: is not there" in done.stderr


def test_output_that_cannot_be_written(tiny, inputs, tmp_path):
    (tmp_path / "file").write_text("in the way")
    done = enhance(tiny, inputs / "b.png", "-o", tmp_path / "file" / "out")
    assert done.returncode == 1
    assert "cannot be made" in done.stderr and "Traceback" not in done.stderr


def test_full_disk(tiny, inputs, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("no right to mount a small file system; run as root to test a full disk")
    try:
        noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
        Image.fromarray(noise).save(inputs / "b.png")
        done = enhance(tiny, inputs / "b.png", "-o", disk)
        assert done.returncode == 1
        assert "no space left" in done.stderr.lower()
        assert [p.name for p in disk.iterdir() if p.name != "manifest.jsonl"] == []
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("moment_s", [0.6, 0.9, 1.3])
def test_killed_and_run_again_equals_undisturbed(tiny, inputs, tmp_path, moment_s):
    for k in range(12):
        noise = np.random.default_rng(k).integers(0, 256, (200, 210, 3), dtype=np.uint8)
        Image.fromarray(noise).save(inputs / f"k{k:02}.png")
    command = [sys.executable, "-m", "safelight", "enhance", inputs, "-r", "-o", tmp_path / "out", "--samples", "2"]
    command += ["--model", tiny.folder]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(moment_s)
    process.kill()
    process.wait()
    again = enhance(tiny, inputs, "-r", "-o", tmp_path / "out", "--samples", 2)
    assert again.returncode == 0, again.stderr
    assert enhance(tiny, inputs, "-r", "-o", tmp_path / "whole", "--samples", 2).returncode == 0
    assert pixels(tmp_path / "out") == pixels(tmp_path / "whole")


@pytest.mark.slow
def test_standard_streams(tiny, inputs):
    whole = (inputs / "b.png").read_bytes()
    command = [sys.executable, "-m", "safelight", "enhance", "-", "-o", "-", "--model", tiny.folder]
    done = subprocess.run(command, input=whole, capture_output=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert read(done.stdout).size == (60, 40)
    assert read(done.stdout).grey
    bad = subprocess.run(command, input=b"nonsense", capture_output=True, timeout=100)
    assert bad.returncode == 1
    assert b"standard input: " in bad.stderr and b"Traceback" not in bad.stderr and not bad.stdout
    assert b"safelight-" not in bad.stderr, "the stand-in's path is nobody's business"


def test_conversions_and_pages(tiny, inputs, tmp_path):
    tifffile.imwrite(
        tmp_path / "many.tif",
        np.random.default_rng(0).integers(0, 999, (3, 24, 32), dtype=np.uint16),
        photometric="minisblack",
    )
    done = enhance(tiny, tmp_path / "many.tif", "-o", tmp_path / "out", "--pages", "all")
    assert done.returncode == 0, done.stderr
    assert tifffile.imread(tmp_path / "out" / "many.tif").shape == (3, 24, 32)
    first = enhance(tiny, tmp_path / "many.tif", "-o", tmp_path / "first")
    assert "3 pages; the first is used" in first.stderr
    flat = enhance(tiny, tmp_path / "many.tif", "-o", tmp_path / "png", "--pages", "all", "--format", "png")
    assert flat.returncode == 1 and "cannot hold 3 pages" in flat.stderr
    deep = enhance(tiny, inputs / "b.png", "-o", tmp_path / "deep", "--depth", "16")
    assert deep.returncode == 0 and read(tmp_path / "deep" / "b.png").bits == 16


def test_changed_settings_are_not_mixed_up(tiny, inputs, tmp_path):
    out = tmp_path / "out"
    assert enhance(tiny, inputs / "b.png", "-o", out).returncode == 0
    full = pixels(out)
    other = enhance(tiny, inputs / "b.png", "-o", out, "--strength", 0)
    assert "is there already" in other.stderr and pixels(out) == full
    assert other.returncode == 1 and "1 result was not made: a file of its name is there already" in other.stderr
    dry = enhance(tiny, inputs / "b.png", "-o", out, "--strength", 0, "--dry-run")
    assert "b.png  (is there already, made with other settings)" in dry.stdout
    assert "1 made with other settings: use --if-exists overwrite" in dry.stderr
    exact = [
        enhance(tiny, inputs / "b.png", "-o", out, "--precision", precision, "--dry-run", "--json").stdout
        for precision in ("fp32", "int8")
    ]
    assert sorted(json.loads(line)["other_settings"] for line in exact) == [False, True], (
        "auto has made it in one of them"
    )
    same = enhance(tiny, inputs / "b.png", "-o", out, "--dry-run")
    assert "b.png  (is there already)" in same.stdout and "other settings" not in same.stderr
    assert enhance(tiny, inputs / "b.png", "-o", out, "--strength", 0, "--if-exists", "overwrite").returncode == 0
    assert pixels(out) != full
    back = enhance(tiny, inputs / "b.png", "-o", out, "--if-exists", "overwrite")
    assert "1 done" in back.stderr and pixels(out) == full
    renamed = enhance(tiny, inputs / "b.png", "-o", out, "--strength", 0, "--if-exists", "rename")
    assert "1 done" in renamed.stderr and set(pixels(out)) == {"b.png", "b_1.png"}
    again = enhance(tiny, inputs / "b.png", "-o", out, "--strength", 0, "--if-exists", "rename")
    assert "1 skipped" in again.stderr and set(pixels(out)) == {"b.png", "b_1.png"}


def test_a_dry_run_says_what_is_there(tiny, inputs, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "b.png").write_bytes(b"mine")
    done = enhance(tiny, inputs, "-o", tmp_path / "out", "--dry-run")
    assert f"{tmp_path}/out/b.png  (is there already)" in done.stdout and "a.jpg  (" not in done.stdout
    assert "1 to do, 1 there already, 0 that cannot be done; nothing was written" in done.stderr
    over = enhance(tiny, inputs, "-o", tmp_path / "out", "--dry-run", "--if-exists", "overwrite")
    assert "b.png  (will be overwritten)" in over.stdout and "2 to do, 0 there already" in over.stderr
    part = enhance(tiny, inputs, "-o", tmp_path / "out", "--dry-run", "--samples", 1)
    assert "b_sample1.png  (a part is there already)" in part.stdout


def test_dry_run_writes_nothing(tiny, inputs, tmp_path):
    done = enhance(tiny, inputs, "-o", tmp_path / "out", "--dry-run", "--json")
    assert done.returncode == 0
    assert [Path(json.loads(line)["source"]).name for line in done.stdout.splitlines()] == ["a.jpg", "b.png"]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["--strength", "2"], 2, "--strength '2"),
        (["--samples", "-1"], 2, "--samples"),
        (["--format", "bmp"], 2, "--format"),
        (["--on-error", "panic"], 2, "--on-error 'panic': must be 'continue' or 'stop'"),
        (["--workers", "0"], 2, "--workers '0'"),
        (["--op", "contrast=1.2", "--uncertainty"], 2, "leave one of them out"),
        (["--model", "nonesuch"], 3, "use one of"),
        (["--device", "cuda"], 3, "use --device cpu"),
        (["--device", "abacus"], 2, "--device 'abacus': must be 'auto', 'cpu' or 'cuda'"),
    ],
)
def test_wrong_use_and_refusals(tiny, inputs, tmp_path, arguments, code, reason):
    model = [] if "--model" in arguments else ["--model", str(tiny.folder)]
    done = run_cli("enhance", inputs / "b.png", "-o", tmp_path / "out", *arguments, *model)
    assert done.returncode == code
    assert reason in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
