"""A manifest remembers what was made of what, through kills and restarts."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safelight.errors import OutputError
from safelight.work import MANIFEST, Manifest


def made(folder, name="a.png", content=b"12345"):
    (folder / name).write_bytes(content)
    return folder / name


def test_a_folder_without_one_has_no_header_and_no_lines(tmp_path):
    manifest = Manifest(tmp_path)
    assert manifest.header is None and manifest.lines == [] and not manifest.path.exists()


def test_header_and_lines_come_back(tmp_path):
    manifest = Manifest(tmp_path)
    manifest.begin("augment", seed=7)
    line = manifest.append({"outputs": manifest.sizes([made(tmp_path)]), "source": "a.jpg"})
    assert line["outputs"] == {"a.png": 5}
    again = Manifest(tmp_path)
    assert again.header == {"manifest": 1, "verb": "augment", "seed": 7} and again.lines == [line]
    assert [json.loads(text) for text in (tmp_path / MANIFEST).read_text().splitlines()] == [again.header, line]


def test_a_line_is_complete_while_its_files_have_their_sizes(tmp_path):
    manifest = Manifest(tmp_path)
    (tmp_path / "sub").mkdir()
    line = manifest.append({"outputs": manifest.sizes([made(tmp_path), made(tmp_path, "sub/b.png")])})
    assert set(line["outputs"]) == {"a.png", "sub/b.png"} and manifest.is_complete(line)
    (tmp_path / "a.png").write_bytes(b"123")
    assert not manifest.is_complete(line)
    (tmp_path / "a.png").unlink()
    assert not manifest.is_complete(line)


@given(cut=st.integers(1, 60))
def test_a_line_that_a_kill_has_cut_off_is_passed_over(tmp_path_factory, cut):
    folder = tmp_path_factory.mktemp("cut")
    manifest = Manifest(folder)
    manifest.begin("enhance")
    lines = [manifest.append({"outputs": {f"{k}.png": k}, "source": "Jörg"}) for k in range(3)]
    whole = manifest.path.read_bytes()
    last = len(whole.splitlines()[-1])
    manifest.path.write_bytes(whole[: -min(cut, last) - 1])
    after = Manifest(folder)
    assert after.lines == lines[:2]
    after.append({"outputs": {"new.png": 9}})
    assert [line["outputs"] for line in Manifest(folder).lines] == [{"0.png": 0}, {"1.png": 1}, {"new.png": 9}]


@pytest.mark.parametrize("text", ["5", "[]", "null", '"outputs"', '{"source": "a"}', '{"outputs": 3}', "{", "\xff"])
def test_what_is_no_line_is_passed_over(tmp_path, text):
    good = '{"outputs": {"a.png": 1}}'
    (tmp_path / MANIFEST).write_bytes(f"{good}\n{text}\n{good}\n".encode("latin-1"))
    assert Manifest(tmp_path).lines == 2 * [json.loads(good)]


def test_lines_are_replaced_in_one_step_and_the_header_stays(tmp_path):
    manifest = Manifest(tmp_path)
    manifest.begin("enhance")
    manifest.append({"outputs": {"a.png": 1}})
    manifest.rewrite([{"outputs": {"b.png": 2}}])
    again = Manifest(tmp_path)
    assert again.header == manifest.header and again.lines == [{"outputs": {"b.png": 2}}]
    assert [path.name for path in tmp_path.iterdir()] == [MANIFEST]


def test_a_manifest_that_cannot_be_used_is_refused(tmp_path):
    (tmp_path / MANIFEST).mkdir()
    with pytest.raises(OutputError, match=r"cannot be read .*; move it away"):
        Manifest(tmp_path)
    elsewhere = Manifest(tmp_path / "nowhere")
    with pytest.raises(OutputError, match=r"cannot be written .*; check the folder and the disk"):
        elsewhere.append({"outputs": {}})
