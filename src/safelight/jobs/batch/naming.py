"""How results are named, so that no two files get one name, and no result is taken for an original."""

import re
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from safelight.picture import READABLE, SUFFIXES

_RESULT = re.compile(
    rf"(.+)_(restored|decompressed)(_({'|'.join(suffix[1:] for suffix in READABLE)}))?(_\d+)?(_sample\d+|_std)?",
    re.IGNORECASE,
)
"""How the stem of a result goes on after the stem of its input, beside which it lies."""


@dataclass(frozen=True)
class Naming:
    """Which files a verb reads, and how it names what it writes."""

    verb: str
    done: str
    """The same as a participle, in the name of what lies beside its input: `restored`."""
    what: str
    """What it reads, in words for messages: `pictures`."""
    reads: frozenset[str]
    """Suffixes that are picked up from folders, in lower case."""
    writes: Sequence[str]
    """Suffixes that an output may have that is one file."""
    no_folders: frozenset[str]
    """Suffixes that mean a file, not a folder, and yet are not written."""
    file_name: Callable[[Path], str]
    """The name of a file's result in an output folder."""
    beside: Callable[[Path], tuple[Path, ...]] = lambda target: ()
    """More outputs, by the name of the first."""
    makes_pictures: bool = True
    """Results beside their inputs get a name that no original can have."""


def told_apart(named: Sequence[tuple[Path, Path]], naming: Naming) -> Iterator[tuple[Path, Path, Path]]:
    """Sources with their targets, and the target that each would have otherwise: an earlier run may have used it.

    Where a.jpg and a.png would write one file, their results are a_jpg and a_png, if nothing else has these names.
    """
    users: dict[Path, list[Path]] = {}
    for source, target in named:
        for path in (target, *naming.beside(target)):
            users.setdefault(path, []).append(source)
    marks = {source: target.with_stem(f"{target.stem}_{source.suffix[1:].lower()}") for source, target in named}
    marked = {
        source
        for sources in users.values()
        if 1 < len(sources) == len({one.suffix.lower() for one in sources} - {""})
        if not any(path in users for one in sources for path in (marks[one], *naming.beside(marks[one])))
        for source in sources
    }
    for source, target in named:
        yield (source, marks[source], target) if source in marked else (source, target, marks[source])


def is_named_as_result(name: Path, stems: Container[str]) -> bool:
    """Whether a picture has the name of what another file becomes, which lies beside it: one of these stems."""
    found = _RESULT.fullmatch(name.stem)
    return found is not None and found[1] in stems and name.suffix.lower() in SUFFIXES
