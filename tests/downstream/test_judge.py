"""Verdicts: true on data whose answer is known, and wrong at the rate that they promise."""

import numpy as np
import pytest
from scipy import stats

from safelight.downstream.arms import ArmScore
from safelight.downstream.judge import interval, judge, mean_curve, roles
from safelight.downstream.page import html
from safelight.errors import UsageError


def scores(rng, seeds=5, **gains):
    """Arms that share what is luck of a seed, and differ by a gain and a little noise."""
    found = []
    for seed in range(seeds):
        luck = rng.normal(0.8, 0.05)
        for arm, gain in gains.items():
            value = luck + gain + rng.normal(0, 0.01)
            curve = ((10, value - 0.1), (20, value))
            found.append(ArmScore(arm=arm, seed=seed, noise=None, accuracy=value, curve=curve))
    return found


def test_intervals_are_students():
    values = [0.1, 0.3, 0.2, 0.25, 0.4]
    found, wanted = interval(values), stats.ttest_1samp(values, 0)
    assert found.p == pytest.approx(wanted.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(wanted.confidence_interval()))


def test_what_helps_is_said_to_help():
    verdict = judge(scores(np.random.default_rng(0), none=-0.1, classic=0.0, vae=-0.05, classic_vae=0.05))
    assert verdict.word == "use it" and verdict.sentence.startswith("Use it at these settings (classic_vae against")
    assert verdict.differences["classic_vae - classic"].mean == pytest.approx(0.05, abs=0.02)


def test_what_harms_is_said_to_harm():
    verdict = judge(scores(np.random.default_rng(0), none=-0.1, classic=0.0, vae=-0.3, classic_vae=-0.2))
    assert verdict.word == "do not use" and "Do not use it" in verdict.sentence


def test_what_does_nothing_is_told_so_in_all_but_a_twentieth():
    rng = np.random.default_rng(1)
    words = [
        judge(scores(rng, none=0.0, classic=0.0, classic_vae=0.0, classic_pool=0, classic_vae_pool=0)).word
        for _ in range(300)
    ]
    assert 1 - words.count("no measurable gain") / len(words) < 0.09


def test_a_gain_of_the_pool_is_not_called_the_vaes():
    rng = np.random.default_rng(4)
    verdict = judge(scores(rng, none=-0.1, classic=0.0, classic_vae=0.0, classic_pool=0.1, classic_vae_pool=0.1))
    assert verdict.word != "use it" and "Unlabelled pictures help without a VAE: +1" in verdict.sentence
    verdict = judge(scores(rng, none=-0.1, classic=0.0, classic_vae=0.0, classic_pool=0.05, classic_vae_pool=0.15))
    assert verdict.word == "use it" and "classic_vae_pool against classic_pool" in verdict.sentence


def test_a_recipe_without_a_vae_is_judged_against_nothing():
    verdict = judge(scores(np.random.default_rng(0), none=0.0, duplicates=0.0, classic=0.1))
    assert "classic against none" in verdict.sentence and verdict.word == "use it"
    verdict = judge(scores(np.random.default_rng(0), none=0.0, duplicates=0.0, vae=0.1))
    assert "vae against none" in verdict.sentence


def test_luck_of_a_seed_does_not_hide_a_paired_gain():
    verdict = judge(scores(np.random.default_rng(3), none=0.0, classic=0.04))
    alone = verdict.arms["classic"]
    assert alone.high - alone.low > 0.04 and verdict.word == "use it"


def test_equal_values_tell_nothing_of_luck():
    found = interval([0.5, 0.5])
    assert (found.mean, found.p) == (0.5, 1) and found.high == np.inf


def test_doing_nothing_is_a_choice():
    verdict = judge(scores(np.random.default_rng(0), none=0.0, classic=-0.2, vae=-0.1, classic_vae=-0.15))
    assert verdict.word == "do not use" and "against none" in verdict.sentence


def test_luck_of_the_test_pictures_counts():
    """Two classifiers that differ by luck on 50 pictures, the same in every seed: no gain, however equal the seeds."""
    rng, found = np.random.default_rng(2), []
    right = {arm: rng.random(50) < 0.8 for arm in ("none", "classic")}
    for seed in range(5):
        for arm, hits in right.items():
            flipped = hits ^ (rng.random(50) < 0.02)
            found.append(ArmScore(arm, seed, None, flipped.mean(), right=flipped))
    alone = judge([score._replace(right=None) for score in found]).differences["classic - none"]
    with_pictures = judge(found).differences["classic - none"]
    assert with_pictures.standard_error > 2 * alone.standard_error
    weights = np.where(np.arange(50) < 10, 0.5 / 10, 0.5 / 40)  # two classes of 10 and 40 pictures
    balanced = judge(found, weights).differences["classic - none"]
    assert balanced.standard_error > with_pictures.standard_error


def test_what_cannot_be_judged_is_told():
    for arms in (["classic"], ["none", "duplicates"], ["classic_pool", "classic"]):
        with pytest.raises(UsageError, match="nothing to compare"):
            roles(arms)


def test_the_page_shows_all():
    scored = scores(np.random.default_rng(0), none=0.0, classic=0.1, classic_vae=0.2)
    scored += [
        ArmScore("classic_vae", seed, noise=factor, accuracy=0.8 + factor / 10)
        for seed in range(3)
        for factor in (0.5, 2.0)
    ]
    verdict = judge(scored)
    assert list(verdict.sweep) == [0.5, 2.0]
    assert mean_curve(scored, "none")[0].tolist() == [10, 20]
    page = html("<title>", verdict, scored, ["a note"])
    assert verdict.sentence in page and page.count("<svg") == 2 and "&lt;title&gt;" in page and "a note" in page


def test_a_page_of_unknown_intervals_has_no_infinite_lines():
    scored = [ArmScore(arm, seed, None, 0.5, curve=((10, 0.5),)) for arm in ("none", "vae") for seed in range(2)]
    scored += [ArmScore("vae", seed, 2.0, 0.5) for seed in range(2)]
    verdict = judge(scored)
    assert verdict.word == "no measurable gain"
    page = html("a", verdict, scored, [])
    assert 'points="' in page and "nan" not in page
