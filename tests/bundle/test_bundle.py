"""A bundle is verified before it is used."""

import hashlib
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from safelight.bundle import TASKS, Calibration, open_bundle, read_part, zip_bundle
from safelight.bundle.bundle import SUMS
from safelight.errors import BundleError, OutputError
from safelight.picture import Picture
from safelight.runtime.restore import Restorer, RestorerNetworks

FILES = TASKS["restore"].required(("one", "other"))


def reseal(folder: Path, **changes: object) -> None:
    """Change the card and make the checksums right again."""
    card = json.loads((folder / "card.json").read_text()) | changes
    (folder / "card.json").write_text(json.dumps(card))
    lines = [f"{hashlib.sha256((folder / n).read_bytes()).hexdigest()}  {n}\n" for n in FILES]
    (folder / SUMS).write_text("".join(lines))


@pytest.mark.parametrize("name", [*FILES, SUMS])
def test_one_flipped_bit_is_found(tiny_copy, name):
    content = bytearray((tiny_copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (tiny_copy / name).write_bytes(content)
    with pytest.raises(BundleError, match=r"checksum|missing|damaged") as caught:
        open_bundle(tiny_copy)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("name", [*FILES, SUMS])
def test_a_missing_file_is_named(tiny_copy, name):
    (tiny_copy / name).unlink()
    with pytest.raises(BundleError, match=name):
        open_bundle(tiny_copy)


def test_an_optional_file_is_checked_where_it_is(tiny_vae, tmp_path):
    for file in tiny_vae.folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    assert open_bundle(tmp_path).has("features.onnx")
    (tmp_path / "features.onnx").write_bytes(b"another")
    with pytest.raises(BundleError, match=r"features.onnx does not match its checksum"):
        open_bundle(tmp_path)


def test_newer_schema_says_update(tiny_copy):
    reseal(tiny_copy, schema_version=TASKS["restore"].schema + 1, something_new=1)
    with pytest.raises(BundleError, match="update Safelight"):
        open_bundle(tiny_copy)
    (tiny_copy / "one" / "scale.onnx").unlink()  # other schemas have other files
    with pytest.raises(BundleError, match="update Safelight"):
        open_bundle(tiny_copy)


def test_another_task_has_another_schema(tiny_copy):
    reseal(tiny_copy, schema_version=TASKS["restore"].schema - 1)
    with pytest.raises(BundleError, match="update Safelight"):
        open_bundle(tiny_copy)
    reseal(tiny_copy, schema_version=TASKS["images"].schema, task="images")
    with pytest.raises(BundleError, match=r"latents.npz is missing"):
        open_bundle(tiny_copy)


def test_an_unknown_task_says_update(tiny_copy):
    reseal(tiny_copy, task="nonesuch")
    with pytest.raises(BundleError, match="its task 'nonesuch' is not known; update Safelight"):
        open_bundle(tiny_copy)


@pytest.mark.parametrize("experts", [["../one"], ["one", 2], "one", [], {"one": 1}])
def test_experts_are_named_as_folders_may_be(tiny_copy, experts):
    reseal(tiny_copy, experts=experts)
    with pytest.raises(BundleError, match="experts") as caught:
        open_bundle(tiny_copy)
    assert "\n" not in str(caught.value)


def test_unknown_key_in_the_card_is_an_error(tiny_copy):
    reseal(tiny_copy, colour="red")
    with pytest.raises(BundleError, match="colour"):
        open_bundle(tiny_copy)


def test_experts_of_the_card_and_of_the_reference_must_agree(tiny_copy):
    reseal(tiny_copy, experts=["one", "one"])
    with pytest.raises(BundleError, match="different names"):
        open_bundle(tiny_copy)
    reseal(tiny_copy, experts=["one"])
    lines = [line for line in (tiny_copy / SUMS).read_text().splitlines() if " other/" not in line]
    (tiny_copy / SUMS).write_text("\n".join(lines) + "\n")
    with pytest.raises(BundleError, match="not of the card's experts"):
        Restorer.load(tiny_copy).enhance(Picture(np.zeros((130, 130, 3), np.uint8)))


def test_a_zip_writes_nothing_but_what_a_bundle_has(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    zip_bundle(tiny, tmp_path / "b.zip")
    with zipfile.ZipFile(tmp_path / "b.zip", "a") as archive:
        for name in ("../out.txt", "one/more.txt", "../one/mean.onnx", "one/../../mean.onnx", "a/b/mean.onnx"):
            archive.writestr(name, b"not asked for")
    opened = open_bundle(tmp_path / "b.zip")
    found = {str(p.relative_to(opened.folder)) for p in opened.folder.rglob("*") if p.is_file()}
    assert found == {*FILES, SUMS}
    assert not list(tmp_path.rglob("out.txt"))


def test_export_packs_nothing_but_the_bundle(tiny_copy, tmp_path):
    (tmp_path / "secret").write_text("mine")
    digest = hashlib.sha256(b"mine").hexdigest()
    with (tiny_copy / SUMS).open("a") as sums:
        sums.write(f"{digest}  ../secret\n")
    zip_bundle(open_bundle(tiny_copy), tmp_path / "b.zip")
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        assert set(archive.namelist()) == {*FILES, SUMS}


def test_zip_is_the_same_bundle(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    zip_bundle(tiny, tmp_path / "b.zip")
    opened = open_bundle(tmp_path / "b.zip")
    assert (opened.card, opened.sha256) == (tiny.card, tiny.sha256)
    assert open_bundle(tmp_path / "b.zip").folder == opened.folder, "it is unpacked once"
    picture = Picture(np.full((16, 16, 3), 77, np.uint8))
    one, other = (Restorer(RestorerNetworks(b)).enhance(picture).mean.pixels for b in (tiny, opened))
    np.testing.assert_array_equal(one, other)


def test_a_damaged_zip_is_refused(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    zip_bundle(tiny, tmp_path / "b.zip")
    (tmp_path / "cut.zip").write_bytes((tmp_path / "b.zip").read_bytes()[:5000])
    with zipfile.ZipFile(tmp_path / "deflated.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in (*FILES, SUMS):
            archive.write(tiny.path(name), name)
    damaged = bytearray((tmp_path / "deflated.zip").read_bytes())
    damaged[2000:2400] = bytes(400)
    (tmp_path / "deflated.zip").write_bytes(damaged)
    for name in ("cut.zip", "deflated.zip"):
        with pytest.raises(BundleError, match="is not a usable bundle"):
            open_bundle(tmp_path / name)


def test_a_folder_is_no_name_for_a_zip(tiny, tmp_path):
    for nowhere in (tmp_path, Path()):
        with pytest.raises(OutputError, match="is a folder"):
            zip_bundle(tiny, nowhere)


def test_shipped_bundle_keeps_its_promises(photo):
    names = TASKS["restore"].required(photo.card.experts)
    found = {str(p.relative_to(photo.folder)) for p in photo.folder.rglob("*") if p.is_file()}
    assert found == {*names, SUMS}
    assert sum((photo.folder / n).stat().st_size for n in names) <= 10_000_000
    assert photo.card.trained_on and photo.card.training_minutes > 10
    assert photo.card.measured["val_noise25_psnr_db"] > 30
    assert 1.5 <= photo.card.measured["val_sample_mse_ratio"] <= 2.3
    calibration = read_part(Calibration, photo.path("calibration.json"))
    assert 1.2 < calibration.quantile(0.9) < 2.2, "near the normal's 1.64"


def test_shipped_weights_are_tensors_and_nothing_else(photo):
    for expert in photo.card.experts:
        weights = (photo.folder / expert / "weights.safetensors").read_bytes()
        start = 8 + int.from_bytes(weights[:8], "little")
        entries = [entry for name, entry in json.loads(weights[8:start]).items() if name != "__metadata__"]
        assert start + max(e["data_offsets"][1] for e in entries) == len(weights)
