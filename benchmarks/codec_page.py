"""docs/compression.md, from what benchmarks/codec.py measured."""

from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "compression.md"
FORMATS = {"jpeg": "JPEG, optimised", "webp": "WebP, method 6", "avif": "AVIF, speed 6, 4:4:4"}
HEAD = """# Compression

Made by `python benchmarks/codec.py`; do not edit by hand.

Codec: {model}, {training_minutes:.0f} minutes of training. Machine: {machine}, {threads} threads.

`safelight compress` writes .latent files. Every machine decodes a .latent file to the same pixels, to the bit. The file
has a checksum of its pixels, so `safelight decompress` proves that. [The .latent file](format.md) specifies the format.

    safelight compress photos/ -r -o small/ --quality 50
    safelight decompress small/ -r -o back/
    safelight evaluate --codec latent --data photos/ --html curves.html
"""
RATE = """## Bytes at equal error

The table has the BD-rate: the mean difference in bytes at equal PSNR, between 25 and 38 dB. Negative numbers mean
smaller files. Each point of a curve is an average over the pictures of a set. The logarithm of the rate is
interpolated by a monotone cubic (PCHIP). Bytes are those of whole files."""
LOOKS = """## Looks at equal bytes

LPIPS (AlexNet) measures how different two pictures look. Lower is nearer to the original. Each format has the largest
file of at most so many bits per pixel, or its smallest file. The pictures are Kodak24."""
CROPS = """The crops below are the windows with the most detail, of three pictures for each rate: where the codec is
worst against WebP, in the middle, and best. From left to right: original, .latent, JPEG, WebP, AVIF."""
EXACT = """## Exactness

The codec computes with integers alone. {files} files of Kodak24 (qualities 5, 40 and 90) were decoded {decodings}
times: with 1, 2 and 4 threads, with the optimisation of graphs on and off, and in part by int64 arithmetic. Different
results: {different}. The tests compare a small codec in torch, too, and files of another day (`tests/golden`)."""
COST = """## Time and memory

| what | value |
|---|---|
| compress a picture of 768 x 512 px, whole call | {encode_s:.2f} s |
| decompress the same | {decode_s:.2f} s |
| memory to compress 48 megapixels | {compress_gb:.2f} GB |
| memory to decompress them | {decompress_gb:.2f} GB |
"""
STEPS = """## Qualities and limits

Of all steps from one quality to the next, on three pictures, {steps_that_do_not_rise} did not raise bytes or PSNR.
The options `--bpp`, `--max-bytes` and `--psnr` missed their limit by at most {largest_miss:.1%}. {over_max_bytes} files
were over `--max-bytes`."""
SETS = """## Codecs of data-set VAEs

The ELBO of a VAE is a file size, too: a scheme named bits-back coding (Townsend, Bird & Barber, ICLR 2019) turns it
into files without loss. Safelight does not do that. Its data-set VAEs compute with floats, and such files would not
decode on another machine. `safelight evaluate` prints bits per value, which is what bits-back coding would reach."""


def write_page(results: dict[str, Any]) -> None:
    """The parts that were measured."""
    lines = [HEAD.format(**results["about"])]
    if "rate" in results:
        lines += [RATE, "", _rates(results["rate"]), ""]
    if "looks" in results:
        lines += [LOOKS, "", _looks(results["looks"]), "", CROPS, ""]
        for rate in results["looks"]:
            shown = ", ".join(
                f"{results['looks'][rate]['shown'][which]} ({which})" for which in ("worst", "middle", "best")
            )
            name = f"images/compression-{round(100 * float(rate)):03d}.webp"
            lines += [f"{rate} bits per pixel: {shown}.", "", f"![Crops at {rate} bits per pixel]({name})", ""]
    if "exact" in results:
        lines += [EXACT.format(**results["exact"]), ""]
    if "speed" in results and "memory" in results:
        lines += [COST.format(**results["speed"], **results["memory"])]
    if "steps" in results:
        lines += [STEPS.format(**results["steps"]), ""]
    PAGE.write_text("\n".join([*lines, SETS]) + "\n", encoding="utf-8")


def _rates(found: dict[str, Any]) -> str:
    rows = [
        f"| set | pictures | {' | '.join(f'against {name}' for name in FORMATS.values())} |",
        "|---|---|---|---|---|",
    ]
    for title, one in found.items():
        numbers = " | ".join(f"{one[f'bd_rate_{kind}_percent']:+.1f} %" for kind in FORMATS)
        rows.append(f"| {title} | {one['pictures']} | {numbers} |")
    return "\n".join(rows)


def _looks(found: dict[str, Any]) -> str:
    labels = {"latent": ".latent", **FORMATS}
    rows = [f"| bits per pixel | {' | '.join(labels.values())} |", "|---|" + "---|" * len(labels)]
    for rate, one in found.items():
        cells = (f"{one[label]['lpips']:.3f} at {one[label]['bits_per_pixel']:.2f}" for label in labels)
        rows.append(f"| {rate} | {' | '.join(cells)} |")
    return "\n".join(rows)
