"""A look at a whole set before anything is trained on it: what is in it, and what is wrong with it."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from safelight.dataset.alike import groups, sketch
from safelight.dataset.images import ImageSet, content_hash
from safelight.errors import PictureError


@dataclass
class Report:
    """What was found; names are those of the set's items."""

    pictures: int = 0
    """That can be read."""
    classes: dict[str, int] = field(default_factory=dict)
    """Label → readable pictures."""
    parts: dict[str, int] = field(default_factory=dict)
    """What the set itself says they are for → pictures."""
    sizes: dict[str, int] = field(default_factory=dict)
    """Width x height → pictures, the most frequent first."""
    grey: int = 0
    """Of one channel; the others are RGB."""
    unreadable: list[str] = field(default_factory=list)
    """One line for each."""
    duplicates: list[list[str]] = field(default_factory=list)
    """Groups of pictures with the same pixels."""
    alike: list[list[str]] = field(default_factory=list)
    """Groups of pictures that are nearly the same; of those with the same pixels only the first is compared."""
    contradictions: list[list[str]] = field(default_factory=list)
    """Of both kinds of groups those with several labels."""
    leaks: list[list[str]] = field(default_factory=list)
    """Of both kinds of groups those that lie in several parts."""

    @property
    def warnings(self) -> list[str]:
        """What to mend before training, one line for each."""
        rare = [label for label, count in self.classes.items() if count == 1]
        said = [
            (len(self.classes) == 1, "all pictures are of one class: nothing can be learned about classes"),
            (rare, f"classes of a single picture, which cannot be split: {', '.join(rare[:5])}"),
            (self.contradictions, f"{len(self.contradictions)} groups of the same picture under several labels"),
            (
                self.leaks,
                f"{len(self.leaks)} groups of the same picture in several parts: what is tested was trained on",
            ),
            (self.unreadable, f"{len(self.unreadable)} files cannot be read, and are left out"),
        ]
        return [line for found, line in said if found]


def inspect(images: ImageSet, workers: int = 1, on_progress: Callable[[int], None] = lambda done: None) -> Report:
    """Read every picture once, `workers` at a time, and compare them all."""
    report = Report()
    sizes: Counter[str] = Counter()
    of_content: dict[str, list[int]] = {}
    sketches = {}

    def look(index: int) -> tuple[tuple[int, ...], str, np.ndarray] | str:
        try:
            pixels = images.load(index)
        except PictureError as error:
            return str(error)
        return pixels.shape, content_hash(pixels), sketch(pixels)

    with ThreadPoolExecutor(max(1, workers)) as pool:
        for index, seen in enumerate(pool.map(look, range(len(images)))):
            on_progress(index + 1)
            if isinstance(seen, str):
                report.unreadable.append(seen)
                continue
            (height, width, channels), digest, sketched = seen
            sizes[f"{width}x{height}"] += 1
            report.grey += channels == 1
            of_content.setdefault(digest, []).append(index)
            if len(of_content[digest]) == 1:
                sketches[index] = sketched
    readable = [index for same in of_content.values() for index in same]
    labels = Counter(images.items[index].label for index in readable)
    report.pictures = len(readable)
    report.sizes = dict(sizes.most_common())
    report.classes = {label: labels[label] for label in images.classes}
    report.parts = dict(Counter(str(part) for index in readable if (part := images.items[index].part) is not None))
    same = [group for group in of_content.values() if len(group) > 1]
    firsts = list(sketches)
    alike = [[firsts[k] for k in group] for group in groups(np.stack(list(sketches.values())))] if firsts else []
    report.duplicates, report.alike = _named(images, same), _named(images, alike)
    both = [*same, *alike]
    report.contradictions = _named(images, [g for g in both if len({images.items[k].label for k in g}) > 1])
    report.leaks = _named(images, [g for g in both if len({images.items[k].part for k in g}) > 1])
    return report


def _named(images: ImageSet, positions: list[list[int]]) -> list[list[str]]:
    return [[images.items[index].name for index in group] for group in positions]
