"""Drawn pictures: text, line art, comics, slides and screenshots, ten of each, made by rules and seeds.

    python benchmarks/graphics.py [--fit]

None of them is a photograph, so a restorer of photographs should warn (`safelight.Restored.out_of_distribution`). The
table says how many it warns of, clean and spoilt, and of how many photographs. One minute on two cores.

`--fit` fits what tells drawings from photographs (`runtime/restore/drawings.py`) to drawings of other seeds and to the
photographs that restorers are trained on, clean and spoilt; and writes its weights. Seven minutes more.
"""

import argparse
import itertools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from sets import DATA, pictures

import safelight
from safelight import randomness
from safelight.degrade import DegradeStep, draw, replay
from safelight.runtime.restore import drawings as drawn
from safelight.runtime.restore.canvas import Canvas
from safelight.runtime.restore.look import WINDOW_PX, corners, look

SPOILT = {
    "clean": [DegradeStep("quantise")],
    **{f"noise {s}": [DegradeStep.fixed("gaussian_noise", sigma_255=s), DegradeStep("quantise")] for s in (10, 25, 50)},
    "JPEG 20": [DegradeStep.fixed("jpeg", quality=20)],
}
COUNT, SIZE, PHOTOS = 10, (640, 480), ("kodak24", "cbsd68", "live1")
Draw = Callable[[np.random.Generator], Image.Image]


FITTED_COUNT, FITTED_SEED = 32, 7
NO_PHOTOGRAPHS = ("budgie_valley_midnight", "budgie_waves_midnight", "wikipedia_007")
"""Drawings among the photographs: two of coloured areas, and an engraving."""
WEIGHTS = Path(drawn.__file__).with_name(drawn.WEIGHTS)
ALARM_SHARE, STEPS, DECAY = 0.005, 4000, 1e-3
"""Of the photographs that are fitted to, how many may be taken for drawings; and the fit's."""


def drawings(seed: int = 0, count: int = COUNT) -> dict[str, list[np.ndarray]]:
    """Kind → so many pictures, (H, W, 3) in [0, 1]."""
    return {
        name: [
            np.asarray(make(randomness.generator(seed, name, k)).convert("RGB"), np.float32) / 255 for k in range(count)
        ]
        for name, make in KINDS.items()
    }


def text(rng: np.random.Generator) -> Image.Image:
    """A page: a heading and paragraphs in one or two columns, on paper that is not quite white."""
    paper, ink = int(rng.integers(225, 256)), int(rng.integers(0, 70))
    image = Image.new("RGB", SIZE, (paper, paper, int(paper - rng.integers(0, 25))))
    pen, size = ImageDraw.Draw(image), int(rng.integers(11, 20))
    columns, top = int(rng.integers(1, 3)), 20
    pen.text((40, top), words(rng, 4), fill=ink, font=ImageFont.load_default(2 * size))
    width = (SIZE[0] - 80) // columns
    for column in range(columns):
        for row in range(top + 3 * size, SIZE[1] - 20, size + int(rng.integers(4, 6))):
            if rng.random() < 0.9:
                line = words(rng, 20)[: int(width / size / 0.55)]
                pen.text((40 + column * width, row), line, fill=(ink, ink, ink), font=ImageFont.load_default(size))
    return image


def line_art(rng: np.random.Generator) -> Image.Image:
    """Black lines, arcs and hatching on white or cream."""
    image = Image.new("RGB", SIZE, (255, 255, int(rng.integers(225, 256))))
    pen = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(15, 40))):
        pen.line([*points(rng, 2)], fill="black", width=int(rng.integers(1, 4)))
    for _ in range(int(rng.integers(10, 25))):
        x, y, size = (int(v) for v in rng.integers(20, 380, 3))
        pen.arc([x, y, x + size, y + size], int(rng.integers(360)), int(rng.integers(360)), fill="black", width=2)
    x, y = (int(v) for v in rng.integers(40, 300, 2))
    for k in range(0, 120, 6):
        pen.line([x + k, y, x + k - 30, y + 90], fill="black")
    return image


