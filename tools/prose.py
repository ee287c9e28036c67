"""Sentences of the docs are short: `python -m tools.prose README.md docs/*.md`.

Nine of ten sentences of a page have at most 25 words, and no sentence has more than 45. Paragraphs and list items are
counted; code, tables, headings, HTML and pictures are not. Exit code 1 if a page breaks a rule.
"""

import re
import sys
from collections.abc import Iterator
from math import ceil
from pathlib import Path
from typing import NamedTuple

MOST_WORDS, SHARE = 25, 0.9
LONGEST_WORDS = 45
_ITEM = re.compile(r"([-*+]|\d+\.)\s+")
_NO_TEXT = ("#", "|", "<", "![", ">>>")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_CODE = re.compile(r"`[^`]*`")
_END = re.compile(r"(?<=[.!?:;])\s+(?=[A-Z0-9\"'(*])")


class Sentence(NamedTuple):
    """One sentence of a page."""

    line: int
    """Where its paragraph begins."""
    text: str

    @property
    def words(self) -> int:
        """How many; code is one word."""
        return len(self.text.split())


def paragraphs(page: str) -> Iterator[tuple[int, str]]:
    """First line and text of each paragraph and list item of a page in Markdown."""
    begun, lines, is_code = 0, list[str](), False
    for number, line in enumerate([*page.splitlines(), ""], 1):
        text = line.strip()
        is_fence = text.startswith(("```", "~~~"))
        is_code ^= is_fence
        item = _ITEM.match(text)
        is_indented = line.startswith("    ") and not lines and not item
        is_text = text and not (is_code or is_fence or is_indented or text.startswith(_NO_TEXT))
        if lines and (item or not is_text):
            yield begun, " ".join(lines)
            lines = []
        if is_text:
            begun = begun if lines else number
            lines.append(text[item.end() :] if item else text)


def sentences(page: str) -> list[Sentence]:
    """Of all paragraphs; what has less than three words is a label."""
    found = []
    for line, paragraph in paragraphs(page):
        plain = _CODE.sub("X", _LINK.sub(r"\1", paragraph)).replace("**", "")
        plain = plain.replace("e.g.", "eg").replace("i.e.", "ie").replace("et al.", "et al")
        found += [Sentence(line, text.replace("*", "")) for text in _END.split(plain)]
    return [sentence for sentence in found if sentence.words > 2]


def complaints(page: str) -> list[str]:
    """What breaks the rules on a page, with the sentences to mend first."""
    found = sorted(sentences(page), key=lambda sentence: -sentence.words)
    lines = [f"{s.line}: a sentence of {s.words} words, over {LONGEST_WORDS}: {s.text}" for s in found]
    lines = lines[: sum(s.words > LONGEST_WORDS for s in found)]
    long = sum(s.words > MOST_WORDS for s in found)
    if len(found) - long < SHARE * len(found):
        allowed = len(found) - ceil(SHARE * len(found))
        lines.append(f"{long} of {len(found)} sentences have more than {MOST_WORDS} words; {allowed} may. The longest:")
        lines += [f"{s.line}: {s.words} words: {s.text}" for s in found[:5]]
    return lines


def main(names: list[str]) -> int:
    """Prints what breaks the rules; returns the exit code."""
    told = [f"{name}:{line}" for name in names for line in complaints(Path(name).read_text(encoding="utf-8"))]
    total = sum(len(sentences(Path(name).read_text(encoding="utf-8"))) for name in names)
    sys.stdout.write("\n".join([*told, f"{total} sentences on {len(names)} pages, {len(told)} complaints"]) + "\n")
    return bool(told)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
