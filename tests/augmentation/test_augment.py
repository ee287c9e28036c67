"""From Python: what a call gives, its replay, and the wrapper for data sets; on classic and on latent operations."""

import json
import pickle
from types import SimpleNamespace

import numpy as np
import pytest

import safelight
from safelight.augmentation import Bank, Sample, VariantRecord, apply, draw, parse_recipe
from safelight.augmentation.geometric import GeometricSampler
from safelight.augmentation.latent import LatentSpace
from safelight.dataset import Form, open_set
from safelight.errors import BundleError, UsageError
from safelight.picture import read

PICTURE = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)
STEPS = [{"op": "rotate"}, {"op": "noise"}, {"op": "crop"}, {"op": "hue"}, {"op": "jpeg"}, {"op": "erode"}]


@pytest.fixture(scope="module")
def bank(small_vae):
    images = open_set(small_vae.set)
    names, labels = zip(*((item.name, item.label) for item in images.items), strict=True)
    return Bank(names, labels, np.stack([images.load(k).pixels for k in range(len(images))]))


@pytest.fixture(scope="module")
def space(small_vae, bank):
    return LatentSpace(safelight.Vae.load(small_vae.bundle), bank)


def test_equal_words_make_equal_variants():
    aug = safelight.Augment.of(STEPS)
    one, same, other = (aug(image=PICTURE, seed=seed) for seed in (("set", 17), ("set", 17), ("set", 18)))
    assert np.array_equal(one.image, same.image) and not np.array_equal(one.image, other.image)
    assert one.image.dtype == np.uint8 and one.image.shape == PICTURE.shape


def test_a_record_makes_it_again_from_json():
    aug = safelight.Augment.of(STEPS)
    one = aug(image=PICTURE, seed="a")
    record = VariantRecord.from_dict(json.loads(json.dumps(one.record.as_dict())))
    assert record == one.record
    assert np.array_equal(aug.replay(record, image=PICTURE).image, one.image)
    assert np.array_equal(one.replay(image=PICTURE[..., ::-1]).image.shape, PICTURE.shape)
    with pytest.raises(UsageError, match="no record"):
        VariantRecord.from_dict({"steps": [3]})


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 1), (20, 30, 3)])
def test_shape_and_format_are_kept(dtype, shape):
    picture = (np.random.default_rng(0).random(shape) * (1 if dtype == np.float32 else 250)).astype(dtype)
    done = safelight.Augment.of(STEPS)(image=picture, seed=3)
    assert done.image.shape == shape and done.image.dtype == dtype


def test_probabilities_are_heeded():
    aug = safelight.Augment.of([{"op": "flip_horizontal", "probability": 0.3}])
    flipped = [len(aug(image=PICTURE, seed=k).record.steps) for k in range(400)]
    assert 0.2 < np.mean(flipped) < 0.4


def test_a_set_depends_on_number_and_epoch_alone():
    pictures = [(PICTURE, 0), (PICTURE, 1)]
    one, other = (safelight.AugmentedSet(pictures, safelight.Augment.of(STEPS), seed=5) for _ in range(2))
    assert len(one) == 2 and one[1][1] == 1
    assert np.array_equal(one[0][0], other[0][0]) and not np.array_equal(one[0][0], one[1][0])
    before = one[0][0]
    one.set_epoch(1)
    assert not np.array_equal(one[0][0], before)
    assert np.array_equal(pickle.loads(pickle.dumps(other))[0][0], before)  # as workers get it


def test_a_set_works_with_torch():
    DataLoader = pytest.importorskip("torch.utils.data").DataLoader  # noqa: N806

    pictures = [(PICTURE, k) for k in range(6)]
    loader = DataLoader(safelight.AugmentedSet(pictures, safelight.Augment.of(STEPS)), batch_size=3)
    x, labels = next(iter(loader))
    assert x.shape == (3, 20, 30, 3) and labels.tolist() == [0, 1, 2]


class OneRung:
    """A VAE of one rung, as far as latent operations ask: 4x4 px are one latent, and half its noise is kept."""

    card = SimpleNamespace(name="one", latents=((1, 4, 4),), conditional=False, binarise_seed=None)
    form = Form(16, 16, 1)

    def encode(self, x, labels=None, noise=None):
        means = x.reshape(-1, 4, 4, 4, 4).mean(axis=(2, 4), dtype=np.float32)[:, None] / 128 - 1
        return (means if noise is None else means + 0.5 * noise[0],)

    def decode(self, latents, labels=None):
        values = (latents[0] + 1) / 2
        return values.repeat(4, axis=2).repeat(4, axis=3).transpose(0, 2, 3, 1).clip(0, 1)

    def finished(self, means, seed):
        return means + np.float32(seed % 7 / 700)


@pytest.mark.parametrize("op", ["latent_noise", "latent_mix", "latent_blend", "latent_sample", "geometric"])
def test_latent_operations_do_not_depend_on_company(space, bank, op):
    if op == "geometric":
        with pytest.raises(UsageError, match="a model of one rung"):
            space.sampler("disc")
        space = LatentSpace(OneRung(), bank)
    recipe = parse_recipe({"steps": [{"op": op}, {"op": "rotate", "probability": 0.5}]})
    records = [
        draw(recipe, 0, (name, 1), label, bank) for name, label in zip(bank.names[:9], bank.labels, strict=False)
    ]
    samples = [Sample(bank.pixels[k], bank.labels[k]) for k in range(9)]
    together = apply(samples, records, space=space)
    backwards = apply(samples[::-1], records[::-1], space=space)[::-1]
    alone = [apply([s], [r], space=space)[0] for s, r in zip(samples, records, strict=True)]
    for a, b, c in zip(together, backwards, alone, strict=True):
        assert np.array_equal(a.image, b.image) and np.array_equal(a.image, c.image)
    assert any(not np.array_equal(a.image, s.image) for a, s in zip(together, samples, strict=True))


