"""A verdict as one HTML page that needs no other: the sentence, the arms, accuracy against steps and against noise."""

import math
from collections.abc import Sequence
from html import escape

from safelight.downstream.arms import ArmScore
from safelight.downstream.judge import Interval, Verdict, mean_curve
from safelight.evaluation.page import document, figure, svg, table

COLOURS = ("#888", "#b80", "#06c", "#c33", "#080", "#808", "#0aa")
WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 720, 280, 50, 30, 10, 160


def html(title: str, verdict: Verdict, scores: Sequence[ArmScore], notes: Sequence[str]) -> str:
    """The page."""
    arms = "".join(_row(name, interval, "") for name, interval in verdict.arms.items())
    differences = "".join(_row(name, interval, "+") for name, interval in verdict.differences.items())
    head = "<tr><th>arm</th><th>{}</th><th>95 % interval</th><th>p</th></tr>"
    parts = [
        f"<h1>{escape(title)}</h1><p><strong>{escape(verdict.sentence)}</strong></p>",
        *(f"<p>{escape(note)}</p>" for note in notes),
        "<h2>Accuracy of each arm</h2>",
        table("accuracy of each arm", head.format("accuracy, %") + arms),
        "<h2>Paired differences, in points</h2>",
        "<p>p is the chance of such a difference, or a larger one, if there were none.</p>",
        table("paired differences", head.format("points") + differences),
        *(figure(caption, diagram) for caption, diagram in plots(verdict, scores).items()),
    ]
    return document(title, parts)


def plots(verdict: Verdict, scores: Sequence[ArmScore]) -> dict[str, str]:
    """What each diagram shows → it, as SVG."""
    found = {"Accuracy against training steps": _curves(scores, list(verdict.arms))}
    if verdict.sweep:
        caption = "Accuracy against latent noise, in multiples of the recipe's; low and high are the interval's ends"
        found[caption] = _sweep(verdict)
    return found


def _row(name: str, interval: Interval, sign: str) -> str:
    ends = (interval.low, interval.high) if sign else (max(0.0, interval.low), min(1.0, interval.high))
    number, low, high = (f"{100 * value:{sign}.1f}" for value in (interval.mean, *ends))
    p = f"{interval.p:.2g}" if sign else ""
    return f"<tr><td>{escape(name)}</td><td>{number}</td><td>{low} to {high}</td><td>{p}</td></tr>"


def _curves(scores: Sequence[ArmScore], arms: Sequence[str]) -> str:
    lines = []
    for arm in arms:
        steps, values = mean_curve(scores, arm)
        lines.append((arm, [float(step) for step in steps], values.tolist()))
    return _plot(lines, "training steps")


def _sweep(verdict: Verdict) -> str:
    """An end of an interval that is not known is left out."""
    noises = list(verdict.sweep)
    lines = [
        (name, noises, [getattr(interval, name) for interval in verdict.sweep.values()])
        for name in ("mean", "low", "high")
    ]
    return _plot([line for line in lines if all(map(math.isfinite, line[2]))], "latent noise")


def _plot(lines: Sequence[tuple[str, Sequence[float], Sequence[float]]], across_is: str) -> str:
    """Lines with their names at their ends, and the ends of both axes written."""
    xs, ys = [x for _, across, _ in lines for x in across], [y for _, _, up in lines for y in up]
    left, right, low, high = min(xs), max(xs), min(ys), max(ys)

    def point(x: float, y: float) -> tuple[float, float]:
        share_x, share_y = (x - left) / (right - left or 1.0), (y - low) / (high - low or 1.0)
        return LEFT + (WIDTH - LEFT - RIGHT) * share_x, HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * share_y

    drawn, above = [], -99.0
    by_end = sorted(enumerate(lines), key=lambda line: -line[1][2][-1])
    for k, (name, across, up) in by_end:  # from above, so that names do not overlap
        colour = COLOURS[k % len(COLOURS)]
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in (point(a, b) for a, b in zip(across, up, strict=True)))
        above = max(point(across[-1], up[-1])[1] + 4, above + 14)
        drawn.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{points}"/>')
        drawn.append(_text(WIDTH - RIGHT + 6, above, f"{name} {100 * up[-1]:.1f}", colour))
    drawn += [_text(LEFT, HEIGHT - 8, f"{left:g}"), _text(WIDTH - RIGHT, HEIGHT - 8, f"{right:g}")]
    drawn += [_text(4, HEIGHT - BOTTOM, f"{100 * low:.1f}"), _text(4, TOP + 8, f"{100 * high:.1f}")]
    drawn += [_text(LEFT + 60, HEIGHT - 8, across_is), _text(LEFT + 4, TOP + 8, "accuracy, %")]
    return svg(f"accuracy over {across_is}", WIDTH, HEIGHT, "".join(drawn))


def _text(x: float, y: float, words: str, colour: str = "currentColor") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" font-size="12" fill="{colour}">{escape(words)}</text>'
