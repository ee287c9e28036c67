"""Pictures that belong together, such as the frames of one film or the views of one patient: one part has them all."""

import re
from dataclasses import replace

from safelight.dataset.images import ImageSet
from safelight.errors import UsageError

GROUP = "{group}"
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
