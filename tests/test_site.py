"""The documentation site: the reference is complete, all links lead somewhere, and no other host is asked."""

import importlib.util
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import typer

import safelight
from safelight.cli.app import VERBS, app
from tests.support import ROOT
from tools.make_site import lay_out
from tools.reference_commands import page
from tools.reference_python import page_text, pages

LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    lay_out(folder)
    return folder


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_page_with_all_its_options(verb):
    text = page(verb)
    group = typer.main.get_command(app)
    command = group.resolve_command(typer.Context(group), [verb])[1]
    for each in getattr(command, "commands", {"": command}).values():
        assert f"# safelight {verb} {each.name}".strip() in text or each is command
        for option in (o for o in each.params if o.param_type_name == "option"):
            assert all(f"`{flag}`" in text for flag in option.opts)


def test_the_table_of_options_has_values_defaults_and_help():
    row = next(line for line in page("train").splitlines() if line.startswith("| `--workers` "))
    assert "whole number, at least 0" in row and "Loader processes" in row
    assert "| `.cache/pixels` |" in page("train")


def test_every_exported_name_has_a_section(laid_out):
    folder = laid_out / "reference" / "python"
    headings = re.findall(
        r"^## (?:class )?`(\w+)(?:\(\))?`$", "\n".join(map(Path.read_text, folder.glob("*.md"))), re.M
    )
    assert sorted(headings) == safelight.__all__


def test_fields_have_their_docstrings():
    text = page_text(next(each for each in pages() if "Restored" in each.names))
    assert "| `std` | `Array \\| None` |  | (H, W, C) calibrated standard deviation" in text
    assert "`Restored.interval()`" in text and "Raises UsageError without std" in text


def test_links_between_pages_lead_somewhere(laid_out):
    for place in laid_out.rglob("*.md"):
        for target in re.findall(r"\]\((?!\w+:)([^)#\s]+)", re.sub(r"`[^`]*`", "", place.read_text(encoding="utf-8"))):
            assert (place.parent / target).exists(), f"{place.relative_to(laid_out)}: {target}"


class _Links(HTMLParser):
    """What a page loads, what it links to, and the places in it that can be linked to."""

    def __init__(self, text):
        super().__init__()
        self.loaded, self.linked, self.places = [], [], {""}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.places.add(given.get("id"))
        self.loaded += [given[LOADS[tag]]] if given.get(LOADS.get(tag)) else []
        self.linked += [given["href"]] if tag == "a" and given.get("href") else []


@pytest.mark.slow
@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("sphinx", "furo", "myst_parser")),
    reason="the site needs the extra 'docs'; 'make docs' installs it",
)
def test_the_site_is_whole_and_asks_no_other_host(tmp_path):
    command = [sys.executable, "-m", "tools.make_site", str(tmp_path)]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    site = tmp_path / "site"
    found = {file: _Links(file.read_text(encoding="utf-8")) for file in site.rglob("*.html")}
    for file, links in found.items():
        assert not [url for url in links.loaded if re.match(r"(https?:)?//", url)], file
        for link in [*links.loaded, *links.linked]:
            path, _, place = link.partition("#")
            if not re.match(r"\w+:", link):
                target = (file.parent / path.partition("?")[0]).resolve() if path else file
                assert target.is_file(), f"{file}: {link}"
                assert target not in found or place in found[target].places, f"{file}: {link}"
    for file in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*[\"']?(https?:)?//", file.read_text(encoding="utf-8")), file
    assert (site / "searchindex.js").is_file()
