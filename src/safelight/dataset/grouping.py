"""Pictures that belong together, such as frames of one film, or variants of one picture: one part has them all."""

import os
import re
from dataclasses import replace
from pathlib import Path

from safelight.dataset.images import ImageSet, Item
from safelight.errors import OutputError, UsageError
from safelight.work import MANIFEST, Manifest

GROUP = "{group}"
HIGHEST = 2
"""Folders above a set in which its manifest is looked for."""
MEND = "write the names with {group} for what is common, and * for the rest, such as '{group}_*' or '*/{group}/*'"


def grouped(images: ImageSet, pattern: str | None) -> ImageSet:
    """The set with the groups that a pattern of names finds; the set itself if there is no pattern.

    `{group}_*` finds the group `film7` in `film7_0012.png`: `{group}` and `*` are the shortest texts that fit. Names
    are paths below the set's folder. A picture whose name does not fit stays by itself.

    Raises UsageError for what is no pattern, and for one that does not divide the set.
    """
    if pattern is None:
        return images
    names = _compiled(pattern)
    matches = [names.fullmatch(item.name) for item in images.items]
    items = tuple(
        item if match is None else replace(item, group=match["group"])
        for item, match in zip(images.items, matches, strict=True)
    )
    groups = {item.group for item in items}
    if groups == {None}:
        raise UsageError(f"group_by '{pattern}': fits no name of the set, such as '{items[0].name}'; {MEND}")
    if len(groups) == 1:
        raise UsageError(f"group_by '{pattern}': all pictures are of one group, '{items[0].group}'; {MEND}")
    return replace(images, items=items)


def with_variants(folder: Path, items: list[Item]) -> list[Item]:
    """The same items, where `safelight augment` has written the folder or one above it: variants know their picture.

    They stay together with it, so that none is tested on what another was trained on.
    """
    home = next((place for place in (folder, *folder.parents[:HIGHEST]) if (place / MANIFEST).is_file()), None)
    sources = {} if home is None else _sources_of_variants(home)
    if home is None or not sources:
        return items
    start = os.path.relpath(folder, home)

    def source_of(item: Item) -> str | None:
        source = sources.get(os.path.normpath(f"{start}/{item.name}"))
        return None if source is None else os.path.relpath(source, start)

    return [replace(item, variant_of=source_of(item)) for item in items]


def _sources_of_variants(folder: Path) -> dict[str, str]:
    """Name of a variant → name of its picture, both below the folder."""
    try:
        manifest = Manifest(folder)
    except OutputError:  # somebody else's file
        return {}
    if manifest.header is None or manifest.header.get("verb") != "augment":
        return {}
    return {
        os.path.normpath(name): os.path.normpath(str(line["source"]))
        for line in manifest.lines
        if "copy" in line and "source" in line
        for name in line["outputs"]
    }


def _compiled(pattern: str) -> re.Pattern[str]:
    """Each wildcard ends where the text after it is found first, for good: no pattern takes long. Raises UsageError."""
    parts = re.split(r"(\{group\}|\*)", pattern)
    texts, wildcards = parts[0::2], parts[1::2]
    if wildcards.count(GROUP) != 1 or not all(texts[1:-1]):
        raise UsageError(f"group_by '{pattern}': {MEND}")
    whole = re.escape(texts[0])
    for k, (wildcard, text) in enumerate(zip(wildcards, texts[1:], strict=True)):
        one = "(?P<group>.+?)" if wildcard == GROUP else ".*?"
        is_last = k == len(wildcards) - 1
        whole += f"{one}{re.escape(text)}" if is_last else f"(?>{one}{re.escape(text)})"
    return re.compile(whole, re.DOTALL)
