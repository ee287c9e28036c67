"""The evaluation of a codec as one HTML file that needs no other."""

from collections.abc import Callable
from html import escape

import numpy as np

from safelight.evaluation.codec import NAMES, Point, RateDistortion
from safelight.evaluation.page import document, figure, image, svg, table

COLOURS = ("#c22", "#888", "#06c", "#093", "#a0a", "#a60")
WIDTH, HEIGHT, LEFT, BOTTOM = 720, 360, 50, 40


def codec_html(title: str, measured: RateDistortion) -> str:
    """The page: BD-rates, curves in PSNR and SSIM, and crops at equal bytes."""
    own = next(iter(measured.curves))
    rows = "".join(
        f"<tr><td>bytes of {escape(own)} against {escape(NAMES.get(name, name))}, at equal PSNR</td>"
        f"<td>{measured.numbers[f'bd_rate_{name}_percent']:+.1f} %</td></tr>"
        for name in list(measured.curves)[1:]
    )
    method = (
        "BD-rate between 25 and 38 dB, from points that are averages over the pictures; the logarithm of the rate is "
        "interpolated by a monotone cubic (PCHIP). Rates are bytes of whole files."
    )
    parts = [f"<h1>{escape(title)}</h1>", table("BD-rates", rows), f"<p>{method}</p>"]
    parts.append(figure("PSNR in dB over bits per pixel", _plot(measured, "PSNR, dB", lambda point: point.psnr_db)))
    parts.append(figure("SSIM over bits per pixel", _plot(measured, "SSIM", lambda point: point.ssim)))
    for row, words in zip(measured.crops, measured.crop_titles, strict=True):
        parts.append(figure(words, image(np.concatenate(row, axis=1), words)))
    return document(title, parts)


def _plot(measured: RateDistortion, what: str, of: Callable[[Point], float]) -> str:
    """Curves of a number by its name, with a logarithmic axis of rates."""
    points = [point for curve in measured.curves.values() for point in curve]
    rates, values = [point.bits_per_pixel for point in points], [of(point) for point in points]
    left, right = np.log2(min(rates)), np.log2(max(rates))
    low, high = min(values), max(values)

    def x(rate: float) -> float:
        return LEFT + (WIDTH - LEFT - 20) * float((np.log2(rate) - left) / (right - left))

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - 20) * (value - low) / (high - low)

    marks = []
    for rate in (0.0625, 0.125, 0.25, 0.5, 1, 2, 4):
        if min(rates) <= rate <= max(rates):
            marks.append(
                f'<text x="{x(rate):.0f}" y="{HEIGHT - 15}" font-size="13" text-anchor="middle">{rate:g}</text>'
            )
            marks.append(f'<path d="M{x(rate):.0f} 10V{HEIGHT - BOTTOM}" stroke="var(--rule)"/>')
    for value in np.linspace(low, high, 6):
        marks.append(f'<text x="5" y="{y(value) + 4:.0f}" font-size="13">{value:.3g}</text>')
        marks.append(f'<path d="M{LEFT} {y(value):.0f}H{WIDTH - 20}" stroke="var(--rule)"/>')
    for k, (name, curve) in enumerate(measured.curves.items()):
        colour = COLOURS[k % len(COLOURS)]
        line = " ".join(f"{x(point.bits_per_pixel):.1f},{y(of(point)):.1f}" for point in curve)
        marks.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{line}"/>')
        label = escape(NAMES.get(name, name))
        marks.append(f'<text x="{LEFT + 15}" y="{30 + 18 * k}" font-size="14" fill="{colour}">{label}</text>')
    marks.append(f'<text x="{WIDTH - 20}" y="{HEIGHT - 2}" font-size="12" text-anchor="end">bits per pixel</text>')
    marks.append(f'<text x="5" y="12" font-size="12">{escape(what)}</text>')
    return svg(f"{what} over bits per pixel", WIDTH, HEIGHT, "".join(marks))
