"""What folders and lists call the parts of a set."""

import re

from safelight.dataset.images import Part

_WORDS: dict[Part, str] = {
    "train": "(?:seg_)?train|training|trn",
    "validation": "val|valid|validation|validate|dev|eval|evaluation",
    "test": "(?:seg_)?test|tests|tst|testing|holdout|hold-out",
}
_PREFIX = r"(?:\d{1,3}[ _.-]+)?"
_SUFFIX = r"(?:[ _-]?(?:set|data|dataset|images|imgs|pictures|split|part|fold)|[ _-]?\d{1,4})?"
_PATTERNS = {part: re.compile(f"{_PREFIX}(?:{words}){_SUFFIX}", re.IGNORECASE) for part, words in _WORDS.items()}


def part_of(name: str) -> Part | None:
    """The part that the name of a folder or a word in a list means, such as Training, val2017, test_set; or None."""
    return next((part for part, pattern in _PATTERNS.items() if pattern.fullmatch(name.strip())), None)


def part_of_path(folders: tuple[str, ...]) -> Part | None:
    """The part that one of the folders of a path means, the first that means one."""
    return next((part for folder in folders if (part := part_of(folder)) is not None), None)
