"""A set that was augmented is a set whose pictures and variants stay together."""

import json
import os
import shutil

import pytest

from safelight import AugmentSettings, augment
from safelight.dataset import grouped, identities, inspect_set, open_set, split
from tests.augmentation.augment_support import CLASSIC

OTHER_VERB = """{"manifest": 1, "verb": "enhance"}
{"outputs": {"disc/0.v1.png": 5}, "source": "disc/0.png", "copy": 1}
"""


@pytest.fixture
def augmented(small_vae, tmp_path):
    (tmp_path / "aug.toml").write_text(CLASSIC)
    settings = {"dataset": small_vae.set, "recipe": tmp_path / "aug.toml", "copies": 3}
    augment(AugmentSettings(**settings, output=tmp_path / "out"))
    return tmp_path / "out"


def test_variants_are_in_the_part_of_their_picture(augmented):
    images = open_set(augmented)
    assert len(images) == 4 * 60 and images.other_files == {}
    parts = split(images, identities(images), validation_share=0.2, test_share=0.2)
    source_of = [item.name.split(".")[0] for item in images.items]
    sources = [{source_of[k] for k in positions} for positions in parts.values()]
    assert all(sources) and sum(map(len, sources)) == len(set(source_of)) == 60
    report = inspect_set(images)
    assert report.variants == 180 and not any("same picture" in warning for warning in report.warnings)


def test_variants_follow_their_picture_whatever_decides_on_it(augmented):
    """Equal files, groups by name, a list, a folder of it, and a set without its originals."""
    copy = augmented / "disc" / "copy.png"
    shutil.copy(next(path for path in sorted((augmented / "disc").glob("*.png")) if ".v" not in path.name), copy)
    names = sorted(str(path.relative_to(augmented)) for path in augmented.rglob("*.png"))
    lines = "".join(json.dumps({"image": f"./{name}", "label": name.split("/")[0]}) + "\n" for name in names)
    whole = [grouped(open_set(augmented), pattern) for pattern in (None, "*/{group}.png")]
    (augmented / "list.jsonl").write_text(lines)
    sets = [*whole, open_set(augmented / "list.jsonl"), open_set(augmented / "disc")]
    for images in sets:
        part_of = parts_by_name(images)
        variants = [name for name in part_of if ".v" in name]
        assert len(variants) >= 90 and len({*part_of.values()}) == 3
        assert all(part_of[name] == part_of[f"{name.split('.v')[0]}.png"] for name in variants)
    for path in augmented.rglob("*.png"):
        if ".v" not in path.name:
            path.unlink()
    alone = parts_by_name(open_set(augmented))
    of_source = {}
    for name, part in alone.items():
        of_source.setdefault(name.split(".v")[0], set()).add(part)
    assert all(len(parts) == 1 for parts in of_source.values()) and len(of_source) == 60


def parts_by_name(images):
    parts = split(images, identities(images), validation_share=0.2, test_share=0.2)
    return {os.path.normpath(images.items[k].name): part for part, positions in parts.items() for k in positions}


@pytest.mark.parametrize("content", ["", "no manifest", OTHER_VERB, "[1, 2]\n"])
def test_other_manifests_make_no_groups(augmented, content):
    (augmented / "manifest.jsonl").write_text(content)
    assert {item.variant_of for item in open_set(augmented).items} == {None}
