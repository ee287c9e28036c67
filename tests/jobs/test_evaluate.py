"""A VAE measured on pictures that it was not trained on: which pictures, which numbers, and the page."""

import json
from dataclasses import replace

import numpy as np
import pytest

from safelight.errors import OutputError, UsageError
from safelight.jobs.evaluate import EvaluateSettings, evaluate
from safelight.runtime.images.vae import Vae
from safelight.work import Cancelled
from tests.blobs import blobs, write_blobs


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """The set that the small VAE was trained on."""
    return write_blobs(tmp_path_factory.mktemp("set") / "blobs", 180, classes=3)


@pytest.fixture
def settings(tiny_vae, pictures, tmp_path):
    """Few draws and samples."""
    few = {"draws": 5, "likelihood_of": 10, "samples": 30}
    return EvaluateSettings(model=str(tiny_vae.folder), data=pictures, cache=tmp_path / "cache", **few)


def test_the_test_part_is_measured_and_compared_with_training_pictures(settings):
    report = evaluate(settings)
    numbers = report.numbers
    assert report.part == "test" and 20 < report.pictures < 60 and report.title == "blobs on blobs"
    assert numbers["pictures"] == report.pictures and numbers["log_likelihood_draws"] == 5
    assert numbers["neg_elbo_nats"] == pytest.approx(
        numbers["distortion_nats"] + numbers["rung2_rate_nats"] + numbers["rung3_rate_nats"], rel=1e-4
    )
    assert numbers["bits_per_dim"] == pytest.approx(numbers["neg_elbo_nats"] / (256 * np.log(2)))
    assert numbers["psnr_db"] == pytest.approx(-10 * np.log10(numbers["mse"]), abs=3)
    assert numbers["active_units"] <= numbers["latents"] == 2 * 16 + 2 * 4
    assert "nearest_training_rms_of_samples" in numbers and len(report.evaluation.grids) == 4
    assert report.metrics is None, "there is no run beside the bundle"
    assert json.loads(json.dumps(report.as_dict()))["notes"] == list(report.notes)


def test_equal_seeds_give_equal_numbers(settings):
    one, same = evaluate(settings), evaluate(settings)
    assert one.numbers == same.numbers
    other = evaluate(settings.model_copy(update={"seed": 1}))
    assert other.numbers["mse"] == one.numbers["mse"], "reconstructions are of the posterior's mean"
    assert other.numbers["neg_elbo_nats"] != one.numbers["neg_elbo_nats"]


def test_parts_can_be_chosen(settings):
    counts = {part: evaluate(settings.model_copy(update={"part": part})) for part in ("train", "validation", "all")}
    assert counts["all"].pictures == 180 > counts["train"].pictures > counts["validation"].pictures
    assert any(f"{counts['train'].pictures} of these 180 pictures were trained on" in n for n in counts["all"].notes)
    few = evaluate(settings.model_copy(update={"part": "all", "most": 7}))
    assert few.pictures == 7 and "prior_frechet_distance" not in few.numbers


def test_all_of_another_set_is_measured(settings, tmp_path):
    np.savez(tmp_path / "other.npz", images=blobs(24, 5)[0])
    report = evaluate(settings.model_copy(update={"data": tmp_path / "other.npz"}))
    assert (report.part, report.pictures) == ("all", 24) and "nearest_training_rms_of_samples" not in report.numbers
    with pytest.raises(UsageError, match="no readable pictures in part 'train'"):
        evaluate(settings.model_copy(update={"data": tmp_path / "other.npz", "part": "train"}))


def test_a_classifier_near_chance_compares_nothing(settings, monkeypatch):
    monkeypatch.setattr(Vae, "knows_classes", False)
    report = evaluate(settings)
    assert not [name for name in report.numbers if name.endswith(("distance", "precision", "recall", "agreement"))]
    assert any("hardly better than chance" in note for note in report.notes)


@pytest.mark.parametrize(("accuracy", "is_enough"), [(1.0, True), (0.51, True), (0.49, False), (0.34, False)])
def test_three_classes_need_half_of_the_answers_right(tiny_vae, accuracy, is_enough):
    card = tiny_vae.card.model_copy(update={"measured": {"val_classifier_accuracy": accuracy}})
    assert Vae(replace(tiny_vae, card=card)).knows_classes is is_enough


def test_progress_names_the_phases_and_cancels(settings):
    progress = []
    evaluate(settings, progress.append)
    assert progress[0].total == 0 and progress[0].what == "reading pictures"
    assert [now.done for now in progress[1:]] == [0, 1, 2, 3, 4, 5] and {now.total for now in progress[1:]} == {5}
    assert {"log-likelihood, 5 draws", "samples: aggregate"} <= {now.what for now in progress}

    def cancel(now):
        raise Cancelled

    with pytest.raises(Cancelled):
        evaluate(settings, cancel)


def test_the_page_needs_no_other_file(settings, tmp_path):
    report = evaluate(settings)
    report.write_page(tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text()
    assert page.count("data:image/png;base64,") == 4 and "http://" not in page and "neg_elbo_nats" in page
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        report.write_page(tmp_path / "file" / "a.html")


@pytest.mark.parametrize(("option", "value"), [("part", "last"), ("device", "tpu"), ("draws", 0), ("samples", 0)])
def test_wrong_settings_are_refused_by_name(option, value):
    with pytest.raises(UsageError, match=f"--{option} '{value}'"):
        EvaluateSettings.of(model="a", data="b", **{option: value})
