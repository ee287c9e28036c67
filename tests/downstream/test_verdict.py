"""safelight verdict: the arms, what is refused, and what a person reads."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from safelight.bundle import seal
from safelight.bundle.images import FEATURES_GRAPH, TRAINING_IDENTITIES
from safelight.dataset import open_set
from safelight.dataset.split import DIGITS, identities
from safelight.downstream.arms import Arm, Variants
from safelight.downstream.build import ArmBuilder
from safelight.downstream.check import check
from safelight.downstream.lessons import lessons
from safelight.downstream.sets import open_parts
from safelight.downstream.settings import VerdictSettings
from safelight.downstream.train import train_arm
from safelight.downstream.verdict import verdict
from safelight.errors import BundleError, UsageError
from safelight.runtime.images import Vae
from safelight.work import Cancelled
from tests.blobs import blobs, write_blobs
from tests.support import run_cli

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
def home(tmp_path_factory, tiny_vae):
    """train.npz, test.npz, recipes, and a VAE whose bundle says that it saw the first without labels."""
    home = tmp_path_factory.mktemp("downstream")
    for name, seed, count in (("train", 0, 160), ("test", 1, 60)):
        pixels, labels = blobs(count, seed)
        np.savez(home / f"{name}.npz", images=pixels, labels=labels)
    shutil.copytree(tiny_vae.folder, home / "vae")
    (home / "vae" / FEATURES_GRAPH).unlink()
    known = [int(identity[:DIGITS], 16) for identity in identities(open_set(home / "train.npz"))]
    np.save(home / "vae" / TRAINING_IDENTITIES, np.array(known, dtype=np.uint64))
    seal(home / "vae", tiny_vae.card.model_copy(update={"classes": ()}))
    np.savez(home / "bare.npz", images=blobs(60, 1)[0])
    (home / "aug.toml").write_text(AUG)
    (home / "classic.toml").write_text(AUG[AUG.index('[[steps]]\nop = "flip') :])
    (home / "guard.toml").write_text(AUG + "[guard]\n")
    (home / "guarded.toml").write_text((home / "classic.toml").read_text() + "[guard]\n")
    (home / "wild.toml").write_text('[[steps]]\nop = "latent_noise"\nspread = 3.0\ndetail = 0\ntemperature = 10\n')
    return home


def compare(home, *arguments):
    return run_cli("verdict", "train.npz", "--test", "test.npz", "--seeds", 2, "--steps", 40, *arguments, cwd=home)


def arm_of(name, seed, steps, pictures, **more):
    """Of two classes; `pictures` are those to train on and to test on, each with labels."""
    (train, labels), (test, test_labels) = pictures
    return Arm(
        name=name,
        seed=seed,
        classes=2,
        steps=steps,
        train=train,
        labels=labels,
        test=test,
        test_labels=test_labels,
        **more,
    )


@pytest.mark.slow
def test_every_arm_is_trained_and_judged(home):
    options = ("--recipe", "aug.toml", "--model", "vae", "--per-class", 8, "--unlabelled", "train.npz")
    done = compare(home, *options, "--sweep", "0.5,4", "--json", "--html", "page.html")
    assert not done.returncode, done.stderr
    report = json.loads(done.stdout)
    assert set(report["arms"]) == {
        *("none", "duplicates", "classic", "classic_pool"),
        *("vae", "classic_vae", "classic_vae_pool", "classic_vae_taught"),
    }
    seen = report["counts"].pop("seen_by_vae")
    assert report["counts"] == {"labelled": 16, "test": 60, "unlabelled": 160}
    assert seen > 100 and set(report["sweep"]) == {"0.5", "4.0"}
    assert len(report["results"]) == 2 * (8 + 2) and all(0 <= r["accuracy"] <= 1 for r in report["results"])
    assert report["word"] in report["verdict"].lower() or report["word"] in (
        "use it",
        "no measurable gain",
        "do not use",
    )
    assert (home / "page.html").read_text().count("<svg") == 2
    assert any("without their labels" in note for note in report["notes"])


@pytest.mark.slow
def test_without_a_vae_classic_is_judged_in_python_as_on_the_command_line(home):
    progress = []
    settings = VerdictSettings(
        dataset=home / "train.npz",
        test=home / "test.npz",
        recipe=home / "classic.toml",
        per_class=8,
        seeds=2,
        steps=40,
        arms="none, classic",
        cache=home / ".cache/pixels",
        workers=1,
    )
    report = verdict(settings, progress.append)
    assert progress[0].what == "reading pictures" and {now.total for now in progress[1:]} == {4}
    assert [now.done for now in progress[1:] if "making" not in now.what] == [1, 2, 3, 4]
    assert {now.what for now in progress} >= {"seed 0: making variants", "seed 0: none", "seed 1: classic"}
    assert report.comparison.weights().sum() == pytest.approx(1)
    done = compare(home, "--recipe", "classic.toml", "--per-class", 8, "--arms", "none,classic")
    assert not done.returncode, done.stderr
    assert "classic against none" in done.stdout and "paired difference" in done.stdout
    assert done.stdout.splitlines()[-1] == report.verdict.sentence


def test_a_comparison_can_be_cancelled(home):
    def cancel(now):
        raise Cancelled

    settings = VerdictSettings(dataset=home / "train.npz", recipe=home / "classic.toml", cache=home / ".cache/pixels")
    with pytest.raises(Cancelled):
        verdict(settings, cancel)


def test_help_needs_no_torch_and_lists_all_options():
    code = "import sys; sys.argv = ['safelight', 'verdict', '--help']\nfrom safelight.cli import main\n"
    code += "try:\n main()\nexcept SystemExit: pass\nassert not {'torch', 'onnxruntime', 'cv2'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    options = ("recipe", "model", "test", "unlabelled", "per-class", "seeds", "first-seed", "steps", "copies")
    assert all(f"--{name}" in done.stdout for name in (*options, "sweep", "arms", "cache", "html", "json"))


def test_words_of_the_command_line_are_checked_once():
    settings = VerdictSettings.of(dataset="a", recipe="b", sweep="0.5, 2", arms="none,classic")
    assert settings.sweep == (0.5, 2) and settings.arms == ("none", "classic")
    assert settings == VerdictSettings(dataset="a", recipe="b", sweep=(0.5, 2), arms=("none", "classic"))
    for option, value in (("sweep", "1,x"), ("sweep", "0"), ("sweep", "100"), ("seeds", 1), ("per_class", 0)):
        with pytest.raises(UsageError, match=f"--{option.replace('_', '-')} '"):
            VerdictSettings.of(dataset="a", recipe="b", **{option: value})


def test_the_old_command_line_says_what_it_is_now():
    for old in (["--downstream", "a.npz", "--recipe", "b.toml", "--seeds", "3"], ["--downstream=a.npz"]):
        done = run_cli("evaluate", *old)
        assert done.returncode == 2 and "is now 'safelight verdict a.npz --recipe" in done.stderr


def test_equal_seeds_train_equal_classifiers():
    arm = arm_of("none", 4, 12, (blobs(20, 3), blobs(20, 3)))
    one, same = train_arm(arm), train_arm(arm)
    assert one.curve == same.curve and np.array_equal(one.right, same.right)


def test_lessons_are_what_the_vae_knows(home):
    vae = Vae.load(home / "vae")
    pixels, _ = blobs(50, 5)
    taught = lessons(vae, pixels)
    channels = sum(rung[0] for rung in vae.card.latents)
    assert channels <= taught[0].shape[1] <= 2 * channels
    for part in taught:
        assert np.abs(part).max() <= 4 and np.abs(part.mean(axis=0)).max() < 0.1
    first = vae.encode(pixels)[0].mean(axis=(2, 3))
    assert np.corrcoef(first[:, 0], taught[0][:, 0])[0, 1] > 0.99


@pytest.mark.slow
def test_lessons_of_unlabelled_pictures_reach_the_classifier():
    """Eight labelled pictures; lessons that tell the class of the others, and lessons that tell nothing."""
    pictures = blobs(8, 3), blobs(200, 7)
    pool, of_pool = blobs(200, 6)
    telling = np.repeat(2.0 * of_pool[:, None] - 1, 4, axis=1).astype(np.float32)
    noise = np.random.default_rng(0).standard_normal(telling.shape).astype(np.float32)
    rights = []
    for overall in (telling, noise):
        arms = (arm_of("classic_vae_taught", s, 150, pictures, pool=pool, lessons=(overall,)) for s in (0, 1))
        rights.append(np.mean([train_arm(arm).accuracy for arm in arms]))
    assert rights[0] > rights[1] + 0.08


@pytest.mark.slow
def test_harm_done_on_purpose_shows():
    """Variants whose labels are the other class's."""
    pixels, labels = blobs(60, 3)
    pictures = (pixels, labels), blobs(60, 4)
    wrong = Variants(
        np.repeat(pixels[:, None], 2, axis=1), np.repeat(np.eye(2, dtype=np.float32)[1 - labels][:, None], 2, axis=1)
    )
    fair, spoilt = (
        train_arm(arm_of(name, 0, 150, pictures, variants=variants)).accuracy
        for name, variants in (("none", None), ("vae", wrong))
    )
    assert fair > 0.85 and spoilt < fair - 0.15


