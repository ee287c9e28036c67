"""Augmentation on a cluster of several nodes: the same set as on one machine."""

import os

import pytest

from safelight.errors import RefusedError
from safelight.jobs.augment import workers
from safelight.jobs.augment.augment import augment
from safelight.jobs.augment.settings import AugmentSettings
from safelight.work import nodes
from tests.augmentation.augment_support import LATENT, tree
from tests.clusters import cluster_of

pytestmark = pytest.mark.slow


@pytest.fixture
def asked(small_vae, tmp_path):
    path = tmp_path / "latent.toml"
    path.write_text(LATENT)
    return {"dataset": small_vae.set, "recipe": path, "model": small_vae.bundle, "copies": 3, "seed": 5}


def test_a_set_made_on_a_cluster_is_that_of_one_machine(asked, drawn, tmp_path):
    with cluster_of(1, 1) as _:
        local = augment(AugmentSettings(**asked, output=tmp_path / "local"))
        there = augment(AugmentSettings(**asked, output=tmp_path / "ray", engine="ray"))
        assert there == local and local.variants > 100
        assert tree(tmp_path / "local") == tree(tmp_path / "ray")
        again = augment(AugmentSettings(**asked, output=tmp_path / "ray", engine="ray"))
        assert again.before == local.variants
        asked |= {"dataset": drawn.coco, "model": None}
        (tmp_path / "latent.toml").write_text(LATENT.split("[[steps]]", 2)[2].join(["[[steps]]", ""]))
        for engine in ("local", "ray"):
            augment(AugmentSettings(**asked, output=tmp_path / f"coco-{engine}", engine=engine))
        assert tree(tmp_path / "coco-local") == tree(tmp_path / "coco-ray")


def test_a_node_of_another_version_is_refused(asked, tmp_path, monkeypatch):
    with cluster_of(1) as _:
        monkeypatch.setattr(nodes, "__version__", "0.0.0")
        with pytest.raises(RefusedError, match="driver has"):
            augment(AugmentSettings(**asked, output=tmp_path / "o", engine="ray"))


class Doomed:
    """An engine whose workers die of one variant, alone or among others."""

    def __init__(self, address, prepare, arguments, on_lost, cpus):
        self.on_lost = on_lost
        workers.open_worker(*arguments[:3])
        os.chdir(arguments[3].folder)

    def map(self, function, tasks, on_late):
        for chunk in tasks:
            dies = any((task.key.picture, task.key.copy) == (3, 2) for task in chunk)
            yield self.on_lost(chunk, "out of memory") if dies else function(chunk)


def test_a_variant_that_ends_its_workers_fails_alone(asked, tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "Ray", Doomed)
    report = augment(AugmentSettings(**asked, output=tmp_path / "out", engine="ray"))
    assert report.variants == 60 * 3 - 1
    (why,) = report.failed
    assert why.endswith(": out of memory")
