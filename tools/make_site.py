"""Builds the documentation site: `make docs`. The pages work in the repository and on the site with the same links.

All pages are laid out in build/site first: docs/ at the top, other pages of the repository beside them, and the
reference, which is made from the code. Sphinx then makes HTML of them, and takes every warning as an error.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tools.reference_commands import write_commands
from tools.reference_python import write_python

ROOT = Path(__file__).resolve().parents[1]
NAVIGATION = {
    "For you": ("for-photographers", "for-vision-engineers", "for-scientists", "for-programmers"),
    "Guides": ("tutorial", "studio", "cluster", "pictures", "data-sets", "augment", "downstream"),
    "Understand": ("model", "glossary"),
    "Reference": ("reference/cli/index", "reference/python/index", "recipes", "settings", "format"),
    "Measured": ("benchmarks", "compression", "gallery", "vae-gallery", "lab-notebook"),
    "Project": ("README <readme>", "architecture", "contributing", "changelog"),
}
BESIDE = {"README.md": "readme.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
"""Pages outside docs/, and their places on the site."""
_LINK = re.compile(r"(\]\()([^)\s#:]+)((?:#[^)\s]*)?\))")


def lay_out(target: Path) -> None:
    """All pages of the site, as Markdown in the folder `target`."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(ROOT / "docs", target)
    places = {page: target / page.relative_to(ROOT / "docs") for page in (ROOT / "docs").rglob("*.md")}
    places |= {ROOT / name: target / place for name, place in BESIDE.items()}
    shown: dict[Path, Path] = {}
    for source, place in places.items():
        place.write_text(_relinked(source, place, places, shown, target), encoding="utf-8")
    for source, place in shown.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(_as_page(source), encoding="utf-8")
    verbs = write_commands(target / "reference" / "cli")
    pages = write_python(target / "reference" / "python")
    _add(target / "reference" / "cli" / "index.md", _contents("", verbs))
    _add(target / "reference" / "python" / "index.md", _contents("", [page.file for page in pages]))
    listed = [_contents(caption, names) for caption, names in NAVIGATION.items()]
    files = sorted(place.relative_to(target).with_suffix("").as_posix() for place in shown.values())
    _add(target / "index.md", "".join([*listed, _contents("Files", files) if files else ""]))


def _relinked(source: Path, place: Path, places: dict[Path, Path], shown: dict[Path, Path], target: Path) -> str:
    """A page whose links fit the site. Files of the repository that it links to become pages, collected in `shown`."""

    def fitting(link: re.Match[str]) -> str:
        wanted = Path(os.path.normpath(source.parent / link[2]))
        is_outside = wanted.is_relative_to(ROOT) and not wanted.is_relative_to(ROOT / "docs")
        if wanted not in places and wanted.is_file() and is_outside:
            shown[wanted] = target / "files" / f"{wanted.relative_to(ROOT).as_posix()}.md"
        lies = places.get(wanted) or shown.get(wanted)
        if lies is None and wanted.is_relative_to(ROOT / "docs"):
            lies = target / wanted.relative_to(ROOT / "docs")
        return f"{link[1]}{Path(os.path.relpath(lies, place.parent)).as_posix() if lies else link[2]}{link[3]}"

    return _LINK.sub(fitting, source.read_text(encoding="utf-8"))


def _as_page(file: Path) -> str:
    """A recipe or a piece of source."""
    language = {".py": "python", ".toml": "toml", ".json": "json"}.get(file.suffix, "text")
    content = file.read_text(encoding="utf-8")
    return f"# {file.relative_to(ROOT).as_posix()}\n\n````{language}\n{content}````\n"


def _contents(caption: str, names: "list[str] | tuple[str, ...]") -> str:
    """A part of the navigation."""
    option = f":caption: {caption}\n" if caption else ""
    return "\n```{toctree}\n:hidden:\n" + option + "\n".join(["", *names]) + "\n```\n"


def _add(page: Path, text: str) -> None:
    page.write_text(page.read_text(encoding="utf-8") + text, encoding="utf-8")


def main(folder: Path) -> int:
    """Makes `folder`/site. Returns the exit code of Sphinx."""
    laid_out, site = folder / "build" / "site", folder / "site"
    lay_out(laid_out)
    shutil.rmtree(site, ignore_errors=True)
    options = ["--fail-on-warning", "--keep-going", "--quiet", "-d", str(folder / "build" / "doctrees")]
    places = ["-c", str(ROOT / "tools" / "site"), str(laid_out), str(site)]
    return subprocess.run([sys.executable, "-m", "sphinx", *options, *places], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if sys.argv[1:] else ROOT))