def test_a_guard_draws_again_what_it_refuses_and_keeps_the_picture_at_last(tmp_path, tiny_vae):
    write_blobs(tmp_path / "set", 60)
    wild = '[[steps]]\nop = "latent_noise"\nspread = 3.0\ntemperature = 8\n'
    made = {}
    for name, guard in (("free", ""), ("once", "[guard]\nattempts = 1\n"), ("often", "[guard]\nattempts = 8\n")):
        (tmp_path / f"{name}.toml").write_text(wild + guard)
        asked = {"recipe": tmp_path / f"{name}.toml", "model": tiny_vae.folder, "cache": tmp_path / "cache"}
        settings = VerdictSettings(dataset=tmp_path / "set", **asked)
        plan, vae, images = check(settings), Vae.load(tiny_vae.folder), open_set(settings.dataset)
        training, test = open_parts(settings, images, vae.form, vae)
        builder = ArmBuilder(plan, vae, images.classes, training, test, pool=None)
        arm = next(arm for arm in builder.arms(0, lambda words: None) if arm.name == "vae")
        itself = (arm.variants.pixels == arm.train[:, None]).all(axis=(2, 3, 4))
        seen = vae.features(arm.variants.pixels.reshape(-1, 16, 16, 1))[1].argmax(axis=1)
        wrong = np.array(vae.card.classes)[seen].reshape(itself.shape) != np.array(images.classes)[arm.labels][:, None]
        made[name] = itself.sum(), (wrong & ~itself).sum()
        kept = itself.sum() if name != "free" else 0
        assert builder.guarded["refused"] == kept and any(f"{kept} of " in note for note in builder.notes) == bool(kept)
    assert made["free"][0] == 0 and made["free"][1] > 10
    assert made["once"][0] > made["often"][0] and made["once"][1] == made["often"][1] == 0


