"""Frames of one film are in one part, by a pattern of names or by a column of a list."""

import json
import time

import numpy as np
import pytest

from safelight.dataset import ImageSet, Item, grouped, identities, open_set, split
from safelight.errors import UsageError
from safelight.picture import Picture, write
from tests.support import run_cli


def named(*names):
    return ImageSet(tuple(Item(name) for name in names), lambda k: None, lambda k: f"{k:064x}")


def groups(pattern, *names):
    return [item.group for item in grouped(named(*names), pattern).items]


def test_a_pattern_finds_groups():
    assert groups("{group}_*", "film1_7.png", "film2_1.png", "other.png") == ["film1", "film2", None]
    assert groups("*/{group}/*", "cat/p1/a.png", "dog/p1/b.png", "dog/p22/c/d.png") == ["p1", "p1", "p22"]
    assert groups("scan({group}).tif", "scan(1).tif", "scan(.*).tif") == ["1", ".*"]
    assert groups(None, "a.png") == [None]


@pytest.mark.parametrize("pattern", ["film", "", "*", "{group}{group}", "*{group}_", "{group}_{group}", "{name}_*"])
def test_what_is_no_pattern_is_refused(pattern):
    with pytest.raises(UsageError, match=r"such as '\{group\}_\*'"):
        grouped(named("a_1.png", "b_1.png"), pattern)


@pytest.mark.parametrize(("pattern", "why"), [("{group}-*", "fits no name"), ("{group}_*", "all pictures are of one")])
def test_a_pattern_that_divides_nothing_is_refused(pattern, why):
    with pytest.raises(UsageError, match=why):
        grouped(named("a_1.png", "a_2.png"), pattern)


def test_no_pattern_takes_long():
    began = time.monotonic()
    with pytest.raises(UsageError, match="fits no name"):
        grouped(named("a" * 5000, "b"), "*a" * 100 + "{group}" + "a*" * 100 + "b")
    assert time.monotonic() - began < 5


@pytest.fixture
def films(tmp_path, rng):
    """20 films of 6 frames, in a folder and in a list."""
    lines = []
    (tmp_path / "set").mkdir()
    for film in range(20):
        for frame in range(6):
            name = f"film{film}_{frame}.png"
            write(Picture(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)), tmp_path / "set" / name)
            lines.append(json.dumps({"image": name, "group": film}))
    (tmp_path / "set" / "list.jsonl").write_text("\n".join(lines))
    return tmp_path / "set"


def parts_of(images):
    parts = split(images, identities(images), 0.2, 0.2)
    return {part: {images.items[k].group for k in positions} for part, positions in parts.items()}


def test_a_group_is_in_one_part(films):
    by_name, by_column = grouped(open_set(films), "{group}_*"), open_set(films / "list.jsonl")
    for images in (by_name, by_column):
        parts = parts_of(images)
        assert all(parts.values()) and sum(map(len, parts.values())) == 20 == len(set().union(*parts.values()))
    loose = split(open_set(films), identities(open_set(films)), 0.2, 0.2)
    names = open_set(films).items
    films_of = [{names[k].name.partition("_")[0] for k in positions} for positions in loose.values()]
    assert films_of[0] & films_of[1], "without a group, films fall apart"


def test_data_counts_groups(films):
    told = run_cli("data", films, "--group-by", "{group}_*")
    assert "groups that stay in one part: 20" in told.stdout
    refused = run_cli("data", films, "--group-by", "film")
    assert refused.returncode == 2 and "{group}" in refused.stderr


def test_names_of_groups_are_of_any_characters():
    names = [f"{group}_{k}.png" for group in ("film\udcff", "\ud83d", "a") for k in range(3)]
    parts = split(grouped(named(*names), "{group}_*"), [f"{k:064x}" for k in range(9)], 0.3, 0.3)
    assert sum(map(len, parts.values())) == 9 and all(len(positions) % 3 == 0 for positions in parts.values())
