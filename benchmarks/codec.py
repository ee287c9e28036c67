"""Measure a codec: rate and distortion beside JPEG, WebP and AVIF, exactness, speed and memory, on two threads.

    python benchmarks/codec.py [--model latent] [--data ../shared/data] [--only rate looks ...]

Writes benchmarks/results/codec.json, docs/compression.md and its pictures. Needs the `dev` extra and libvips' AVIF.
About an hour on two cores; parts that are not asked for keep their last result.

Protocol: rates are bytes of whole files. BD-rate is over 25 to 38 dB of PSNR over RGB, from curves that are averages
over the pictures, with the logarithm of the rate interpolated by PCHIP. The encoders are those of libvips: JPEG with
optimised tables, WebP with method 6, AVIF with speed 6 and 4:4:4. JPEG XL (effort 7) and JPEG 2000 are those of
imagecodecs.
"""

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pyvips
from codec_exact import measure_exactness
from codec_page import write_page
from sets import DATA, ROOT

import safelight
from safelight.bundle import CodecCard, find_bundle
from safelight.evaluation.codec import SHOWN_BPP, at_rate, measure_codec, most_detailed
from safelight.runtime.codec.curves import Encoder, by_codec, by_format
from safelight.runtime.codec.encoding import Encoding
from safelight.runtime.machine import kind_of_processor, processor

RESULTS = ROOT / "benchmarks" / "results" / "codec.json"
GALLERY = ROOT / "benchmarks" / "results" / "vae_gallery.json"
PARTS = ["rate", "looks", "exact", "speed", "memory", "steps", "digits"]
NOT_KODAK = (
    "building2", "carnivaldolls", "cemetry", "churchandcapitol", "coinsinfountain",
    "dancers", "flowersonih35", "manfishing", "monarch", "studentsculpture",
)  # fmt: skip
THREADS = 2
HELD_OUT_SHARE = 0.08
Results = dict[str, Any]


def main() -> None:
    """Measure what is asked for, keep the rest, write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="latent")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--in-a-process", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.in_a_process:
        print(json.dumps(memory_of(asked.model, Path(asked.in_a_process))))
        return
    results: Results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    codec = safelight.Codec.load(asked.model, threads=THREADS)
    card = find_bundle(asked.model, CodecCard).card
    about = {"model": f"{card.name} {codec.core.sha256.hex()[:12]}", "training_minutes": card.training_minutes}
    about["began_with"] = "at random" if card.started_from is None else "with the weights of an earlier run"
    results["about"] = about | {"machine": processor(), "threads": THREADS}
    measures: dict[str, Callable[[], Results]] = {
        "rate": lambda: measure_rate(codec, asked.data),
        "looks": lambda: measure_looks(codec, asked.data),
        "exact": lambda: measure_exactness(asked.model, kodak(asked.data)),
        "speed": lambda: measure_speed(codec, asked.data),
        "memory": lambda: measure_memory(asked.model),
        "steps": lambda: measure_steps(codec, asked.data),
        "digits": lambda: measure_digits(asked.data),
    }
    for part in asked.only:
        found = measures[part]()
        if part == "speed":
            found = results.get(part, {}) | {kind_of_processor(): found | {"model": results["about"]["model"]}}
        results[part] = found
        print(part, json.dumps({k: v for k, v in results[part].items() if not isinstance(v, dict | list)}), flush=True)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    write_page(results)


def kodak(data: Path) -> dict[str, np.ndarray]:
    """Name → (H, W, 3) of 8 bits."""
    return {path.stem: safelight.read(path).pixels for path in sorted((data / "bench" / "kodak24").glob("*.webp"))}


def sets(data: Path) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Sets that no codec was trained on: Kodak24, the pictures of LIVE1 that are not Kodak's, held-out photographs."""
    yield "Kodak24", list(kodak(data).values())
    yield "LIVE1, not Kodak", [safelight.read(data / "bench" / "live1" / f"{name}.webp").pixels for name in NOT_KODAK]
    held = [path for path in sorted((data / "photos").glob("*.webp")) if _share(path) < HELD_OUT_SHARE]
    yield "held-out photographs", [p.pixels for p in map(safelight.read, held) if not p.grey]