LATENT = {"recipe": "aug.toml", "model": "vae"}
CLASSIC = {"recipe": "classic.toml"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"recipe": "aug.toml"}, "needs a model"),
        ({"recipe": "aug.toml", "model": "photo"}, "is a restorer of photographs"),
        (CLASSIC | {"per_class": 500}, "lower --per-class"),
        (CLASSIC | {"sweep": "1"}, "is for recipes with latent steps"),
        (CLASSIC | {"sweep": "a"}, "give numbers"),
        (CLASSIC | {"unlabelled": "train.npz"}, "is for recipes with latent steps"),
        (CLASSIC | {"test": "train.npz"}, "has 0 pictures to train on"),
        (CLASSIC | {"test": "bare.npz"}, "have no label"),
        (CLASSIC | {"recipe": "guarded.toml"}, r"\[guard\] checks what latent steps make"),
        (LATENT | {"recipe": "guard.toml", "per_class": 8}, "leave out one of them"),
        (LATENT | {"recipe": "guard.toml"}, "has no classifier"),
        (LATENT | {"arms": "classic,nix"}, "--arms 'nix'"),
        (LATENT | {"arms": "none,duplicates"}, "nothing to compare"),
        (LATENT | {"sweep": "50"}, "is the most"),
        (LATENT | {"test": "aug.toml"}, "is no set of pictures"),
        (LATENT | {"dataset": "test.npz", "test": "train.npz"}, r"was trained on \d+ of the \d+ test pictures"),
    ],
)
def test_what_makes_no_fair_comparison_is_refused(home, monkeypatch, options, words):
    monkeypatch.chdir(home)
    with pytest.raises((UsageError, BundleError), match=words):
        verdict(VerdictSettings.of(**{"dataset": "train.npz", "test": "test.npz", "seeds": 2, "steps": 40} | options))


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "Missing option '--recipe'"),
        (("--recipe", "classic.toml", "--html", "a.txt"), 2, "end it in .html"),
        (("--recipe", "nowhere.toml"), 2, "cannot be read"),
        (("--recipe", "aug.toml", "--model", "photo"), 3, "is a restorer of photographs"),
    ],
)
def test_wrong_use_is_one_line(home, arguments, code, words):
    done = compare(home, *arguments)
    assert done.returncode == code and words in done.stderr and "Traceback" not in done.stderr, done.stderr


def test_a_vae_that_saw_more_labels_than_the_arms_is_refused(home, tiny_vae, monkeypatch):
    monkeypatch.chdir(home)
    asked = {"dataset": "train.npz", "test": "test.npz", "recipe": "aug.toml", "model": str(tiny_vae.folder)}
    for options, words in (({"per_class": 8}, "labels of all its pictures"), ({}, r"labels of \d+ pictures that")):
        with pytest.raises(UsageError, match=rf"{words}.*ignore_labels = true"):
            verdict(VerdictSettings(**asked, **options))
