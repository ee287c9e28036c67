"""A bundle has a name or a path, and is of the kind that is needed."""

import shutil

import pytest

from safelight.bundle import Card, RestorerCard, VaeCard, available, find_bundle
from safelight.errors import BundleError


def test_folders_of_the_environment_give_names(tiny_copy, monkeypatch):
    assert "photo" in available()
    monkeypatch.setenv("SAFELIGHT_MODELS", str(tiny_copy.parent))
    assert find_bundle("copy", Card).card.name == "tiny"
    assert find_bundle(str(tiny_copy), Card).card.name == "tiny"
    shutil.copytree(tiny_copy, tiny_copy.parent / "photo.old")
    assert find_bundle("photo", Card).card.name == "photo", "a copy put aside is another model"


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(BundleError, match=r"'nonesuch' is not known; use one of: .*photo.*, or a bundle's path"):
        find_bundle("nonesuch", Card)


def test_an_unknown_name_lists_models_of_the_kind_that_is_needed(tiny_codec, monkeypatch):
    none = r"use one of: none \(train one of your pictures: docs/tutorial.md\), or a bundle's path"
    with pytest.raises(BundleError, match=none):
        find_bundle("nonesuch", VaeCard)
    monkeypatch.setenv("SAFELIGHT_MODELS", str(tiny_codec.folder.parent))
    with pytest.raises(BundleError, match=r"use one of: images, or a bundle's path"):
        find_bundle("nonesuch", VaeCard)


def test_another_kind_of_model_is_refused(tiny, tiny_vae):
    with pytest.raises(BundleError, match="is a VAE of a set of pictures, and a restorer of photographs is needed"):
        find_bundle(tiny_vae.folder, RestorerCard)
    with pytest.raises(BundleError, match=r"is a restorer of photographs, and a VAE .* is needed; train one"):
        find_bundle(tiny.folder, VaeCard)


def test_damage_stays_damage_whatever_is_needed(tiny_copy):
    (tiny_copy / "calibration.json").write_text("{}")
    with pytest.raises(BundleError, match="does not match its checksum"):
        find_bundle(tiny_copy, VaeCard)
