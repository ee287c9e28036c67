"""A verdict as one HTML page that needs no other: the sentence, the arms, accuracy against steps and against noise."""

import math
from collections.abc import Sequence
from html import escape
from pathlib import Path

from safelight.downstream.verdict import Interval, Score, Verdict, mean_curve
from safelight.evaluate.page import STYLE

COLOURS = ("#888", "#b80", "#06c", "#c33", "#080", "#808", "#0aa")
WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 720, 280, 50, 30, 10, 160


def write_verdict(path: Path, title: str, verdict: Verdict, scores: Sequence[Score], notes: Sequence[str]) -> None:
    """Raises OSError."""
    arms = "".join(_row(name, found, "") for name, found in verdict.arms.items())
    differences = "".join(_row(name, found, "+") for name, found in verdict.differences.items())
    head = "<tr><td></td><td>%</td><td>95 %</td><td>p</td></tr>"
    parts = [
        f"<h1>{escape(title)}</h1><p><strong>{escape(verdict.sentence)}</strong></p>",
        *(f"<p>{escape(note)}</p>" for note in notes),
        f"<h2>Accuracy of each arm</h2><table>{head}{arms}</table>",
        f"<h2>Paired differences, in points</h2><table>{head}{differences}</table>",
        _figure("Accuracy against training steps", _curves(scores, list(verdict.arms))),
    ]
    if verdict.sweep:
        title_of = "Accuracy against latent noise, in multiples of the recipe's; low and high are the interval's ends"
        parts.append(_figure(title_of, _sweep(verdict)))
    page = f'<!doctype html><meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>{"".join(parts)}'
    path.write_text(page + "\n", encoding="utf-8")


def _figure(title: str, inner: str) -> str:
    return f"<figure><figcaption>{escape(title)}</figcaption>{inner}</figure>"


def _row(name: str, found: Interval, sign: str) -> str:
    number, low, high = (f"{100 * value:{sign}.1f}" for value in (found.mean, found.low, found.high))
    p = f"{found.p:.2g}" if sign else ""
    return f"<tr><td>{escape(name)}</td><td>{number}</td><td>{low} to {high}</td><td>{p}</td></tr>"


def _curves(scores: Sequence[Score], arms: Sequence[str]) -> str:
    lines = []
    for arm in arms:
        steps, values = mean_curve(scores, arm)
        lines.append((arm, [float(step) for step in steps], values.tolist()))
    return _plot(lines)


def _sweep(verdict: Verdict) -> str:
    """An end of an interval that is not known is left out."""
    noises = list(verdict.sweep)
    lines = [
        (name, noises, [getattr(found, name) for found in verdict.sweep.values()]) for name in ("mean", "low", "high")
    ]
    return _plot([line for line in lines if all(map(math.isfinite, line[2]))])


def _plot(lines: Sequence[tuple[str, Sequence[float], Sequence[float]]]) -> str:
    """Lines with their names at their ends, and the ends of both axes written."""
    xs, ys = [x for _, across, _ in lines for x in across], [y for _, _, up in lines for y in up]
    left, right, low, high = min(xs), max(xs), min(ys), max(ys)

    def place(x: float, y: float) -> tuple[float, float]:
        share_x, share_y = (x - left) / (right - left or 1.0), (y - low) / (high - low or 1.0)
        return LEFT + (WIDTH - LEFT - RIGHT) * share_x, HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * share_y

    drawn, above = [], -99.0
    by_end = sorted(enumerate(lines), key=lambda known: -known[1][2][-1])
    for k, (name, across, up) in by_end:  # from above, so that names do not overlap
        colour = COLOURS[k % len(COLOURS)]
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(a, b) for a, b in zip(across, up, strict=True)))
        above = max(place(across[-1], up[-1])[1] + 4, above + 14)
        drawn.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{points}"/>')
        drawn.append(_text(WIDTH - RIGHT + 6, above, f"{name} {100 * up[-1]:.1f}", colour))
    drawn += [_text(LEFT, HEIGHT - 8, f"{left:g}"), _text(WIDTH - RIGHT, HEIGHT - 8, f"{right:g}")]
    drawn += [_text(4, HEIGHT - BOTTOM, f"{100 * low:.1f}"), _text(4, TOP + 8, f"{100 * high:.1f}")]
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">{"".join(drawn)}</svg>'


def _text(x: float, y: float, words: str, colour: str = "#222") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" font-size="12" fill="{colour}">{escape(words)}</text>'
