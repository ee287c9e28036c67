"""evaluate --downstream: the arms, what is refused, and what a person reads."""

import json

import numpy as np
import pytest

from blobs import RECIPE, blobs
from safelight.downstream.arms import Arm, Variants, train_arm
from safelight.downstream.lessons import lessons
from safelight.runtime import load
from support import run_cli

AUG = """
[[steps]]
op = "latent_noise"
spread = [0.0, 0.3]
[[steps]]
op = "flip_horizontal"
probability = 0.5
[[steps]]
op = "translate"
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """train.npz, test.npz, a VAE that saw the first without labels, and recipes."""
    home = tmp_path_factory.mktemp("downstream")
    for name, seed, count in (("train", 0, 160), ("test", 1, 60)):
        pixels, labels = blobs(count, seed)
        np.savez(home / f"{name}.npz", images=pixels, labels=labels)
    (home / "vae.toml").write_text(
        RECIPE.replace("[data]", "[data]\nignore_labels = true").replace("test_share = 0.2", "test_share = 0")
    )
    done = run_cli("train", "vae.toml", "--data", "train.npz", "--run", "run", cwd=home)
    assert not done.returncode, done.stderr
    np.savez(home / "bare.npz", images=blobs(60, 1)[0])
    (home / "aug.toml").write_text(AUG)
    (home / "classic.toml").write_text(AUG[AUG.index('[[steps]]\nop = "flip') :])
    (home / "wild.toml").write_text('[[steps]]\nop = "latent_noise"\nspread = 3.0\ndetail = 0\ntemperature = 10\n')
    return home


def compare(home, *arguments):
    return run_cli(
        "evaluate", "--downstream", "train.npz", "--test", "test.npz", "--seeds", 2, "--steps", 40, *arguments, cwd=home
    )


def test_every_arm_is_trained_and_judged(home):
    options = ("--recipe", "aug.toml", "--model", "run/bundle", "--per-class", 8, "--unlabelled", "train.npz")
    done = compare(home, *options, "--sweep", "0.5,4", "--json", "--html", "page.html")
    assert not done.returncode, done.stderr
    known = json.loads(done.stdout)
    assert set(known["arms"]) == {
        *("none", "duplicates", "classic", "classic_pool"),
        *("vae", "classic_vae", "classic_vae_pool", "classic_vae_taught"),
    }
    assert known["counts"] == {
        "labelled": 16,
        "test": 60,
        "unlabelled": 160,
        "seen_by_vae": known["counts"]["seen_by_vae"],
    }
    assert known["counts"]["seen_by_vae"] > 100 and set(known["sweep"]) == {"0.5", "4.0"}
    assert len(known["results"]) == 2 * (8 + 2) and all(0 <= r["accuracy"] <= 1 for r in known["results"])
    assert known["word"] in known["verdict"].lower() or known["word"] in ("use it", "no measurable gain", "do not use")
    assert (home / "page.html").read_text().count("<svg") == 2
    assert any("without their labels" in note for note in known["notes"])


def test_without_a_vae_classic_is_judged(home):
    done = compare(home, "--recipe", "classic.toml", "--per-class", 8)
    assert not done.returncode, done.stderr
    assert "classic against none" in done.stdout and "paired difference" in done.stdout


def test_equal_seeds_train_equal_classifiers():
    pixels, labels = blobs(20, 3)
    arm = Arm("none", 4, 2, 12, pixels, labels, pixels, labels)
    one, same = train_arm(arm), train_arm(arm)
    assert one.curve == same.curve and np.array_equal(one.right, same.right)


def test_lessons_are_what_the_vae_knows(home):
    vae = load(str(home / "run" / "bundle"))
    pixels, _ = blobs(50, 5)
    found = lessons(vae, pixels)
    channels = sum(rung[0] for rung in vae.card.latents)
    assert channels <= found[0].shape[1] <= 2 * channels
    for part in found:
        assert np.abs(part).max() <= 4 and np.abs(part.mean(axis=0)).max() < 0.1
    first = vae.encode(pixels)[0].mean(axis=(2, 3))
    assert np.corrcoef(first[:, 0], found[0][:, 0])[0, 1] > 0.99


def test_lessons_of_unlabelled_pictures_reach_the_classifier():
    """Eight labelled pictures; lessons that tell the class of the others, and lessons that tell nothing."""
    pixels, labels = blobs(8, 3)
    pool, of_pool = blobs(200, 6)
    test, test_labels = blobs(200, 7)
    telling = np.repeat(2.0 * of_pool[:, None] - 1, 4, axis=1).astype(np.float32)
    noise = np.random.default_rng(0).standard_normal(telling.shape).astype(np.float32)
    rights = []
    for overall in (telling, noise):
        arms = (
            Arm("classic_vae_taught", s, 2, 150, pixels, labels, test, test_labels, pool=pool, lessons=(overall,))
            for s in (0, 1)
        )
        rights.append(np.mean([train_arm(arm).accuracy for arm in arms]))
    assert rights[0] > rights[1] + 0.08


def test_harm_done_on_purpose_shows():
    """Variants whose labels are the other class's."""
    pixels, labels = blobs(60, 3)
    test, test_labels = blobs(60, 4)
    wrong = Variants(
        np.repeat(pixels[:, None], 2, axis=1), np.repeat(np.eye(2, dtype=np.float32)[1 - labels][:, None], 2, axis=1)
    )
    fair, spoilt = (
        train_arm(Arm(name, 0, 2, 150, pixels, labels, test, test_labels, variants=variants)).accuracy
        for name, variants in (("none", None), ("vae", wrong))
    )
    assert fair > 0.85 and spoilt < fair - 0.15


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--recipe", "aug.toml"), "needs a model"),
        ((), "needs --recipe"),
        (("--recipe", "aug.toml", "--model", "photo"), "restores pictures"),
        (("--recipe", "classic.toml", "--per-class", 500), "lower --per-class"),
        (("--recipe", "classic.toml", "--sweep", "1"), "is for recipes with latent steps"),
        (("--recipe", "classic.toml", "--sweep", "a"), "give numbers"),
        (("--recipe", "classic.toml", "--unlabelled", "train.npz"), "is for recipes with latent steps"),
        (("--recipe", "classic.toml", "--test", "train.npz"), "has 0 pictures to train on"),
        (("--recipe", "aug.toml", "--model", "run/bundle", "--arms", "classic,nix"), "--arms 'nix'"),
        (("--recipe", "aug.toml", "--model", "run/bundle", "--arms", "none,duplicates"), "nothing to compare"),
        (("--recipe", "aug.toml", "--model", "run/bundle", "--sweep", "50"), "is the most"),
        (("--recipe", "classic.toml", "--test", "bare.npz"), "have no label"),
        (("--recipe", "aug.toml", "--model", "run/bundle", "--test", "vae.toml"), "is no set of pictures"),
    ],
)
def test_what_makes_no_fair_comparison_is_refused(home, arguments, words):
    done = compare(home, *arguments)
    assert done.returncode in (2, 3) and words in done.stderr, done.stderr
    assert "Traceback" not in done.stderr


def test_a_vae_that_saw_the_test_is_refused(home):
    done = run_cli(
        "evaluate",
        "--downstream",
        "test.npz",
        "--test",
        "train.npz",
        "--recipe",
        "aug.toml",
        "--model",
        "run/bundle",
        cwd=home,
    )
    assert done.returncode == 2 and "was trained on" in done.stderr and "test pictures" in done.stderr


def test_a_vae_that_saw_more_labels_than_the_arms_is_refused(home):
    (home / "labelled.toml").write_text(RECIPE.replace("test_share = 0.2", "test_share = 0"))
    assert not run_cli("train", "labelled.toml", "--data", "train.npz", "--run", "labelled", cwd=home).returncode
    done = compare(home, "--recipe", "aug.toml", "--model", "labelled/bundle", "--per-class", 8)
    assert done.returncode == 2 and "ignore_labels = true" in done.stderr
