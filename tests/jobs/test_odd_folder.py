"""One run over a folder of a hundred files as people have them: what is printed tells the whole story."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from safelight.picture import Picture, read, write
from tests.support import CASES, run_cli

PICTURES = CASES / "pictures"
SAYS = ("warning: ", "failed: ", "mend these and run")


def damaged_and_other_files(folder: Path, k: int) -> None:
    """What is no picture, or not a whole one."""
    whole = (folder / f"plain{k}.jpg").read_bytes()
    (folder / f"cut{k}.jpg").write_bytes(whole[: len(whole) // 3])
    for name, content in {
        "empty.jpg": b"",
        "zeros.png": b"\0" * 300,
        "page.jpg": b"<!DOCTYPE html><html></html>",
        "pointer.tif": b"version https://git-lfs.github.com/spec/v1\n",
        "phone.heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 40,
        "twelve.jpg": b"\xff\xd8\xff\xc1\0\x0b\x0c\0\x10\0\x10\1\1\x11\0" + b"\0" * 40,
        "deep.jpeg": b"\xff\xd8\xff\xe0" + struct.pack(">H", 60000) + b"JFIF",
        "photo.psd.png": b"8BPS\0\1" + b"\0" * 40,
        "raw.tif": b"II*\0\x10\0\0\0CR\2\0" + b"\0" * 40,
    }.items():
        (folder / f"{k}{name}").write_bytes(content)
    for name in ("x.bmp", "y.jxl", "z.NEF", "notes.txt", "README"):
        (folder / f"{k}{name}").write_bytes(b"0")


def odd_files(folder: Path, rng: np.random.Generator) -> int:
    """Files of some fifty kinds, twice each; returns how many pictures a walk should find."""
    pixels = rng.integers(0, 256, (40, 56, 3), dtype=np.uint8)
    grey16 = rng.integers(0, 65536, (40, 56), dtype=np.uint16)
    folder.mkdir()
    for k in range(2):
        for suffix in ("png", "jpg", "webp", "tif", "gif"):
            Image.fromarray(pixels).save(folder / f"plain{k}.{suffix}")
        for name, values, options in (
            ("double", grey16.astype(float), {}),
            ("signed", grey16.astype(np.int16), {}),
            ("complex", grey16.astype(np.complex64), {}),
            ("counts", (grey16 % 500 + 100).astype(np.uint16), {}),
            ("heights", (grey16 / 9).astype(np.float32) - 3000, {}),
            ("decibel", -(grey16 / 999).astype(np.float32), {}),
            ("tiny", (grey16 * 1e-9).astype(np.float32), {}),
            ("big", pixels, {"bigtiff": True}),
            ("endian", pixels, {"byteorder": ">", "description": "notes"}),
            ("imagej", np.stack([grey16] * 3), {"imagej": True, "resolution": (15.0, 15.0)}),
            ("ome", np.stack([grey16] * 2), {"ome": True}),
            ("four", np.stack([grey16] * 4, -1), {"photometric": "minisblack", "planarconfig": "contig"}),
            ("alpha", np.dstack([pixels, pixels[..., :1]]), {"photometric": "rgb", "extrasamples": ["unassalpha"]}),
            ("extra", np.dstack([pixels, pixels[..., :1]]), {"photometric": "rgb", "extrasamples": ["unspecified"]}),
            ("cfa", grey16, {"photometric": "cfa"}),
        ):
            tifffile.imwrite(folder / f"{name}{k}.tif", values, **options)
        holes = grey16.astype(np.float32)
        holes[3:9, 4:20] = np.nan
        tifffile.imwrite(folder / f"nan{k}.tif", holes)
        Image.fromarray(pixels).convert("CMYK").save(folder / f"cmyk{k}.jpg")
        Image.fromarray(pixels[..., 0]).save(folder / f"grey{k}.jpg", icc_profile=b"garbage" * 30)
        Image.fromarray(pixels).save(folder / f"lossless{k}.webp", lossless=True)
        Image.fromarray(pixels).save(folder / f"said{k}.jpg", comment="roof")
        frames = [Image.fromarray(np.roll(pixels, n, 0)) for n in range(3)]
        frames[0].save(folder / f"anim{k}.png", save_all=True, append_images=frames[1:])
        frames[0].save(folder / f"two{k}.jpg", format="MPO", save_all=True, append_images=frames[1:2])
        write(Picture(pixels), folder / f"fine{k}.avif")
        damaged_and_other_files(folder, k)
    return sum(not name.name.endswith((".bmp", ".jxl", ".NEF", ".txt", "README")) for name in folder.iterdir())


@pytest.mark.slow
def test_a_hundred_odd_files(tmp_path, tiny, rng):
    pictures = odd_files(tmp_path / "in", rng)
    assert pictures + 10 >= 80
    command = ("enhance", tmp_path / "in", "-o", tmp_path / "out", "--model", tiny.folder, "--json")
    done = run_cli(*command, env=None)
    assert done.returncode == 1
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    counts = {status: sum(o["status"] == status for o in outcomes) for status in ("done", "failed")}
    assert len(outcomes) == pictures == sum(counts.values())
    lines = done.stderr.splitlines()
    *told, passed_over, story = [line for line in lines if not line.startswith(SAYS)]
    assert not told
    assert (
        passed_over.startswith("10 passed over: ") and ", 2 .nef (raw camera files: develop them first)" in passed_over
    )
    assert story.startswith(f"{counts['done']} done, 0 skipped, {counts['failed']} failed, on cpu")
    for outcome in outcomes:
        name = Path(outcome["source"]).name
        assert (outcome["error"] is None) == (outcome["status"] == "done")
        if outcome["error"]:
            assert f"failed: {outcome['error']}" in lines and name in outcome["error"] and "; " in outcome["error"]
            continue
        for warning in outcome["warnings"]:
            assert f"warning: {outcome['source']}: {warning}" in lines
        for output in outcome["outputs"]:
            assert read(output).size == read(outcome["source"]).size
    again = run_cli(*command, env=None)
    assert f"0 done, {counts['done']} skipped, {counts['failed']} failed" in again.stderr
