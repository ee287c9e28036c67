"""Pictures of a set in one form: the rule, the split, and the file that keeps them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safelight.dataset import Form, ImageSet, Item, Loaded, PixelTable, choose_form, identities, open_set, split
from safelight.dataset.form import fitted
from safelight.dataset.images import content_hash
from safelight.errors import PictureError, UsageError
from safelight.picture import Picture, write


def image_set(pictures: list[np.ndarray | None], parts: list[str | None] | None = None) -> ImageSet:
    def load(index: int) -> Loaded:
        if pictures[index] is None:
            raise PictureError(f"{index}: broken")
        return Loaded(pictures[index])

    items = tuple(Item(str(k), None, parts[k] if parts else None) for k in range(len(pictures)))
    return ImageSet(items, load, lambda index: content_hash(load(index).pixels))


def noise(rng, *shape: int) -> np.ndarray:
    return rng.integers(0, 256, shape, dtype=np.uint8)


def test_one_size_is_kept_and_several_become_a_square(rng):
    same = image_set([noise(rng, 28, 36, 1) for _ in range(5)])
    assert choose_form(same, None, None, "crop") == Form(28, 36, 1)
    mixed = image_set([noise(rng, 40 + k, 150, 3 if k else 1) for k in range(5)])
    assert choose_form(mixed, None, None, "pad") == Form(32, 32, 3, "pad")
    assert choose_form(mixed, 48, 1, "crop") == Form(48, 48, 1)
    large = image_set([noise(rng, 600, 600, 3)] * 3)
    assert choose_form(large, None, None, "crop") == Form(256, 256, 3)
    with pytest.raises(UsageError, match="under 16 px"):
        choose_form(image_set([noise(rng, 9, 9, 1)]), None, None, "crop")
    with pytest.raises(UsageError, match="none of 2 pictures"):
        choose_form(image_set([None, None]), None, None, "crop")


def test_the_three_ways_to_fit():
    wide = np.zeros((20, 60, 1), np.uint8)
    wide[:, 20:40] = 255
    assert (fitted(wide, Form(20, 20, 1, "crop")) == 255).all(), "its centre"
    padded = fitted(wide, Form(60, 60, 1, "pad"))
    assert padded.shape == (60, 60, 1) and not padded[:19].any() and not padded[41:].any()
    np.testing.assert_array_equal(padded[20:40], wide)
    stretched = fitted(wide, Form(20, 20, 1, "stretch"))
    assert stretched.mean() == pytest.approx(255 / 3, rel=0.1) and not stretched[:, :4].any()


def test_channels_follow_the_form(rng):
    colour = noise(rng, 16, 16, 3)
    grey = fitted(colour, Form(16, 16, 1))
    np.testing.assert_allclose(grey[..., 0], colour @ [0.299, 0.587, 0.114], atol=0.51)
    np.testing.assert_array_equal(fitted(grey, Form(16, 16, 3)), np.repeat(grey, 3, axis=2))


@given(st.lists(st.text("0123456789abcdef", min_size=64, max_size=64), min_size=1, max_size=50), st.data())
def test_adding_pictures_never_moves_one(hashes, data):
    pictures = image_set([None] * len(hashes))
    few = data.draw(st.integers(0, len(hashes)))
    whole = split(pictures, hashes, 0.3, 0.2)
    part = split(image_set([None] * few), hashes[:few], 0.3, 0.2)
    for name, positions in part.items():
        assert set(positions) == {k for k in whole[name] if k < few}
    assert sorted(k for positions in whole.values() for k in positions) == list(range(len(hashes)))


def test_shares_of_a_split_and_what_the_set_says(rng):
    pictures = image_set([noise(rng, 4, 4, 1) for _ in range(3000)])
    parts = split(pictures, identities(pictures), 0.1, 0.2)
    assert len(parts["validation"]) == pytest.approx(300, abs=60) and len(parts["test"]) == pytest.approx(600, abs=80)
    told = image_set([noise(rng, 4, 4, 1) for _ in range(200)], ["test"] * 50 + ["train"] * 150)
    parts = split(told, identities(told), 0.5, 0.2)
    assert sorted(parts["test"]) == list(range(50)), "a set that names its test keeps it"
    assert parts["test"] != tuple(range(50)), "in an order that has nothing to do with the set's"
    assert 40 < len(parts["validation"]) < 110
    equal = image_set([np.zeros((4, 4, 1), np.uint8)] * 9)
    assert sorted(map(len, split(equal, identities(equal), 0.4, 0.3).values())) == [0, 0, 9]


def test_rows_are_decoded_once_and_kept(rng, tmp_path):
    pictures, asked = [noise(rng, 16, 16, 1) for _ in range(6)], []
    pictures[3] = None
    inner = image_set(pictures)

    def load(index: int) -> Loaded:
        asked.append(index)
        return inner.load(index)

    counted = ImageSet(inner.items, load, inner.identify)
    hashes = [str(k) * 64 for k in range(6)]
    table = PixelTable(counted, hashes, Form(16, 16, 1), tmp_path / "cache", workers=2)
    np.testing.assert_array_equal(table.rows([4, 0, 4]), np.stack([pictures[4], pictures[0], pictures[4]]))
    assert table.sound([0, 3, 5]).tolist() == [True, False, True]
    assert sorted(asked) == [0, 3, 4, 5] and table.broken == ["3"]
    again = PixelTable(counted, hashes, Form(16, 16, 1), tmp_path / "cache")
    np.testing.assert_array_equal(again.rows([5]), pictures[5][None])
    assert len(asked) == 4, "another process finds what was decoded"
    other = PixelTable(counted, hashes, Form(16, 16, 3), tmp_path / "cache")
    assert other.rows([5]).shape == (1, 16, 16, 3) and len(asked) == 5


def test_binarised_once_and_for_all_by_grey(tmp_path):
    pictures = image_set([np.full((64, 64, 1), grey, np.uint8) for grey in (0, 64, 255)])
    tables = [
        PixelTable(pictures, ["a", "b", "c"], Form(64, 64, 1), tmp_path / name, binarise_seed=seed)
        for name, seed in (("one", 1), ("two", 1), ("three", 2))
    ]
    one, two, three = (table.rows([0, 1, 2]) for table in tables)
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, three)
    assert set(np.unique(one)) == {0, 255}
    assert one.mean(axis=(1, 2, 3)) / 255 == pytest.approx([0, 64 / 255, 1], abs=0.03)


def test_files_are_known_by_their_bytes(rng, tmp_path):
    write(Picture(noise(rng, 16, 16, 1)), tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes())
    images = open_set(tmp_path)
    first, second = identities(images)
    assert first == second and len(first) == 64
    (tmp_path / "b.png").unlink()
    assert identities(images)[1] == "", "gone since"


def test_a_cache_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="choose another --cache"):
        PixelTable(image_set([None]), ["a"], Form(16, 16, 1), tmp_path / "file" / "cache")


def test_the_name_of_a_cache_stays_what_it_was(tmp_path):
    """Or a new version would decode all pictures again."""
    table = PixelTable(image_set([None] * 2), ["a" * 64, "b" * 64], Form(16, 20, 3, "pad"), tmp_path, binarise_seed=5)
    assert table.name == "00739285355c7adc" and [path.name for path in tmp_path.iterdir()] == ["00739285355c7adc.rows"]
