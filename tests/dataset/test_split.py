"""Parts by a hash of each picture."""

import hashlib

from safelight.dataset import ImageSet, Item, split

SHARES = {"validation_share": 0.1, "test_share": 0.1}


def a_set(counts, group=None):
    """So many pictures of each class, whose identities are hashes of their names."""
    names = [
        (f"{label}/{k}", label, group and group(label, k)) for label, count in counts.items() for k in range(count)
    ]
    items = tuple(Item(name, label, group=of) for name, label, of in names)
    images = ImageSet(items, load=lambda index: None, identify=lambda index: "")
    return images, [hashlib.sha256(name.encode()).hexdigest() for name, _, _ in names]


def test_hashes_decide_and_added_files_move_none():
    images, identities = a_set({"a": 300, "b": 300})
    parts = split(images, identities, **SHARES)
    for part, (low, high) in {"test": (0, 0.1), "train": (0.1, 0.9), "validation": (0.9, 1)}.items():
        assert parts[part] and all(low <= int(identities[k][:8], 16) / 2**32 < high for k in parts[part])
    more, longer = a_set({"a": 310, "b": 300})
    names = {part: {images.items[k].name for k in positions} for part, positions in parts.items()}
    for part, positions in split(more, longer, **SHARES).items():
        assert names[part] <= {more.items[k].name for k in positions}, "adding files moves none"


def test_groups_are_never_divided():
    images, identities = a_set({f"class {k}": 6 for k in range(20)}, group=lambda label, k: f"{label} {k // 2}")
    parts = split(images, identities, **SHARES)
    part_of = {k: part for part, positions in parts.items() for k in positions}
    assert all(part_of[k] == part_of[k + 1] for k in range(0, 120, 2))
