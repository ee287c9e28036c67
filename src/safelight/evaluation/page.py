"""An evaluation as one HTML file that needs no other: numbers, grids of pictures, and the run's curves."""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from safelight.evaluation.images import Evaluation
from safelight.picture.vips import to_vips

ENLARGE_TO_PX = 720
"""Width of a grid, at least."""
CURVES = {
    "val_neg_elbo_nats": "negative ELBO of held-out pictures, nats",
    "val_mse": "mean squared error of held-out pictures",
    "val_rate_nats": "rate of held-out pictures, nats",
}
STYLE = (
    ":root{color-scheme:light dark;--ink:#222;--paper:#fff;--rule:#ddd;--plot:#fafafa;--line:#06c}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e8e8e8;--paper:#181818;--rule:#444;--plot:#222;--line:#6bf}}"
    "body{font:16px/1.5 system-ui,sans-serif;margin:0;color:var(--ink);background:var(--paper)}"
    "main{max-width:60rem;margin:2rem auto;padding:0 1rem}h1{font-weight:500;overflow-wrap:anywhere}"
    ".wide{overflow-x:auto}table{border-collapse:collapse}"
    "td,th{padding:.2rem .8rem;border-bottom:1px solid var(--rule);text-align:left;font-weight:400}"
    "td:last-child{text-align:right;font-variant-numeric:tabular-nums}img{image-rendering:pixelated;max-width:100%}"
    "figure{margin:1.5rem 0}svg{max-width:100%;height:auto;background:var(--plot);fill:currentColor}"
)


def html(title: str, evaluation: Evaluation, metrics: Path | None) -> str:
    """The page. `metrics` is the run's metrics.jsonl, if there is one."""
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{number:.6g}</td></tr>" for name, number in evaluation.numbers.items()
    )
    notes = [f"<p>{escape(note)}</p>" for note in evaluation.notes]
    parts = [f"<h1>{escape(title)}</h1>", *notes, table("numbers", rows)]
    parts += [figure(name, image(grid_picture(grid), name)) for name, grid in evaluation.grids.items()]
    if metrics is not None and metrics.is_file():
        lines = [json.loads(line) for line in metrics.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
        for name, caption in CURVES.items():
            points = [(k, line[name]) for k, line in enumerate(lines) if line.get(name) is not None]
            parts += [figure(caption, _curve([value for _, value in points], caption))] if len(points) > 1 else []
    return document(title, parts)


def document(title: str, parts: Iterable[str]) -> str:
    """A whole page of HTML in the style of all reports."""
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style>"
    )
    return f'<!doctype html><html lang="en"><head>{head}</head><body><main>{"".join(parts)}</main></body></html>\n'


def table(words: str, rows: str) -> str:
    """Rows in HTML, which scroll sideways by themselves where they are too wide; `words` say what they are."""
    return f'<div class="wide" tabindex="0" role="region" aria-label="{escape(words)}"><table>{rows}</table></div>'


def figure(title: str, inner: str) -> str:
    """A plot or a picture with its title."""
    return f"<figure><figcaption>{escape(title)}</figcaption>{inner}</figure>"


def grid_picture(grid: NDArray[np.floating]) -> NDArray[np.uint8]:
    """(rows, columns, H, W, C) in [0, 1] → one picture."""
    rows, columns, height, width, channels = grid.shape
    whole = grid.swapaxes(1, 2).reshape(rows * height, columns * width, channels)
    pixels: NDArray[np.uint8] = np.rint(255 * np.clip(whole, 0, 1)).astype(np.uint8)
    return pixels


def image(pixels: NDArray[np.uint8], words: str) -> str:
    """A picture within the page, enlarged by a whole number; `words` say what it shows."""
    factor = max(1, ENLARGE_TO_PX // pixels.shape[1])
    picture = to_vips(pixels.repeat(factor, axis=0).repeat(factor, axis=1))
    data = base64.b64encode(picture.write_to_buffer(".png")).decode()
    return f'<img alt="{escape(words)}" src="data:image/png;base64,{data}">'


def _curve(values: Sequence[float], words: str, width: int = 720, height: int = 200) -> str:
    """One line over the validations, its lowest and highest value written beside it; `words` say what it shows."""
    low, high = min(values), max(values)
    span = high - low or 1.0
    points = (
        f"{20 + (width - 120) * k / (len(values) - 1):.1f},{height - 20 - (height - 40) * (value - low) / span:.1f}"
        for k, value in enumerate(values)
    )
    texts: Mapping[float, float] = {25: high, height - 15: low}
    labels = "".join(f'<text x="{width - 90}" y="{y}" font-size="13">{value:.5g}</text>' for y, value in texts.items())
    axis = f'<text x="20" y="{height - 4}" font-size="12">validations, first to last</text>'
    line = f'<polyline fill="none" stroke="var(--line)" stroke-width="2" points="{" ".join(points)}"/>'
    return svg(words, width, height, line + labels + axis)


def svg(words: str, width: int, height: int, inner: str) -> str:
    """A diagram within a page; `words` say what it shows."""
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return f'<svg role="img" aria-label="{escape(words)}" {size}>{inner}</svg>'


def svg_file(diagram: str) -> str:
    """A diagram of `svg` as a file of its own."""
    return diagram.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
