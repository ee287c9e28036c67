"""A look at a whole set before anything is trained on it: what is in it, and what is wrong with it."""

from collections import Counter
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

import numpy as np

from safelight.dataset.alike import Array, groups, sketch
from safelight.dataset.form import choose_form, finest_px
from safelight.dataset.images import ImageSet, content_hash
from safelight.errors import PictureError, UsageError
from safelight.work import OnProgress, Progress, Threads, silent


@dataclass
class InspectReport:
    """What is in a set; names are those of the set's items."""

    pictures: int = 0
    """That can be read."""
    classes: dict[str, int] = field(default_factory=dict)
    """Label → readable pictures."""
    parts: dict[str, int] = field(default_factory=dict)
    """What the set itself says they are for → pictures."""
    groups: int = 0
    """Of pictures that stay together, each in one part."""
    variants: int = 0
    """Pictures that `safelight augment` has made of others of the set; each stays with its own."""
    sizes: dict[str, int] = field(default_factory=dict)
    """Width x height → pictures, the most frequent first."""
    side_px: int = 0
    """The side that a model of the set takes by itself; 0 if it could take none, or none that is square."""
    finest_px: int = 0
    """The side to which the pictures can be shrunk, from `side_px`, and still hold nearly all of their detail."""
    grey: int = 0
    """Of one channel; the others are RGB."""
    unreadable: list[str] = field(default_factory=list)
    """One line for each."""
    doubtful: list[str] = field(default_factory=list)
    """Of those that can be read, one line for each that is damaged, animated, or has more pages."""
    other_files: dict[str, int] = field(default_factory=dict)
    """Suffix → files beside them that are no pictures, or none of a kind that can be read."""
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
        lines = [
            (len(self.classes) == 1, "all pictures are of one class: nothing can be learned about classes"),
            (
                self.classes and {name.lower() for name in self.classes} <= {"images", "masks", "labels"},
                "is it COCO, YOLO or masks? Their labels are not looked at here",
            ),
            (rare, f"classes of a single picture, which cannot be split: {', '.join(rare[:5])}"),
            (self.contradictions, f"groups of the same picture under several labels: {len(self.contradictions)}"),
            (
                self.leaks,
                f"groups of the same picture in several parts, tested on what was trained on: {len(self.leaks)}",
            ),
            (
                self.alike and not (self.parts or self.groups or self.variants),
                f"groups of nearly the same picture: {len(self.alike)}; --group-by can keep each in one part",
            ),
            (self.unreadable, f"pictures that cannot be read: {len(self.unreadable)}"),
            (self.doubtful, f"pictures that can be read, but not as a whole: {len(self.doubtful)}"),
        ]
        return [line for applies, line in lines if applies]


class Seen(NamedTuple):
    """What is kept of a picture."""

    shape: tuple[int, ...]
    digest: str
    sketch: Array
    warnings: tuple[str, ...]


def look(images: ImageSet, index: int) -> Seen | str:
    """Read one picture; returns why it cannot be read."""
    try:
        pixels, warnings = images.load(index)
        return Seen(pixels.shape, content_hash(pixels), sketch(pixels), warnings)
    except PictureError as error:
        return str(error)
    except Exception as error:  # whatever it is, it is of one picture
        return " ".join(f"{images.items[index].name}: cannot be read ({type(error).__name__}: {error})".split())


def inspect_set(images: ImageSet, workers: int = 1, on_progress: OnProgress = silent) -> InspectReport:
    """Read every picture once, `workers` at a time, and compare them all."""
    with closing(Threads(max(1, workers)).map(partial(look, images), range(len(images)))) as seen:
        return compared(images, seen, on_progress)


def compared(images: ImageSet, all_seen: Iterable[Seen | str], on_progress: OnProgress = silent) -> InspectReport:
    """The report of pictures that `look` has seen, in the order of the set."""
    report = InspectReport(other_files=images.other_files)
    sizes: Counter[str] = Counter()
    of_content: dict[str, list[int]] = {}
    sketches = {}
    for index, seen in enumerate(all_seen):
        on_progress(Progress(index + 1, len(images), images.items[index].name))
        if isinstance(seen, str):
            report.unreadable.append(seen)
            continue
        height, width, channels = seen.shape
        sizes[f"{width}x{height}"] += 1
        report.grey += channels == 1
        report.doubtful += [f"{images.items[index].name}: {warning}" for warning in seen.warnings]
        of_content.setdefault(seen.digest, []).append(index)
        if len(of_content[seen.digest]) == 1:
            sketches[index] = seen.sketch
    readable = [index for same in of_content.values() for index in same]
    labels = Counter(images.items[index].label for index in readable)
    report.pictures = len(readable)
    report.sizes = dict(sizes.most_common())
    report.classes = {label: labels[label] for label in images.classes}
    report.parts = dict(Counter(str(part) for index in readable if (part := images.items[index].part) is not None))
    report.variants = sum(images.items[index].variant_of is not None for index in readable)
    report.groups = len({images.items[index].group for index in readable} - {None})
    same = [group for group in of_content.values() if len(group) > 1]
    firsts = list(sketches)
    alike = [[firsts[k] for k in group] for group in groups(np.stack(list(sketches.values())))] if firsts else []
    report.duplicates, report.alike = _named(images, same), _named(images, alike)
    both = [*same, *alike]
    report.contradictions = _named(images, [g for g in both if len({images.items[k].label for k in g} - {None}) > 1])
    report.leaks = _named(images, [g for g in both if len({images.items[k].part for k in g} - {None}) > 1])
    readable.sort()
    sound = replace(images, items=tuple(images.items[k] for k in readable), load=lambda k: images.load(readable[k]))
    with suppress(UsageError):  # there are none, or they are too small
        form = choose_form(sound, None, None, "crop")
        if form.height == form.width:
            report.side_px, report.finest_px = form.width, finest_px(sound, form)
    return report


def _named(images: ImageSet, positions: list[list[int]]) -> list[list[str]]:
    return [[images.items[index].name for index in group] for group in positions]
