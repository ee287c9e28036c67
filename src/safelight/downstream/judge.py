"""Whether an augmentation helped: paired differences between arms, and one sentence.

Arms of one seed share labelled pictures, first weights and test, so that differences are paired. The standard error of
a difference has two parts, the variance over seeds and the variance over test pictures, which all seeds share:

    SE² = Var_seeds[d_s] / S + Var_pictures[mean_s d_si] / P

This is a little too wide, since both parts contain the residual variance. The interval is Student's t with S - 1
degrees of freedom. A recipe with a VAE must beat every arm that needs no VAE. If several arms are candidates, the
level is divided by their number (Bonferroni). For harm the level is not divided, since the best candidate is judged.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from safelight.downstream.arms import ArmScore
from safelight.errors import UsageError

Word = Literal["use it", "no measurable gain", "do not use"]
WITH_VAE = ("vae", "classic_vae", "classic_vae_pool", "classic_vae_taught")
WITHOUT = ("none", "classic", "classic_pool")
"""Arms that are judged, and those that they must beat. Without any of the former, classic is judged against none."""
LEVEL = 0.95


class Interval(NamedTuple):
    """Mean over seeds, and where it lies with 95 % confidence; shares of 1."""

    mean: float
    standard_error: float
    low: float
    high: float
    p: float
    """Of a mean of 0 (two-sided), not adjusted for the number of comparisons."""


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


def roles(arms: Sequence[str]) -> tuple[list[str], list[str]]:
    """Which of the arms are judged, and which they must beat. Raises UsageError if one of the two is missing."""
    judged, others = [arm for arm in WITH_VAE if arm in arms], [arm for arm in WITHOUT if arm in arms]
    if not judged:
        judged, others = [arm for arm in others if arm == "classic"], [arm for arm in others if arm == "none"]
    if not judged or not others:
        raise UsageError(f"arms {', '.join(arms)} give nothing to compare; train 'none' or 'classic', and another")
    return judged, others


def judge(scores: Sequence[ArmScore], weights: NDArray[np.float64] | None = None) -> Verdict:
    """From at least two seeds of every arm. `weights`: see `difference`."""
    own = [score for score in scores if score.noise is None]
    by_arm = {arm: [score for score in own if score.arm == arm] for arm in dict.fromkeys(score.arm for score in own)}
    arms = {arm: interval([score.accuracy for score in some]) for arm, some in by_arm.items()}
    judged, others = roles(list(arms))
    pairs = [(arm, other) for arm in by_arm for other in others if arm != other]
    differences = {f"{a} - {b}": difference(by_arm[a], by_arm[b], weights) for a, b in pairs}
    word, sentence = decide(arms, differences, len(by_arm[judged[0]]))
    noises = sorted({score.noise for score in scores if score.noise is not None})
    sweep = {noise: interval([s.accuracy for s in scores if s.noise == noise]) for noise in noises}
    return Verdict(word=word, sentence=sentence, arms=arms, differences=differences, sweep=sweep)


def decide(arms: Mapping[str, Interval], differences: Mapping[str, Interval], seeds: int) -> tuple[Word, str]:
    """The word and the sentence, from what was measured of every arm and of their differences."""
    judged, others = roles(list(arms))
    level = 1 - (1 - LEVEL) / len(judged)
    best = max(judged, key=lambda arm: arms[arm].mean)
    gains = {other: differences[f"{best} - {other}"] for other in others}
    strongest = max(others, key=lambda arm: arms[arm].mean)
    weakest = max(others, key=lambda arm: gains[arm].p if gains[arm].mean > 0 else 2 - gains[arm].p)
    if all(gain.mean > 0 and gain.p < 1 - level for gain in gains.values()):
        word: Word = "use it"
    elif gains[strongest].mean < 0 and gains[strongest].p < 1 - LEVEL:  # the best of several flatters: no correction
        word, level = "do not use", LEVEL
    else:
        word = "no measurable gain"
    against = weakest if word == "no measurable gain" else strongest
    sentence = _sentence(word, f"{best} against {against}", _widened(gains[against], seeds, level), seeds)
    pool = differences.get("classic_pool - classic")
    if pool is not None and pool.mean > 0 and pool.p < 1 - LEVEL:
        sentence += f" Unlabelled pictures help without a VAE: {_points(pool)}."
    return word, sentence


def interval(values: Sequence[float], more_variance: float = 0.0) -> Interval:
    """Student's, of a mean over seeds; `more_variance` is added to that of the mean. With one value it is all reals."""
    mean, count = float(np.mean(values)), len(values)
    error = math.sqrt(float(np.var(values, ddof=1)) / count + more_variance) if count > 1 else math.inf
    if error == 0 or not math.isfinite(error):  # equal values, or a single one, tell nothing of the variance
        return Interval(mean=mean, standard_error=error, low=-math.inf, high=math.inf, p=1.0)
    half = float(stats.t.ppf(0.5 + LEVEL / 2, count - 1)) * error
    p = float(2 * stats.t.sf(abs(mean) / error, count - 1))
    return Interval(mean=mean, standard_error=error, low=mean - half, high=mean + half, p=p)


def difference(a: Sequence[ArmScore], b: Sequence[ArmScore], weights: NDArray[np.float64] | None = None) -> Interval:
    """Of accuracies, paired by seed.

    `weights`, (P,), say what each test picture counts, all together 1; None for equally much.
    """
    of_b = {score.seed: score for score in b}
    pairs = [(score, of_b[score.seed]) for score in a if score.seed in of_b]
    values = [one.accuracy - other.accuracy for one, other in pairs]
    by_picture = [
        one.right.astype(np.float64) - other.right
        for one, other in pairs
        if one.right is not None and other.right is not None
    ]
    return interval(values, _variance(np.mean(by_picture, axis=0), weights) if by_picture else 0.0)


def mean_curve(scores: Sequence[ArmScore], arm: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Steps, and accuracy at each, averaged over the seeds of an arm."""
    curves = [score.curve for score in scores if score.arm == arm and score.noise is None]
    steps = np.array([step for step, _ in curves[0]], dtype=np.int64)
    return steps, np.mean([[value for _, value in curve] for curve in curves], axis=0)


def _variance(per_picture: NDArray[np.float64], weights: NDArray[np.float64] | None) -> float:
    """Of a weighted mean over pictures that were drawn at random, class by class if their weights differ."""
    if weights is None:
        weights = np.full(len(per_picture), 1 / len(per_picture))
    total = 0.0
    for weight in np.unique(weights):
        some = per_picture[weights == weight]
        total += float(np.var(some, ddof=1)) * float(weight) ** 2 * len(some) if len(some) > 1 else 0.0
    return total


def _widened(gain: Interval, seeds: int, level: float) -> Interval:
    """The same at another level."""
    half = gain.standard_error * float(stats.t.ppf(0.5 + level / 2, seeds - 1)) if seeds > 1 else math.inf
    return gain._replace(low=gain.mean - half, high=gain.mean + half)


def _points(gain: Interval) -> str:
    return f"{100 * gain.mean:+.1f} points [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]"


def _sentence(word: Word, arms: str, gain: Interval, seeds: int) -> str:
    facts = f"{arms}: {_points(gain)}, {seeds} seeds"
    return {
        "use it": f"Use it at these settings ({facts}).",
        "no measurable gain": f"No measurable gain ({facts}).",
        "do not use": f"Do not use it at these settings ({facts}).",
    }[word]