def _share(path: Path) -> float:
    """The split of training, by content."""
    from safelight.work import file_sha256

    return int(file_sha256(path)[:8], 16) / 2**32


def measure_rate(codec: safelight.Codec, data: Path) -> Results:
    """Curves and BD-rates of each set."""
    found: Results = {}
    for title, pictures in sets(data):
        measured = measure_codec(codec, "latent", pictures)
        found[title] = {
            "pictures": len(pictures),
            **{name: round(number, 2) for name, number in measured.numbers.items()},
            "curves": {name: [list(point) for point in curve] for name, curve in measured.curves.items()},
        }
        print(title, measured.numbers, flush=True)
    return found


def encoders(codec: safelight.Codec) -> dict[str, Encoder]:
    """The codec and all formats."""
    formats = {kind: by_format(kind) for kind in ("jpeg", "webp", "avif")}
    return {"latent": by_codec(codec), **formats}


def measure_looks(codec: safelight.Codec, data: Path) -> Results:
    """LPIPS at equal bytes on Kodak24, and crops for the page: the worst picture, the middle one and the best one."""
    from lpips import Lpips

    distance, found = Lpips(), {}
    pictures = kodak(data)
    for rate in SHOWN_BPP:
        rows = {name: {} for name in encoders(codec)}
        for label, encoder in encoders(codec).items():
            for name, pixels in pictures.items():
                file, decoded = at_rate(encoder, pixels, rate)
                rows[label][name] = {
                    "lpips": float(distance(decoded / np.float32(255), pixels / np.float32(255))),
                    "mse": float(np.mean((decoded / 255 - pixels / 255) ** 2)),
                    "bytes": len(file),
                }
        found[f"{rate:g}"] = {
            label: {
                "lpips": round(statistics.mean(one["lpips"] for one in own.values()), 4),
                "psnr_db": round(statistics.mean(-10 * np.log10(one["mse"]) for one in own.values()), 2),
                "bits_per_pixel": round(statistics.mean(8 * one["bytes"] / (768 * 512) for one in own.values()), 3),
            }
            for label, own in rows.items()
        }
        print(rate, found[f"{rate:g}"], flush=True)
        gains = {name: rows["webp"][name]["mse"] / rows["latent"][name]["mse"] for name in pictures}
        order = sorted(gains, key=lambda name: gains[name])
        chosen = {"worst": order[0], "middle": order[len(order) // 2], "best": order[-1]}
        found[f"{rate:g}"]["shown"] = chosen
        _write_crops(codec, {name: pictures[name] for name in chosen.values()}, rate)
    return found


def _write_crops(codec: safelight.Codec, pictures: dict[str, np.ndarray], rate: float) -> None:
    """One picture of crops: a row for each, with the original, then each codec at the same rate."""
    rows = []
    for pixels in pictures.values():
        window = most_detailed(pixels)
        decoded = [at_rate(encoder, pixels, rate)[1][window] for encoder in encoders(codec).values()]
        rows.append(np.concatenate([pixels[window], *decoded], axis=1).repeat(2, axis=0).repeat(2, axis=1))
    target = ROOT / "docs" / "images" / f"compression-{round(100 * rate):03d}.webp"
    safelight.write(safelight.Picture(np.concatenate(rows)), target, quality=92)


def measure_speed(codec: safelight.Codec, data: Path, repeats: int = 7) -> Results:
    """Medians of whole calls on a picture of 768x512, in turns."""
    pixels = kodak(data)["kodim05"]
    picture, times = safelight.Picture(pixels), {"encode_s": [], "decode_s": []}
    file = codec.compress(picture, 40)
    codec.decompress(file)
    for _ in range(repeats):
        for name, call in (
            ("encode_s", lambda: codec.compress(picture, 40)),
            ("decode_s", lambda: codec.decompress(file)),
        ):
            began = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - began)
    return {name: round(statistics.median(values), 3) for name, values in times.items()}


def measure_memory(model: str) -> Results:
    """Of a process that compresses 48 megapixels, and of one that decompresses them."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        rng = np.random.default_rng(0)
        small = rng.integers(0, 256, (750, 1000, 3), dtype=np.uint8)
        large = np.clip(small.repeat(8, axis=0).repeat(8, axis=1).astype(int) // 2 + 64, 0, 255).astype(np.uint8)
        safelight.write(safelight.Picture(large), Path(folder) / "large.tif")
        for name, path in (("compress", "large.tif"), ("decompress", "large.latent")):
            command = [sys.executable, __file__, "--model", model, "--in-a-process", str(Path(folder) / path)]
            out = subprocess.run(command, capture_output=True, text=True, check=True)
            found |= {f"{name}_{key}": value for key, value in json.loads(out.stdout).items()}
    return found


def memory_of(model: str, path: Path) -> Results:
    """In a process of its own: the peak of resident memory, in GB, and seconds."""
    began = time.perf_counter()
    codec = safelight.Codec.load(model, threads=THREADS)
    if path.suffix == ".tif":
        path.with_suffix(".latent").write_bytes(codec.compress(safelight.read(path), 40))
    else:
        codec.decompress(path.read_bytes())
    status = Path("/proc/self/status").read_text(
        encoding="utf-8"
    )  # getrusage would count the process that started this
    peak_kib = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    return {"gb": round(peak_kib * 1024 / 1e9, 2), "s": round(time.perf_counter() - began, 1)}


def measure_steps(codec: safelight.Codec, data: Path) -> Results:
    """Whether bytes and PSNR rise with every quality, and how near --bpp, --max-bytes and --psnr come."""
    from safelight.jobs.compress.target import at_least, psnr_of, under

    falls, misses, over = 0, [], 0
    pictures = kodak(data)
    for name in ("kodim03", "kodim05", "kodim13"):
        picture = safelight.Picture(pictures[name])
        encoding = Encoding(codec.core, picture, keep=True)
        made = [encoding.finished(encoding.coded(quality)) for quality in range(1, 101)]
        sizes, quality_db = [len(one.data) for one in made], [psnr_of(one, picture) for one in made]
        falls += sum(b <= a for a, b in itertools.pairwise(sizes))
        falls += sum(b <= a for a, b in itertools.pairwise(quality_db))
        for rate in (0.2, 0.5, 1.0):
            largest = round(rate * picture.megapixels * 1e6 / 8)
            size = len(under(largest, encoding).data)
            over += size > largest
            misses.append(1 - size / largest)
        for psnr in (28.0, 34.0):
            misses.append(psnr_of(at_least(picture, psnr, encoding), picture) / psnr - 1)
    return {"steps_that_do_not_rise": falls, "largest_miss": round(max(misses), 4), "over_max_bytes": over}


def measure_digits(data: Path) -> Results:
    """MNIST's test digits without loss, in bits per value: by formats, and by the ELBO of a VAE."""
    digits = np.load(data / "labelled" / "mnist_test.npz")["images"][..., None]  # (10000, 28, 28, 1)
    sheet = digits.reshape(100, 100, 28, 28).transpose(0, 2, 1, 3).reshape(2800, 2800, 1)

    def by_vips(saver: str, **options: Any) -> Callable[[np.ndarray], bytes]:
        return lambda x: getattr(pyvips.Image.new_from_array(x), saver)(keep="none", **options)

    formats: dict[str, Callable[[np.ndarray], bytes]] = {
        "png": by_vips("pngsave_buffer", compression=9),
        "webp": by_vips("webpsave_buffer", lossless=True, effort=6),
        "jxl": lambda x: imagecodecs.jpegxl_encode(x, lossless=True, effort=9),
    }
    found = {}
    for name, encoded in formats.items():
        found[f"{name}_one_by_one"] = round(8 * sum(len(encoded(digit)) for digit in digits) / digits.size, 3)
        found[f"{name}_sheet"] = round(8 * len(encoded(sheet)) / digits.size, 3)
    gallery = json.loads(GALLERY.read_text(encoding="utf-8"))["digits"]
    return found | {"vae": round(gallery["bits_per_dim"], 3), "vae_pictures": int(gallery["pictures"])}


if __name__ == "__main__":
    main()
