"""Drawings are told from photographs, clean and noisy."""

import numpy as np
import pytest

from safelight import Picture, Restorer, read
from safelight.degrade import DegradeStep, draw, replay
from safelight.runtime.restore.drawings import drawn_score, features, fitted
from tests.support import ROOT, load_benchmark

SAMPLES = sorted((ROOT / "examples" / "samples").glob("*.webp"))


def test_features_say_what_edges_flat_places_and_colours_are_like(rng):
    two_tones = np.zeros((1, 3, 128, 128), np.float32)
    two_tones[..., ::16] = two_tones[..., 1::16] = two_tones[..., 2::16] = 1
    texture = (0.5 + 0.1 * rng.standard_normal((1, 3, 128, 128))).astype(np.float32)
    drawn, natural = (features(x, x) for x in (two_tones, texture))
    assert drawn.shape == natural.shape == (len(fitted().weights),)
    np.testing.assert_array_equal(drawn[:10], drawn[10:20])  # of one window, average and maximum
    assert drawn[0] == pytest.approx(1) and natural[0] == pytest.approx(2 / np.pi, abs=0.03)
    assert natural[2] == 0 and natural[4] == 1, "no small square of the texture is flat"
    assert drawn[5] == pytest.approx(0) and drawn[6] == drawn[2] == 0.75, "one flat colour, in 3 of 4 small squares"
    assert drawn_score(two_tones, two_tones) > 0 > drawn_score(texture, texture)
    flat = np.full((2, 3, 128, 128), 0.5, np.float32)
    assert np.isfinite(features(flat, flat)).all()


@pytest.mark.slow
@pytest.mark.parametrize("sigma_255", [0, 25])
def test_drawings_are_out_of_distribution_and_photographs_are_not(sigma_255, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    restorer = Restorer.load("photo", precision="fp32")
    kinds = load_benchmark("graphics").drawings(seed=3, count=1)
    pictures = [(name, some[0], True) for name, some in kinds.items()]
    pictures += [(path.stem, read(path).as_float()[:480, :640], False) for path in SAMPLES[:3]]
    chain = [DegradeStep.fixed("gaussian_noise", sigma_255=sigma_255), DegradeStep("quantise")]
    for name, clean, is_drawn in pictures:
        noisy = replay(clean, draw(chain, 0, name, 0))
        restored = restorer.enhance(Picture(np.rint(255 * noisy).astype(np.uint8)), uncertainty=False)
        assert restored.out_of_distribution == is_drawn, f"{name}: {restored.ood_score}"
