"""Make four bad photographs out of four good ones, restore them, and show both: demo/compare.html.

    make demo                      or, with Safelight installed: python examples/demo.py [--poster FILE]

The good ones (examples/samples, CC0) were held out: the model was not trained on them (some of them are
among the pictures that its intervals were calibrated on). Every number in the table is
measured in this run.
"""

import argparse
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

import safelight
from safelight.degrade import Chain, DegradeStep, draw, replay
from safelight.evaluation.codec import most_detailed
from safelight.evaluation.compare_page import Compared, Numbers, compare_html
from safelight.evaluation.uncertainty_view import glow
from safelight.metrics import psnr_db

HERE = Path(__file__).parent
OUT = Path("demo")
MEAN, SAMPLE = "restored (mean)", "one sample"
WORDS = (
    "PSNR in dB. In 90 %: the share of pixel values that lie in their 90 % interval. High ISO means noise as a camera "
    "makes it: stronger in the shadows, and correlated between neighbours."
)


CASES: list[tuple[str, str, str, Chain]] = [
    ("roman_colosseum", "png", "noise, σ = 25", [DegradeStep.fixed("gaussian_noise", sigma_255=25)]),
    (
        "beacon_street_sunset",
        "jpg",
        "high ISO, JPEG",
        [
            DegradeStep.fixed("camera_noise", shot=0.008, read=0.008, red_gain=2.0, blue_gain=1.7, mosaic=1),
            DegradeStep.fixed("jpeg", quality=90),
        ],
    ),
    ("the_spices_of_life", "jpg", "JPEG, quality 15", [DegradeStep.fixed("jpeg", quality=15)]),
    (
        "abstract_spiral",
        "tif",
        "grey 16-bit, σ 35",
        [DegradeStep.fixed("gaussian_noise", sigma_255=35)],
    ),
]


def make_bad(name: str, extension: str, chain: Chain) -> tuple[safelight.Picture, safelight.Picture]:
    """The clean picture and its bad twin, the latter read back from its file in demo/before."""
    clean = safelight.read(HERE / "samples" / f"{name}.webp")
    if extension == "tif":
        clean = clean.with_depth(16)
        clean = clean.with_(pixels=clean.pixels[..., 1:2])
    bad = replay(clean.as_float(), draw(chain, 1, name))
    pixels = np.rint(np.clip(bad, 0, 1) * clean.full_scale).astype(clean.pixels.dtype)
    path = OUT / "before" / f"{name}.{extension}"
    safelight.write(clean.with_(pixels=pixels), path, quality=98)
    return clean, safelight.read(path)


def poster(pictures: list[Compared], path: Path) -> None:
    """A row for each of the first two: before, restored, a sample, the uncertainty; each with a label. Needs Pillow."""
    from PIL import Image, ImageDraw, ImageFont

    font, side, bar = ImageFont.load_default(16), 256, 24
    page = Image.new("RGB", (4 * (side + 6) - 6, 2 * (side + bar + 8) - 8), "white")
    draw_on = ImageDraw.Draw(page)
    for row, one in enumerate(pictures[:2]):
        window = most_detailed(np.rint(255 * one.layers["original"]).astype(np.uint8))
        panels = {
            f"before: {one.what.partition(';')[0].replace('σ', 'sigma')}": one.before,
            "restored: the mean": one.layers[MEAN],
        }
        panels |= {"one sample: its detail is a guess": one.layers[SAMPLE]}
        panels |= {"uncertainty: bright is unsure": one.layers["uncertainty"]}
        for column, (words, values) in enumerate(panels.items()):
            seen = np.rint(255 * np.clip(values[window], 0, 1)).astype(np.uint8)
            at = column * (side + 6), row * (side + bar + 8)
            draw_on.text((at[0], at[1] + 2), words, "black", font)
            page.paste(Image.fromarray(seen).resize((side, side), Image.Resampling.NEAREST), (at[0], at[1] + bar))
    path.parent.mkdir(parents=True, exist_ok=True)
    page.save(path, quality=90)


def main() -> None:
    """Everything: bad pictures, restored ones, the table, the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--poster", type=Path, help="also write one picture of two of them")
    ask = parser.parse_args()
    for folder in ("before", "after"):
        (OUT / folder).mkdir(parents=True, exist_ok=True)
    model = safelight.Restorer.load("photo")
    header = ["picture", "what happened", "before", "after", "gain", "in 90 %"]
    pictures, rows = [], []
    for name, extension, what, chain in CASES:
        clean, bad = make_bad(name, extension, chain)
        out = model.enhance(bad, samples=1, seed=1)
        safelight.write(out.mean, OUT / "after" / f"{name}.{extension}")
        truth, low_high = clean.as_float(), out.interval(0.9)
        before, after = psnr_db(bad.as_float(), truth), psnr_db(out.mean.as_float(), truth)
        inside = np.mean((low_high[0] <= truth) & (truth <= low_high[1]))
        cells = (f"{before:.2f}", f"{after:.2f}", f"{after - before:+.2f}", f"{inside:.0%}")
        rows.append([name, what, *cells])
        layers = {MEAN: out.mean.as_float(), SAMPLE: out.samples[0].as_float()}
        layers |= {"uncertainty": glow(out.std), "original": truth}
        words = f"{what}; PSNR {before:.1f} → {after:.1f} dB ({after - before:+.1f})"
        pictures.append(Compared(name.replace("_", " "), words, bad.as_float(), layers))
    page = compare_html("Safelight: before and after", pictures, Numbers(WORDS, header, rows))
    (OUT / "compare.html").write_text(page, encoding="utf-8")
    if ask.poster:
        poster(pictures, ask.poster)
    table = Table(*header, box=None)
    for row in rows:
        table.add_row(*row)
    Console().print(table)
    print("PSNR in dB; in 90 %: the share of values that lie in their 90 % interval")
    print("(it is calibrated on average over many pictures, not for each)")
    print(f"open {(OUT / 'compare.html').resolve().as_uri()}")


if __name__ == "__main__":
    main()
