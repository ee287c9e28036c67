"""Degradations of whole batches on a device do what those of single pictures do."""

import inspect
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from safelight.degrade import BOUNDS, DEGRADATIONS, DegradeStep, draw, replay
from safelight.learn import device
from safelight.learn.restore import arithmetic
from safelight.learn.restore.arithmetic import ARITHMETIC, begin, finish
from safelight.learn.restore.data import Drawn, planar

SIDE, PATCH, CORNER = 40, 24, (5, 11)
RANGES = {
    "disk_blur": {"radius_px": (0.3, 6)},
    "exposure": {"stops": (-2, 2)},
    "gaussian_blur": {"sigma_px": (0.2, 3)},
    "motion_blur": {"length_px": (1, 9), "angle_deg": (-180, 180)},
    "quantise": {},
}
CAMERA = {"shot": (0.01, 0.01), "read": (0.02, 0.02), "red_gain": (2, 2), "blue_gain": (1.5, 1.5)}
NOISES = {
    "gaussian_noise": ({"sigma_255": (40, 40)},),
    "camera_noise": (CAMERA, CAMERA | {"mosaic": (1, 1)}),
}
"""Sets of numbers for each kind. A number that is left out has its default."""


def drawn(chain, k, channels=3, value=None):
    """One picture of a batch: smooth and out of [0, 1] in places, or of one value."""
    rng = np.random.default_rng(k)
    waves = rng.uniform(0.05, 0.4, (2, channels))
    y, x = np.mgrid[:SIDE, :SIDE][..., None]
    pixels = (0.5 + 0.6 * np.sin(waves[0] * x + waves[1] * y + k)).astype(np.float32)
    pixels = pixels if value is None else np.full_like(pixels, value)
    return Drawn(pixels, draw(chain, 1, "test", k), CORNER, torch.tensor(-1.0))


def patch(pixels):
    return planar(pixels)[:, CORNER[0] : CORNER[0] + PATCH, CORNER[1] : CORNER[1] + PATCH]


def test_every_degradation_on_a_device_is_compared():
    assert set(ARITHMETIC) == set(RANGES) | set(NOISES) <= set(DEGRADATIONS)
    given = {kind: (ranges,) for kind, ranges in RANGES.items()} | NOISES
    for kind, sets in given.items():
        defaults = {name: p.default for name, p in inspect.signature(DEGRADATIONS[kind]).parameters.items()}
        unlike = {name for numbers in sets for name, ends in numbers.items() if ends != (defaults[name],) * 2}
        assert unlike == set(BOUNDS[kind]), f"{kind}: give each number a value that is not its default"


@pytest.mark.parametrize("kind", RANGES)
def test_a_batch_is_degraded_as_its_pictures_are(kind):
    several = [drawn([DegradeStep(kind, RANGES[kind])], k, channels=1 if k == 2 else 3) for k in range(5)]
    begun = begin(several, PATCH)
    assert all(torch.equal(a, planar(one.clean)) for a, one in zip(begun.pair.degraded, several, strict=True))
    pair = finish(begun)
    for k, one in enumerate(several):
        assert torch.equal(pair.clean[k], patch(one.clean))
        torch.testing.assert_close(pair.degraded[k], patch(replay(one.clean, one.record)), rtol=0, atol=2e-5)
    assert (pair.degraded - pair.clean).abs().mean() > 1e-4


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("kind", "numbers"), [(kind, numbers) for kind, sets in NOISES.items() for numbers in sets])
def test_noise_has_the_moments_of_the_other_implementation(kind, numbers, channels):
    several = [drawn([DegradeStep(kind, numbers)], k, channels, value=0.5) for k in range(60)]
    here = finish(begin(several, PATCH)).degraded.numpy()
    there = np.stack([patch(replay(one.clean, one.record)).numpy() for one in several])
    assert not np.allclose(here, there)
    for of in (np.mean, np.std):
        np.testing.assert_allclose(of(here, axis=(0, 2, 3)), of(there, axis=(0, 2, 3)), rtol=0.03)

    def neighbours(x):
        return np.mean((x[..., 1:] - x.mean()) * (x[..., :-1] - x.mean())) / x.var()

    assert neighbours(here) == pytest.approx(neighbours(there), abs=0.02)


def test_noise_of_grey_pictures_is_grey_and_of_no_other():
    chain = [DegradeStep("gaussian_noise", *NOISES["gaussian_noise"])]
    pictures = [drawn(chain, 0, channels=1, value=0.5), drawn(chain, 1, value=0.5)]
    grey, colour = finish(begin(pictures, PATCH)).degraded
    assert torch.equal(grey[0], grey[1]) and torch.equal(grey[0], grey[2])
    assert not torch.equal(colour[0], colour[1])


def test_noise_of_a_pair_is_its_own_and_the_same_in_any_batch():
    chain = [DegradeStep("gaussian_noise", *NOISES["gaussian_noise"])]
    several = [drawn(chain, k, value=0.5) for k in range(4)]
    whole, late = finish(begin(several, PATCH)), finish(begin(several[2:], PATCH))
    assert torch.equal(whole.degraded[2:], late.degraded)
    assert not torch.equal(whole.degraded[2], whole.degraded[3])


def test_loaders_do_what_no_tensor_can_and_all_before_it():
    quality = DegradeStep.fixed("jpeg", quality=20)
    blur, dark = DegradeStep.fixed("gaussian_blur", sigma_px=1.0), DegradeStep.fixed("exposure", stops=-1.0)
    chains = [[blur, quality, dark], [dark], [blur, quality]]
    several = [drawn(chain, k) for k, chain in enumerate(chains)]
    begun = begin(several, PATCH)
    assert [[step.kind for step in steps] for steps in begun.steps] == [["exposure"], ["exposure"], []]
    first = replace(several[0].record, steps=several[0].record.steps[:2])
    assert torch.equal(begun.pair.degraded[0], planar(replay(several[0].clean, first)))
    for one, degraded in zip(several, finish(begun).degraded, strict=True):
        torch.testing.assert_close(degraded, patch(replay(one.clean, one.record)), rtol=0, atol=2e-5)


def test_noise_is_keyed_by_the_place_of_its_step():
    twice = [DegradeStep.fixed("gaussian_noise", sigma_255=20.0)] * 2
    one = drawn(twice, 0, value=0.5)
    added = finish(begin([one], PATCH)).degraded - 0.5
    assert float(added.std()) == pytest.approx(math.sqrt(2) * 20 / 255, rel=0.1)


@pytest.fixture
def elsewhere(monkeypatch):
    """See tests/learn/test_device.py."""
    monkeypatch.setattr(arithmetic, "torch_generator", lambda *identity: None)
    with device.training_on(torch.device("meta")):
        yield


@pytest.mark.parametrize("kind", ARITHMETIC)
def test_nothing_of_it_assumes_the_processor(kind, elsewhere):
    several = [drawn([DegradeStep(kind, RANGES[kind] if kind in RANGES else NOISES[kind][0])], k) for k in range(2)]
    pair = finish(begin(several, PATCH))
    assert pair.degraded.device.type == "meta" and pair.degraded.shape == (2, 3, PATCH, PATCH)
