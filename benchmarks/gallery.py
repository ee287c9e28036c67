"""Show a person what the shipped bundle does, worst cases included: docs/gallery.md and its pictures.

    python benchmarks/gallery.py [--data ../shared/data]

About a minute on two cores. The pictures are the held-out ones that may be redistributed (CC0), whole, as the
training set has them; each row of `ROWS` degrades one of them, restores it and shows the stated window.
"""

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sets import DATA, ROOT

import safelight
from safelight.degrade import Chain, DegradeStep, draw, replay
from safelight.metrics import psnr_db
from safelight.picture.vips import to_vips

PAGE, IMAGES = ROOT / "docs" / "gallery.md", ROOT / "docs" / "images" / "gallery"
WINDOW, STEP, GAP = 160, 32, 4
BRIGHTER = 4
"""The uncertainty is shown this many times brighter."""


def noise(sigma: float) -> Chain:
    """As files have it: clipped and rounded."""
    return [DegradeStep.fixed("gaussian_noise", sigma_255=sigma), DegradeStep("quantise")]


CAMERA = [
    DegradeStep.fixed("camera_noise", shot=0.01, read=0.01, red_gain=2.0, blue_gain=1.6, mosaic=1),
    DegradeStep.fixed("jpeg", quality=80),
]


class Row(NamedTuple):
    """One line of the gallery."""

    picture: str
    what: str
    chain: Chain
    worst: bool
    """The window with the largest squared error after restoration, else the one in the middle of the order."""


ROWS = [
    Row("the_spices_of_life", "noise, σ = 25", noise(25), worst=False),
    Row("the_spices_of_life", "noise, σ = 50", noise(50), worst=True),
    Row("the_spices_of_life", "JPEG, quality 10", [DegradeStep.fixed("jpeg", quality=10)], worst=False),
    Row("roman_colosseum", "noise, σ = 15", noise(15), worst=True),
    Row("roman_colosseum", "JPEG, quality 20", [DegradeStep.fixed("jpeg", quality=20)], worst=True),
    Row("roman_colosseum", "camera in poor light, JPEG 80", CAMERA, worst=False),
    Row("beacon_street_sunset", "noise, σ = 50", noise(50), worst=False),
    Row("beacon_street_sunset", "camera in poor light, JPEG 80", CAMERA, worst=True),
    Row("abstract_spiral", "JPEG, quality 10", [DegradeStep.fixed("jpeg", quality=10)], worst=True),
    Row("abstract_spiral", "nothing wrong with it", [DegradeStep("quantise")], worst=True),
]
PANELS = ("before", "mean", "sample", "another sample", f"uncertainty ({BRIGHTER} times brighter)", "truth")

HEAD = """# Gallery

Made by `python benchmarks/gallery.py` of {model}; do not edit by hand.

Each row shows, from left to right: {panels}. The line above a row has the name of the picture, the degradation, the
window, and the PSNR before and after restoration. Noise levels σ are standard deviations in 1/255. A PSNR of inf means
that the picture equals the truth.

**How the pictures were chosen.** The four pictures are all held-out pictures that may be redistributed (CC0). The model
was not trained on held-out pictures. Three of the four, all but the sunset, are among the ten pictures that calibrate
the uncertainty. Each picture is degraded and restored as a whole.

**How the windows were chosen.** A window has {window} px. The windows of a picture lie on a grid of {step} px. The
*worst window* has the largest squared error after restoration. The *median window* has the median error. No window was
chosen by eye. Each sample is a single draw, not the best of several.
"""


def main() -> None:
    """Draw every row and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    photos = parser.parse_args().data / "photos"
    model = safelight.Restorer.load("photo")
    IMAGES.mkdir(parents=True, exist_ok=True)
    told = [
        show(model, row, photos / f"budgie_{row.picture}.webp", IMAGES / f"{k:02}.jpg") for k, row in enumerate(ROWS, 1)
    ]
    PAGE.write_text(page(f"photo {model.bundle.sha256[:12]}", told), encoding="utf-8")


def show(model: safelight.Restorer, row: Row, source: Path, target: Path) -> str:
    """One strip of panels; returns what stands above it."""
    clean = safelight.read(source).as_float()
    degraded = replay(clean, draw(row.chain, 0, row.picture, row.what)).astype(np.float32)
    out = model.enhance(safelight.Picture(degraded), samples=2, seed=1)
    window = choose(np.square(out.mean.pixels - clean).mean(axis=2), row.worst)
    std = np.repeat(np.sqrt(np.square(out.std).mean(axis=2, keepdims=True)), 3, axis=2)
    panels = [degraded, out.mean.pixels, *(s.pixels for s in out.samples), BRIGHTER * std, clean]
    seam = np.ones((WINDOW, GAP, 3))
    strip = np.concatenate([part for panel in panels for part in (panel[window], seam)][:-1], axis=1)
    to_vips(np.rint(np.clip(strip, 0, 1) * 255).astype(np.uint8)).jpegsave(str(target), Q=90)
    before, after = (psnr_db(np.clip(p, 0, 1)[window], clean[window]) for p in (degraded, out.mean.pixels))
    rule = "worst window" if row.worst else "median window"
    outside = "; reported as out-of-distribution" if out.out_of_distribution else ""
    what = "no degradation" if row.what == ROWS[-1].what else row.what  # its own words are a key of randomness
    return f"{row.picture.replace('_', ' ')}; {what}; {rule}: {before:.1f} → {after:.1f} dB{outside}"


def choose(squared_error: np.ndarray, worst: bool) -> tuple[slice, slice]:
    """A window of the grid, by its rank in mean squared error."""
    height, width = squared_error.shape
    corners = [(r, c) for r in range(0, height - WINDOW + 1, STEP) for c in range(0, width - WINDOW + 1, STEP)]
    errors = [squared_error[r : r + WINDOW, c : c + WINDOW].mean() for r, c in corners]
    row, column = corners[np.argsort(errors)[-1 if worst else len(errors) // 2]]
    return slice(row, row + WINDOW), slice(column, column + WINDOW)


def page(model: str, told: list[str]) -> str:
    """docs/gallery.md."""
    lines = [*HEAD.format(model=model, panels=", ".join(PANELS), window=WINDOW, step=STEP).splitlines(), ""]
    for k, line in enumerate(told, 1):
        lines += [f"{k}. {line}", "", f"   ![Row {k}](images/gallery/{k:02}.jpg)", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
