"""Identities of files and values."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safelight.work import file_sha256, json_sha256


def test_of_a_file_s_bytes(tmp_path):
    content = bytes(range(256)) * 5000
    (tmp_path / "a").write_bytes(content)
    assert file_sha256(tmp_path / "a") == hashlib.sha256(content).hexdigest()
    with pytest.raises(OSError, match="No such file"):
        file_sha256(tmp_path / "b")


@given(st.dictionaries(st.text("abö"), st.integers() | st.text("abö")))
def test_the_order_of_keys_does_not_matter(value):
    backwards = dict(reversed(value.items()))
    assert json_sha256(value) == json_sha256(backwards)
    assert json_sha256(value | {"": None}) != json_sha256(value)
