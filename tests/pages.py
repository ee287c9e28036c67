"""What the pages of the documentation hold: code in Python, command lines, and links."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.support import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_PYTHON = re.compile(r"(?P<before>[^\n]*)\n```python\n(?P<code>.*?)```", re.DOTALL)
_NOT_RUN = re.compile(r"<!-- not run: (.+) -->")
_ASSIGNMENT = re.compile(r"[A-Z_]+=.*")
_ENDS = ("|", ">", "<", "&&", "||", ";", "&")


class Snippet(NamedTuple):
    """A block of Python."""

    page: Path
    number: int
    code: str
    why_not_run: str | None
    """What the comment on the line before it says."""

    @property
    def name(self) -> str:
        return f"{self.page.stem.replace('-', '_')}_{self.number}"


class Command(NamedTuple):
    """A line of a shell that starts Safelight."""

    where: str
    words: list[str]
    """What follows `safelight`."""


def snippets() -> Iterator[Snippet]:
    for page in PAGES:
        for number, block in enumerate(_PYTHON.finditer(page.read_text(encoding="utf-8"))):
            reason = _NOT_RUN.fullmatch(block["before"])
            yield Snippet(page, number, block["code"], reason[1] if reason else None)


def code_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines of indented blocks and of fenced ones that are not Python, with continued lines joined."""
    fence, line, begun = None, "", 0
    for number, raw in enumerate(text.splitlines(), 1):
        if raw.lstrip().startswith("```"):
            fence = raw.strip()[3:] or "text" if fence is None else None
            continue
        if fence == "python" or (fence is None and not raw.startswith("    ") and not line):
            continue
        begun = begun or number
        line += raw.strip()
        if line.endswith("\\"):
            line = line[:-1]
            continue
        yield begun, line
        line, begun = "", 0


def commands() -> Iterator[Command]:
    for page in PAGES:
        for number, line in code_lines(page.read_text(encoding="utf-8")):
            for words in _calls(line.removeprefix("$ ")):
                yield Command(f"{page.name}:{number}", words)


def _calls(line: str) -> Iterator[list[str]]:
    """The arguments of each call of Safelight in a line of a shell."""
    if "safelight " not in line:
        return
    try:
        words = shlex.split(line, comments=True)
    except ValueError:  # a quotation mark of an output
        return
    starts = [0, *(k + 1 for k, word in enumerate(words) if word in _ENDS)]
    for start in starts:
        call = list(words[start:])
        call = call[: next((k for k, word in enumerate(call) if word in _ENDS), len(call))]
        while call and _ASSIGNMENT.fullmatch(call[0]):
            call.pop(0)
        if call and Path(call[0]).name == "safelight":
            yield call[1:]


def links() -> Iterator[tuple[Path, str]]:
    """Targets within the repository."""
    for page in PAGES:
        text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r"(?:src|href)=\"([^\"]+)\"", text):
            if not re.match(r"[a-z]+:", target):
                yield page, target


def anchors(page: Path) -> set[str]:
    """Where links may lead within a page: its headings, as GitHub names them."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+?)\s*$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
