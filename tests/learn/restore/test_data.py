"""Pixels to pairs: reproducible, detailed, and split for good."""

import itertools

import numpy as np
import pytest
import torch

from safelight.learn.restore import loading
from safelight.learn.restore.data import RestorationPairs, recipe_batch
from safelight.learn.restore.loading import BatchNumbers, fetched_pairs
from safelight.learn.store import build_store
from safelight.learn.task import Group
from safelight.learn.train import read_recipe
from safelight.picture import Picture, write


@pytest.mark.slow
def test_pairs_depend_on_their_index_only(recipe, pictures, tmp_path):
    settings = read_recipe(recipe)
    store, _ = build_store(pictures, tmp_path / "cache", (1.0, 0.9), 64)
    again, _ = build_store(pictures, tmp_path / "cache", (1.0, 0.9), 64)
    assert again == store
    pairs = RestorationPairs(store, settings.degrade, settings.mixture(), 1, "s", 16, 8, 1, 0.5, 0.3)

    def batches(start, count, batch, workers):
        return [
            fetched.batch
            for fetched in itertools.islice(fetched_pairs(pairs, BatchNumbers(start, batch, Group()), workers), count)
        ]

    whole = [t for batch in batches(0, 4, 3, workers=0) for t in batch[1]]
    late = [t for batch in batches(2, 2, 3, workers=1) for t in batch[1]]
    assert all(torch.equal(a, b) for a, b in zip(whole[6:], late, strict=True))
    told = torch.cat([batch[2] for batch in batches(0, 20, 8, workers=0)])
    assert (told == -1).any() and (told >= 0).any()
    assert told.max() <= 50 / 255


def test_another_device_finishes_what_loaders_began(recipe, pictures, tmp_path, monkeypatch):
    settings = read_recipe(recipe)
    store, _ = build_store(pictures, tmp_path / "cache", (1.0,), 64)
    pairs = RestorationPairs(store, settings.degrade, settings.mixture(), 1, "s", 16, 8, 1, 0.5, 0.3)
    here = next(fetched_pairs(pairs, BatchNumbers(0, 30, Group()), workers=0)).batch
    monkeypatch.setattr(loading, "training_device", lambda: torch.device("cuda"))
    fetched = next(fetched_pairs(pairs, BatchNumbers(0, 30, Group()), workers=0))
    there = fetched.batch
    assert fetched.loader_s > 0 and there.clean.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(here.clean, there.clean) and torch.equal(here.sigma_01, there.sigma_01)
    assert not torch.equal(here.degraded, there.degraded)
    errors = [(pair.degraded - pair.clean).std(dim=(1, 2, 3)) for pair in (here, there)]
    torch.testing.assert_close(*errors, rtol=0.25, atol=0.01)


def test_of_several_patches_the_most_detailed_is_taken(recipe, pictures, tmp_path):
    settings = read_recipe(recipe)
    store, _ = build_store(pictures, tmp_path / "cache", (1.0,), 64)
    detail = []
    for candidates in (1, 4):
        pairs = RestorationPairs(store, settings.degrade, settings.mixture(), 1, "s", 16, 8, candidates, 0.0, 0.0)
        detail.append(np.mean([float(pairs[k].clean.diff(dim=2).abs().mean()) for k in range(60)]))
    assert detail[1] > 1.3 * detail[0]


def test_a_split_never_moves_a_picture(pictures, tmp_path):
    store, _ = build_store(pictures, tmp_path / "cache", (1.0,), 64)
    before = {e.digest for e in store.part(0, 0.4).entries}
    assert 0 < len(before) < store.pictures
    more = tmp_path / "more"
    more.mkdir()
    for path in pictures.iterdir():
        (more / f"renamed_{path.name}").write_bytes(path.read_bytes())
    write(Picture(np.random.default_rng(5).integers(0, 256, (140, 140, 3), dtype=np.uint8)), more / "a_new.png")
    store, _ = build_store(more, tmp_path / "cache", (1.0,), 64)
    assert before <= {e.digest for e in store.part(0, 0.4).entries}


def test_the_recipes_own_degradations_validate_it(recipe, pictures, tmp_path):
    settings = read_recipe(recipe)
    store, _ = build_store(pictures, tmp_path / "cache", (1.0,), 64)
    batch, again = (recipe_batch(store, settings, 32) for _ in range(2))
    assert batch.clean.shape == (len(store.entries), 3, 32, 32) and (batch.sigma_01 == -1).all()
    assert all(torch.equal(a, b) for a, b in zip(batch, again, strict=True))
    are_codecs = [(255 * one - (255 * one).round()).abs().max() < 1e-3 for one in batch.degraded]
    assert any(are_codecs) and not all(are_codecs), "both of the recipe's chains"
