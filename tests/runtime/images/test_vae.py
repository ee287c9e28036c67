"""Using a VAE: encode, decode, sample, interpolate, measure; what makes no sense is refused in a line."""

from types import SimpleNamespace

import numpy as np
import pytest

from safelight.errors import BundleError, UsageError
from safelight.picture import Picture
from safelight.runtime.images import Vae
from safelight.runtime.images.aggregate import draw_from_aggregate
from tests.blobs import blobs


@pytest.fixture(scope="module")
def vae(tiny_vae) -> Vae:
    return Vae(tiny_vae)


@pytest.fixture(scope="module")
def x() -> np.ndarray:
    return blobs(12, 0, 3)[0]


def test_it_is_loaded_by_path_and_only_if_it_is_a_vae(tiny_vae, tiny):
    assert repr(Vae.load(str(tiny_vae.folder))) == "<Vae blobs: 16x16x1, latents [(2, 4, 4), (2, 2, 2)]>"
    with pytest.raises(BundleError, match="is a restorer of photographs"):
        Vae.load(tiny.folder)


def test_bytes_and_floats_are_the_same_pictures(vae, x):
    for one, other in zip(vae.encode(x), vae.encode(x.astype(np.float64) / 255), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_reconstructions_are_near_and_noise_moves_them_away(vae, x):
    clean = x / 255
    errors = [np.square(vae.perturb(x, temperature=t) - clean).mean() for t in (0, 0.5, 2)]
    assert errors[0] == np.square(vae.reconstruct(x) - clean).mean()
    assert errors[0] < 0.5 * clean.var() and errors[0] < errors[1] < errors[2]


def test_given_noise_stands_in_for_temperature_and_seed(vae, x):
    none = tuple(np.zeros((len(x), *shape), np.float32) for shape in vae.card.latents)
    for one, other in zip(vae.encode(x, noise=none, temperature=1, seed=5), vae.encode(x), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("sampler", ["prior", "aggregate"])
def test_a_sample_depends_on_the_seed_and_its_number_alone(vae, sampler):
    few, many = (vae.sample(count, seed=3, sampler=sampler) for count in (2, 70))
    np.testing.assert_allclose(many[:2], few, atol=1e-5)
    assert np.abs(vae.sample(2, seed=4, sampler=sampler) - few).max() > 0.01


def test_the_aggregate_posterior_knows_classes(vae):
    one, other = (vae.sample(3, [label] * 3, seed=1, sampler="aggregate") for label in (0, 1))
    assert np.abs(one - other).max() > 0.01
    with pytest.raises(UsageError, match=r"N\(0, 1\) knows no classes; use the sampler 'aggregate'"):
        vae.sample(1, [0], sampler="prior")


def test_what_was_drawn_goes_into_the_coarsest_rungs():
    noise = tuple(np.zeros((2, *shape), np.float32) for shape in ((1, 8, 8), (2, 2, 2), (3, 1, 1)))
    drawn = np.arange(22, dtype=np.float32).reshape(2, 11)
    rows = iter(drawn)
    density = SimpleNamespace(draw=lambda rng, label, temperature: next(rows))
    fine, middle, coarse = draw_from_aggregate(density, noise, None, temperature=1.0, seed=0)
    assert not fine.any()
    np.testing.assert_array_equal(middle.reshape(2, 8), drawn[:, :8])
    np.testing.assert_array_equal(coarse.reshape(2, 3), drawn[:, 8:])


def test_a_way_between_pictures_keeps_its_ends_and_its_length(vae):
    a, b = (vae.draw_latents(1, seed=seed) for seed in (1, 2))
    way = vae.interpolate(a, b, 5)
    for rung, start, end in zip(way, a, b, strict=True):
        np.testing.assert_allclose(rung[[0, -1]], np.concatenate([start, end]), atol=1e-6)
    lengths = [np.linalg.norm(step) for step in way[0]]
    assert min(lengths) > 0.5 * max(lengths), "it stays near the sphere"
    straight = vae.interpolate(a, b, 3, spherical=False)
    np.testing.assert_allclose(straight[0][1], (a[0][0] + b[0][0]) / 2, atol=1e-6)


def test_more_draws_tighten_the_bound(vae, x):
    score = vae.score(x, draws=16, seed=1)
    assert score.log_prob_nats.shape == (16, len(x)) and len(score.rate_nats) == 2
    assert (score.log_likelihood_nats > score.elbo_nats).all()
    np.testing.assert_allclose(vae.elbo(x, draws=16, seed=1), score.elbo_nats)
    assert all((rate > -1e-3).all() for rate in score.rate_nats), "a KL is never negative"


def test_pictures_of_any_size_are_brought_to_the_card_s(vae):
    large = Picture(np.full((40, 32, 3), 51, np.uint8))
    prepared = vae.prepare([large])
    assert prepared.shape == (1, 16, 16, 1) and prepared.dtype == np.float32
    np.testing.assert_allclose(prepared, 0.2, atol=0.01)
    with pytest.raises(UsageError, match="give at least one"):
        vae.prepare([])


def test_the_classifier_gives_features_and_logits(vae, x, tiny_vae):
    features, logits = vae.features(x)
    assert len(features) == len(x) and logits.shape == (len(x), 3) and vae.has_classifier
    (without := Vae(tiny_vae)).__dict__["bundle"] = type(tiny_vae)(tiny_vae.folder / "nowhere", tiny_vae.card, "")
    with pytest.raises(UsageError, match="no classifier was trained"):
        without.features(x)


def test_training_pictures_have_identities(vae):
    assert len(vae.training_identities) == 110 and all(isinstance(known, int) for known in vae.training_identities)


@pytest.mark.parametrize(
    ("ask", "reason"),
    [
        (lambda vae, x: vae.encode(x[:, :8]), "have shape"),
        (lambda vae, x: vae.encode(x[:0]), "have shape"),
        (lambda vae, x: vae.encode(x.astype(float)), r"scale them to \[0, 1\]"),
        (lambda vae, x: vae.encode(x * np.nan), "scale them"),
        (lambda vae, x: vae.encode(x, [0] * len(x)), "is not conditional on a class; leave labels out"),
        (lambda vae, x: vae.decode([np.zeros((1, 3, 4, 4))]), "latents have shapes"),
        (lambda vae, x: vae.decode([np.zeros((1, 2, 4, 4)), np.zeros((2, 2, 2, 2))]), "latents have shapes"),
        (lambda vae, x: vae.encode(x, noise=[np.zeros((1, 2, 4, 4))]), "noise have shapes"),
        (lambda vae, x: vae.sample(0), "ask for 1 or more"),
        (lambda vae, x: vae.sample(1, sampler="magic"), "use one of auto, flow, aggregate, prior"),
        (lambda vae, x: vae.sample(1, [3], sampler="aggregate"), "0 to 2 for each of 1 pictures"),
        (lambda vae, x: vae.score(x, draws=0), "take 1 or more"),
    ],
)
def test_wrong_arrays_are_refused_in_a_line(vae, x, ask, reason):
    with pytest.raises(UsageError, match=reason) as caught:
        ask(vae, x)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("labels", "reason"), [(None, "give one of: disc, ring, square"), ([3], "0 to 2"), ([0, 1], "for each of 1")]
)
def test_a_conditional_model_wants_a_class_of_each_picture(tiny_vae, x, labels, reason):
    vae = Vae(tiny_vae)
    vae.card = vae.card.model_copy(update={"conditional": True})
    with pytest.raises(UsageError, match=reason):
        vae.encode(x[:1], labels)