def test_no_noise_gives_the_picture_back(space, bank):
    recipe = parse_recipe({"steps": [{"op": "latent_noise", "temperature": 0, "spread": 0}]})
    sample = Sample(bank.pixels[0], bank.labels[0])
    done = apply([sample], [draw(recipe, 0, ("a",), sample.label, bank)], space=space)[0]
    assert np.abs(done.image.astype(int) - sample.image).max() <= 1
    plain = parse_recipe({"steps": [{"op": "latent_noise", "temperature": 0, "spread": 0, "detail": 0}]})
    done = apply([sample], [draw(plain, 0, ("a",), sample.label, bank)], space=space)[0]
    again = np.rint(255 * space.vae.reconstruct(sample.image[None])[0])
    assert np.array_equal(done.image, again)


def test_more_noise_moves_farther(space, bank):
    def far(spread):
        recipe = parse_recipe({"steps": [{"op": "latent_noise", "spread": spread}]})
        records = [draw(recipe, 0, (name,), None, bank) for name in bank.names[:20]]
        done = apply([Sample(p) for p in bank.pixels[:20]], records, space=space)
        return np.mean([np.square(d.image.astype(float) - p).mean() for d, p in zip(done, bank.pixels, strict=False)])

    assert far(0.0) < far(0.5) < far(2.0)


def test_blends_carry_soft_labels(space, bank):
    recipe = parse_recipe({"steps": [{"op": "latent_blend", "share": 0.3}]})
    record = draw(recipe, 0, (bank.names[0],), bank.labels[0], bank)
    done = apply([Sample(bank.pixels[0], bank.labels[0])], [record], space=space)[0]
    other = bank.label_of(record.steps[0].partner)
    assert other != bank.labels[0]
    assert done.soft_label == pytest.approx({bank.labels[0]: 0.7, other: 0.3})


def test_what_latent_operations_cannot_do_is_refused(space, bank, small_vae):
    noise = parse_recipe({"steps": [{"op": "latent_noise"}]})
    record = draw(noise, 0, ("a",))
    sample = Sample(bank.pixels[0], "disc")
    with pytest.raises(UsageError, match="needs a model"):
        apply([sample], [record])
    with pytest.raises(UsageError, match="cannot move boxes"):
        apply([Sample(sample.image, mask=sample.image)], [record], space=space)
    with pytest.raises(UsageError, match="size_px = 16"):
        apply([Sample(PICTURE)], [record], space=space)
    with pytest.raises(UsageError, match="needs a model"):
        safelight.Augment(noise)
    with pytest.raises(BundleError, match="a restorer of photographs"):
        safelight.Augment(noise, "photo")
    with pytest.raises(UsageError, match="labelled set"):
        draw(parse_recipe({"steps": [{"op": "latent_mix"}]}), 0, ("a",))
    with pytest.raises(UsageError, match="does not know class 'cat'"):
        recipe = parse_recipe({"steps": [{"op": "latent_sample"}]})
        apply([Sample(sample.image, "cat")], [draw(recipe, 0, ("a",))], space=space)


def test_python_takes_a_model_by_its_path(small_vae, bank):
    aug = safelight.Augment.of([{"op": "latent_noise"}], model=str(small_vae.bundle))
    done = aug(image=bank.pixels[0][..., 0], seed=1)
    assert done.image.shape == (16, 16)


def test_the_geometric_density_has_its_gradient():
    rng = np.random.default_rng(0)
    sampler = GeometricSampler(rng.standard_normal((6, 4)), rng.uniform(0.5, 3, (6, 4)), 2.0)
    z, step = rng.standard_normal(4), 1e-5
    value, gradient = sampler.log_density(z)
    numeric = [
        (sampler.log_density(z + step * e)[0] - sampler.log_density(z - step * e)[0]) / (2 * step) for e in np.eye(4)
    ]
    assert np.allclose(gradient, numeric, rtol=1e-4)
    weights = [np.exp(-((z - m) ** 2 * p).sum() / 2.0) for m, p in zip(sampler.means, sampler.precisions, strict=True)]
    metric = sum(w * np.diag(p) for w, p in zip(weights, sampler.precisions, strict=True)) + 1e-2 * np.eye(4)
    assert value == pytest.approx(0.5 * np.linalg.slogdet(metric)[1], rel=1e-6)


@pytest.mark.slow
def test_the_geometric_chain_keeps_its_density():
    """In one dimension against the density on a grid."""
    sampler = GeometricSampler(np.array([[-1.0], [1.5]]), np.array([[1.0], [4.0]]), 1.0)
    grid = np.linspace(-6, 6, 4001)
    density = np.exp([sampler.log_density(np.array([z]))[0] for z in grid])
    inside = density * (np.abs(grid) < 4)  # beyond it the paper's metric is flat, and never ends
    drawn = np.array([sampler.draw(np.random.default_rng(k), 60)[0] for k in range(600)])
    near = drawn[np.abs(drawn) < 4]
    expected = (grid * inside).sum() / inside.sum()
    assert len(near) > 450 and abs(near.mean() - expected) < 0.35


def test_a_density_that_is_no_number_is_refused():
    sampler = GeometricSampler(np.array([[0.0, 0.0]]), np.array([[1e300, 1e300]]), 1e-300)
    with np.errstate(all="ignore"):
        assert np.isfinite(sampler.draw(np.random.default_rng(0), 5)).all()


def test_a_picture_from_a_file_goes_through(tmp_path, small_vae):
    path = next(small_vae.set.rglob("*.png"))
    assert safelight.Augment.of(STEPS)(image=read(path).pixels, seed=0).image.shape == (16, 16, 1)