def comic(rng: np.random.Generator) -> Image.Image:
    """Panels of flat colours with black outlines, figures of ellipses, and bubbles with text."""
    image = Image.new("RGB", SIZE, "white")
    pen = ImageDraw.Draw(image)
    for left, top, right, bottom in panels(rng):
        pen.rectangle([left, top, right, bottom], fill=paint(rng), outline="black", width=4)
        pen.rectangle([left + 2, (top + bottom) // 2, right - 2, bottom - 2], fill=paint(rng))
        for _ in range(int(rng.integers(2, 6))):
            x, y = int(rng.integers(left, right - 40)), int(rng.integers(top, bottom - 40))
            across, down = (int(v) for v in rng.integers(25, 90, 2))
            box = [x, y, min(x + across, right - 3), min(y + down, bottom - 3)]
            pen.ellipse(box, fill=paint(rng), outline="black", width=3)
        pen.rounded_rectangle([left + 12, top + 10, right - 40, top + 50], 14, fill="white", outline="black", width=2)
        pen.text((left + 22, top + 20), words(rng, 3)[:24], fill="black", font=ImageFont.load_default(14))
    return image


def slide(rng: np.random.Generator) -> Image.Image:
    """A title, points, and a chart of bars or a curve, on one colour or a gentle slope of colours."""
    ground = np.array(paint(rng) if rng.random() < 0.4 else (250, 250, 250), float)
    slope = np.linspace(0, rng.choice([0, 0, 25]), SIZE[1])[:, None, None]
    field = np.clip(ground - slope, 0, 255) * np.ones((SIZE[1], SIZE[0], 1))
    image = Image.fromarray(field.astype(np.uint8))
    pen, ink = ImageDraw.Draw(image), "black" if ground.mean() > 110 else "white"
    pen.text((40, 30), words(rng, 3), fill=ink, font=ImageFont.load_default(34))
    for k in range(int(rng.integers(2, 5))):
        pen.text((50, 100 + 32 * k), f"- {words(rng, 5)[:34]}", fill=ink, font=ImageFont.load_default(18))
    if rng.random() < 0.6:
        for k in range(int(rng.integers(3, 7))):
            pen.rectangle([60 + 80 * k, 440 - int(rng.integers(30, 180)), 110 + 80 * k, 440], fill=paint(rng))
    else:
        x = np.arange(60, 600, 6)
        curve = 380 - 60 * np.sin(x / rng.uniform(30, 90)) - rng.uniform(0, 0.1) * x
        pen.line([(int(a), int(b)) for a, b in zip(x, curve, strict=True)], fill=paint(rng), width=4)
    pen.line([50, 442, 610, 442], fill=ink, width=2)
    return image


def screenshot(rng: np.random.Generator) -> Image.Image:
    """A window: a bar, a column of entries, rows or cards with text and small symbols; light or dark."""
    is_dark = rng.random() < 0.4
    back, ink, card = ((32, 33, 36), 225, (48, 50, 54)) if is_dark else ((245, 246, 248), 40, (255, 255, 255))
    image = Image.new("RGB", SIZE, back)
    pen, accent, font = ImageDraw.Draw(image), paint(rng), ImageFont.load_default(13)
    pen.rectangle([0, 0, SIZE[0], 38], fill=accent)
    pen.text((14, 11), words(rng, 4), fill="white", font=font)
    for row in range(56, SIZE[1] - 10, 30):
        pen.ellipse([12, row, 26, row + 14], fill=paint(rng))
        pen.text((34, row), words(rng, 2)[:14], fill=(ink,) * 3, font=font)
    step = int(rng.integers(40, 110))
    for row in range(52, SIZE[1] - step, step + 10):
        pen.rounded_rectangle([165, row, SIZE[0] - 16, row + step], 6, fill=card, outline=(ink // 2 + 60,) * 3)
        pen.text((180, row + 10), words(rng, 7)[:58], fill=(ink,) * 3, font=font)
        pen.rounded_rectangle([SIZE[0] - 110, row + step - 28, SIZE[0] - 30, row + step - 8], 5, fill=accent)
    return image


KINDS: dict[str, Draw] = {
    "text": text,
    "line art": line_art,
    "comics": comic,
    "slides": slide,
    "screenshots": screenshot,
}


def panels(rng: np.random.Generator) -> list[tuple[int, int, int, int]]:
    """Of a page in one or two rows."""
    rows, found = int(rng.integers(1, 3)), []
    for row in range(rows):
        columns = int(rng.integers(2, 4))
        edges = np.linspace(10, SIZE[0] - 10, columns + 1).astype(int)
        top, bottom = 10 + row * (SIZE[1] - 20) // rows, (row + 1) * (SIZE[1] - 20) // rows
        found += [(int(a) + 4, top, int(b) - 4, bottom) for a, b in itertools.pairwise(edges)]
    return found


def paint(rng: np.random.Generator) -> tuple[int, int, int]:
    """One colour of a box of paints."""
    paints = [
        (220, 60, 50),
        (60, 140, 220),
        (250, 200, 60),
        (90, 170, 90),
        (240, 220, 190),
        (120, 80, 160),
        (60, 70, 90),
    ]
    red, green, blue = (
        int(v) for v in np.clip(np.array(paints[rng.integers(len(paints))]) + rng.integers(-15, 16, 3), 0, 255)
    )
    return red, green, blue


def points(rng: np.random.Generator, count: int) -> list[tuple[int, int]]:
    """Somewhere on the page."""
    return [(int(rng.integers(SIZE[0])), int(rng.integers(SIZE[1]))) for _ in range(count)]


def words(rng: np.random.Generator, count: int) -> str:
    """Made up."""
    return " ".join("".join(chr(97 + int(rng.integers(26))) for _ in range(rng.integers(2, 10))) for _ in range(count))


def features_of(model: safelight.Restorer, x: np.ndarray, name: str, number: int) -> list[np.ndarray]:
    """Of a picture, clean and spoilt."""
    found = []
    for chain in SPOILT.values():
        canvas = Canvas.of(safelight.Picture(in_bytes(replay(x, draw(chain, FITTED_SEED, name, number)))))
        height, width, _ = x.shape
        places = corners(height, width)
        windows = np.stack([canvas.take((r, r + WINDOW_PX), (c, c + WINDOW_PX)) for r, c in places])
        found.append(drawn.features(windows, model.networks.mean_and_coarsest(windows)[0]))
    return found


def fit(model: safelight.Restorer) -> None:
    """A logistic regression, by gradient descent on standardised numbers; both kinds weigh the same."""
    kinds = drawings(FITTED_SEED, FITTED_COUNT)
    photographs = [x for name, x in pictures(DATA / "photos") if Path(name).stem not in NO_PHOTOGRAPHS]
    of_drawings = [
        f for kind, some in kinds.items() for k, x in enumerate(some) for f in features_of(model, x, kind, k)
    ]
    of_photographs = [f for k, x in enumerate(photographs) for f in features_of(model, x, "photographs", k)]
    x = np.array([*of_drawings, *of_photographs])
    is_drawn = np.arange(len(x)) < len(of_drawings)
    centre, spread = x.mean(axis=0), x.std(axis=0)
    z = np.column_stack([(x - centre) / spread, np.ones(len(x))])
    share = np.where(is_drawn, 1 / is_drawn.sum(), 1 / (~is_drawn).sum())
    weights = np.zeros(z.shape[1])
    for _ in range(STEPS):
        slope = z.T @ (share * (1 / (1 + np.exp(-z @ weights)) - is_drawn)) + 2 * DECAY * weights * (
            np.arange(z.shape[1]) < x.shape[1]
        )
        weights -= slope
    limit = np.quantile((z @ weights)[~is_drawn], 1 - ALARM_SHARE)
    scaled = weights[:-1] / spread
    fitted = {"weights": scaled.round(4).tolist(), "bias": round(float(weights[-1] - scaled @ centre - limit), 4)}
    WEIGHTS.write_text(json.dumps(fitted) + "\n")
    print(f"{len(of_drawings)} drawings, {len(of_photographs)} photographs; limit {limit:.2f}, written to {WEIGHTS}")
    drawn.fitted.cache_clear()


def in_bytes(x: np.ndarray) -> np.ndarray:
    """[0, 1] → uint8."""
    return np.rint(np.clip(x, 0, 1) * 255).astype(np.uint8)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fit", action="store_true")
    asked = parser.parse_args()
    model = safelight.Restorer.load("photo")
    if asked.fit:
        fit(model)
    kinds = drawings() | {f"photographs, {name}": [x for _, x in pictures(DATA / "bench" / name)] for name in PHOTOS}
    print(f"{'warned of':28}", *(f"{name:>9}" for name in SPOILT))
    for kind, some in kinds.items():
        shares = []
        for chain in SPOILT.values():
            spoilt = (replay(x, draw(chain, 0, kind, k)) for k, x in enumerate(some))
            scores = [look(model.networks, Canvas.of(safelight.Picture(in_bytes(x)))).ood_score for x in spoilt]
            shares.append(np.mean([score is not None and score > 1 for score in scores]))
        print(f"{kind:28}", *(f"{share:9.0%}" for share in shares), flush=True)


if __name__ == "__main__":
    main()
