"""Names that strangers choose lead to no file but their own."""

import pytest

from safelight.errors import UsageError
from safelight.studio.names import inside, relative_path


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.jpg", "a.jpg"),
        ("a/b.jpg", "a/b.jpg"),
        ("a\\b.jpg", "a/b.jpg"),
        ("Ö ä.jpg", "Ö ä.jpg"),
        ('a<b>"c.jpg', "a_b__c.jpg"),
        ("a//b.jpg", "a/b.jpg"),
    ],
)
def test_plain_names_stay(name, expected):
    assert relative_path(name).as_posix() == expected


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/",
        "/etc/passwd",
        "\\x",
        "..",
        "../a",
        "a/../b",
        ".hidden",
        "a/.b",
        "a\0b",
        "a\nb",
        "x" * 300,
        "a/" * 20 + "b",
        "\udcff.jpg",
        ". ",
        "a/. /b",
    ],
)
def test_other_names_are_refused(name):
    with pytest.raises(UsageError):
        relative_path(name)


def test_links_do_not_lead_out(tmp_path):
    root, other = tmp_path / "root", tmp_path / "other"
    root.mkdir(), other.mkdir()
    (other / "a.png").write_bytes(b"x")
    (root / "b.png").write_bytes(b"x")
    (root / "away").symlink_to(other)
    (root / "loop").symlink_to(root / "loop")
    assert inside(root, "b.png") == root / "b.png"
    for name in ("away/a.png", "../other/a.png", "loop", "none.png", "/etc/passwd", ""):
        with pytest.raises(FileNotFoundError):
            inside(root, name)
