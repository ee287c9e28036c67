"""Whether an augmentation helped: paired differences between arms over seeds, and one sentence.

Arms of one seed share labelled pictures, first weights and test, so that differences are paired; their interval is
Student's t over seeds. Where several arms are candidates, p is multiplied by their number (Bonferroni).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from safelight.errors import UsageError

Word = Literal["use it", "no measurable gain", "do not use"]
CANDIDATES = ("classic_vae_pool", "classic_vae", "vae", "classic")
"""What a recipe can be used as, the fullest first."""
LEVEL = 0.95


class Score(NamedTuple):
    """One classifier of one arm."""

    arm: str
    seed: int
    noise: float | None
    """How many times the recipe's latent noise, in a sweep; None for the recipe's own."""
    accuracy: float
    """Balanced, if the test's classes are not."""
    curve: tuple[tuple[int, float], ...] = ()


class Interval(NamedTuple):
    """Mean over seeds, and where it lies with 95 % confidence; shares of 1."""

    mean: float
    standard_error: float
    low: float
    high: float
    p: float
    """Of a mean of 0 (two-sided)."""


@dataclass(frozen=True)
class Verdict:
    """What to do, in one sentence, and what it rests on."""

    word: Word
    sentence: str
    arms: dict[str, Interval]
    """Accuracy of each arm."""
    differences: dict[str, Interval]
    """"a - b" → paired difference."""
    sweep: dict[float, Interval]
    """Times the recipe's noise → accuracy."""


def judge(scores: Sequence[Score]) -> Verdict:
    """From at least two seeds of every arm."""
    own = [score for score in scores if score.noise is None]
    by_arm = {arm: _by_seed(own, arm) for arm in dict.fromkeys(score.arm for score in own)}
    arms = {arm: interval(list(of_seed.values())) for arm, of_seed in by_arm.items()}
    baseline = "classic" if "classic" in by_arm and ({"classic_vae", "classic_vae_pool"} & by_arm.keys()) else "none"
    if baseline not in by_arm or len(by_arm) < 2:
        raise UsageError(f"there is nothing to compare with '{baseline}'; train that arm and another")
    tried = [arm for arm in CANDIDATES if arm in by_arm and arm != baseline]
    tried = [arm for arm in tried if arm != "vae"] or tried
    pairs = [(arm, base) for arm in by_arm for base in ("none", baseline) if arm != base and base in by_arm]
    pairs += [("classic_vae_pool", "classic_pool")] if "classic_vae_pool" in by_arm and "classic_pool" in by_arm else []
    differences = {f"{a} - {b}": interval(_paired(by_arm[a], by_arm[b])) for a, b in dict.fromkeys(pairs)}
    best = max(tried, key=lambda arm: differences[f"{arm} - {baseline}"].mean)
    gain, seeds = differences[f"{best} - {baseline}"], len(by_arm[best])
    p = min(1.0, gain.p * len(tried))
    if p < 1 - LEVEL:
        word: Word = "use it" if gain.mean > 0 else "do not use"
    else:
        word = "no measurable gain"
    sentence = _sentence(word, best, baseline, gain, p, seeds)
    own_part = differences.get("classic_vae_pool - classic_pool")
    if best == "classic_vae_pool" and word == "use it" and own_part is not None:
        owed = (
            "the VAE's part in it"
            if own_part.p < 1 - LEVEL and own_part.mean > 0
            else "no measurable part of it is the VAE's"
        )
        sentence += f"; {owed}: {_points(own_part)} against unlabelled pictures without it"
    noises = sorted({score.noise for score in scores if score.noise is not None})
    sweep = {noise: interval([s.accuracy for s in scores if s.noise == noise]) for noise in noises}
    return Verdict(word, sentence + ".", arms, differences, sweep)


def interval(values: Sequence[float]) -> Interval:
    """Mean, standard error, 95 % by Student's t; needs two values, with one nothing is known but the mean."""
    from scipy import stats

    mean, count = float(np.mean(values)), len(values)
    error = float(np.std(values, ddof=1)) / math.sqrt(count) if count > 1 else math.inf
    if error == 0:
        return Interval(mean, 0.0, mean, mean, 1.0 if mean == 0 else 0.0)
    if not math.isfinite(error):
        return Interval(mean, error, -math.inf, math.inf, 1.0)
    half = float(stats.t.ppf(0.5 + LEVEL / 2, count - 1)) * error
    return Interval(mean, error, mean - half, mean + half, float(2 * stats.t.sf(abs(mean) / error, count - 1)))


def mean_curve(scores: Sequence[Score], arm: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Steps, and accuracy at each, averaged over the seeds of an arm."""
    curves = [score.curve for score in scores if score.arm == arm and score.noise is None]
    steps = np.array([step for step, _ in curves[0]], dtype=np.int64)
    return steps, np.mean([[value for _, value in curve] for curve in curves], axis=0)


def _by_seed(scores: Sequence[Score], arm: str) -> dict[int, float]:
    return {score.seed: score.accuracy for score in scores if score.arm == arm}


def _paired(a: dict[int, float], b: dict[int, float]) -> list[float]:
    return [a[seed] - b[seed] for seed in a if seed in b]


def _points(gain: Interval) -> str:
    return f"{100 * gain.mean:+.1f} points [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]"


def _sentence(word: Word, best: str, baseline: str, gain: Interval, p: float, seeds: int) -> str:
    told = f"{best} against {baseline}: {_points(gain)}, {seeds} seeds, p = {p:.2g}"
    return {
        "use it": f"Use it at these settings ({told})",
        "no measurable gain": f"No measurable gain ({told}); more seeds would narrow it",
        "do not use": f"Do not use it at these settings ({told})",
    }[word]
