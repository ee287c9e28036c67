"""docs/compression.md, from what benchmarks/codec.py measured."""

from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "compression.md"
FORMATS = {
    "jpeg": "JPEG, optimised",
    "webp": "WebP, method 6",
    "avif": "AVIF, speed 6, 4:4:4",
    "jxl": "JPEG XL, effort 7",
    "jp2": "JPEG 2000",
}
LOOKED_AT = ("jpeg", "webp", "avif")
HEAD = """# Compression

Made by `python benchmarks/codec.py`; do not edit by hand.

Codec: {model}, {training_minutes:.0f} minutes of training, which began {began_with}.
Machine: {machine}, {threads} threads.

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

The codec computes with integers alone. {files} files of Kodak24 (qualities 5, 40 and 90) were made and decoded again:
with 1, 2 and 4 threads, without the optimisation of graphs, by torch, and in part as regions and by int64 arithmetic.
Of {comparisons} comparisons of bytes and pixels, {different} found a difference. The tests also decode files of another
day (`tests/golden`)."""
COST = """## Time and memory

48 megapixels take {compress_gb:.2f} GB to compress, and {decompress_gb:.2f} GB to decompress.

| a picture of 768 x 512 px, 2 threads, on a processor | codec | compress, s | decompress, s |
|---|---|---|---|"""
STEPS = """## Qualities and limits

Of all steps from one quality to the next, on three pictures, {steps_that_do_not_rise} did not raise bytes or PSNR.
The options `--bpp`, `--max-bytes` and `--psnr` missed their limit by at most {largest_miss:.1%}. {over_max_bytes} files
were over `--max-bytes`."""
DIGITS = """## Codecs of data-set VAEs

The ELBO of a VAE is a file size, too. A scheme named bits-back coding (Townsend, Bird & Barber, ICLR 2019) turns it
into files without loss. The table compares the 10,000 test digits of MNIST.

| coded by | bits per value |
|---|---|
| PNG, each digit a file | {png_one_by_one:.2f} |
| PNG, all digits one sheet | {png_sheet:.2f} |
| WebP without loss, each digit a file | {webp_one_by_one:.2f} |
| WebP without loss, all digits one sheet | {webp_sheet:.2f} |
| JPEG XL without loss, each digit a file | {jxl_one_by_one:.2f} |
| JPEG XL without loss, all digits one sheet | {jxl_sheet:.2f} |
| ELBO of a VAE, which bits-back coding would reach | {vae:.2f} |

The VAE is the one of digits in [the gallery](vae-gallery.md), and its ELBO is of {vae_pictures:,} test digits.

Safelight does not write such files. Bits-back coding would need three things. First, encoder and decoder compute the
same probabilities on every machine: the VAE's networks would have to become integers, as those of the codec above.
Second, the latents need tables, too. Third, a file must hold many pictures, because the first picture pays for the
random bits that its latents are chosen with."""


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
        lines += [COST.format(**results["memory"])]
        for kind, one in results["speed"].items():
            lines.append(f"| {kind} | {one['model']} | {one['encode_s']:.2f} | {one['decode_s']:.2f} |")
        lines += [""]
    if "steps" in results:
        lines += [STEPS.format(**results["steps"]), ""]
    if "digits" in results:
        lines += [DIGITS.format(**results["digits"]), ""]
    PAGE.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    if {"rate", "speed", "memory"} <= results.keys():
        _write_readme(results)


README = ROOT / "README.md"
BEGIN, END = "<!-- codec: made by benchmarks/codec.py -->", "<!-- end of codec -->"


def readme_block(results: dict[str, Any]) -> str:
    """The numbers in the README."""
    rates = {title: results["rate"][title] for title in ("Kodak24", "LIVE1, not Kodak")}
    rows = ["| bytes at equal PSNR, compared with | JPEG | WebP | AVIF | JPEG XL |", "|---|---|---|---|---|"]
    for title, one in rates.items():
        numbers = " | ".join(f"{one[f'bd_rate_{kind}_percent']:+.0f} %" for kind in ("jpeg", "webp", "avif", "jxl"))
        rows.append(f"| {title}, {one['pictures']} photographs | {numbers} |")
    about, speed, memory = results["about"], results["speed"], results["memory"]
    own = max((one for one in speed.values() if one["model"] == about["model"]), key=lambda one: one["encode_s"])
    most_gb = max(memory["compress_gb"], memory["decompress_gb"])
    words = [
        "Negative numbers mean smaller files. The numbers are BD-rates from 25 to 38 dB, by the bytes of whole files.",
        f"On {about['machine']}, 2 threads, compressing 768 x 512 pixels takes {own['encode_s']:.2f} s.",
        f"Decompressing takes {own['decode_s']:.2f} s. 48 megapixels need at most {most_gb:.1f} GB of memory.",
        "[Compression](docs/compression.md) has the times of other kinds of processors.",
    ]
    return "\n".join([BEGIN, "", *rows, "", *words, "", END])


def _write_readme(results: dict[str, Any]) -> None:
    text = README.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    README.write_text(head + readme_block(results) + rest.partition(END)[2], encoding="utf-8")


def _rates(found: dict[str, Any]) -> str:
    rows = [
        f"| set | pictures | {' | '.join(f'against {name}' for name in FORMATS.values())} |",
        "|---|---|" + "---|" * len(FORMATS),
    ]
    for title, one in found.items():
        numbers = " | ".join(f"{one[f'bd_rate_{kind}_percent']:+.1f} %" for kind in FORMATS)
        rows.append(f"| {title} | {one['pictures']} | {numbers} |")
    return "\n".join(rows)


def _looks(found: dict[str, Any]) -> str:
    labels = {"latent": ".latent", **{kind: FORMATS[kind] for kind in LOOKED_AT}}
    rows = [f"| bits per pixel | {' | '.join(labels.values())} |", "|---|" + "---|" * len(labels)]
    for rate, one in found.items():
        cells = (f"{one[label]['lpips']:.3f} at {one[label]['bits_per_pixel']:.2f}" for label in labels)
        rows.append(f"| {rate} | {' | '.join(cells)} |")
    return "\n".join(rows)
