"""Every command of the tutorial, on a tiny folder and with less time."""

import re
import shlex

import numpy as np
import pytest

from safelight.picture import Picture, write
from tests.support import ROOT, run_cli

PAGE = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A clone as the tutorial has it: recipes, and a folder of flowers."""
    home = tmp_path_factory.mktemp("tutorial")
    (home / "recipes").mkdir()
    (home / "recipes" / "dataset.toml").write_text((ROOT / "recipes" / "dataset.toml").read_text())
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:24, :24] / 24 - 0.5
    for label, petals in (("daisy", 8), ("rose", 3)):
        (home / "flowers" / label).mkdir(parents=True)
        for k in range(60):
            angle, size = np.arctan2(rows, columns) + rng.uniform(0, 6), rng.uniform(0.2, 0.4)
            shape = np.hypot(rows, columns) < size * (1 + 0.3 * np.cos(petals * angle))
            pixels = np.where(shape[..., None], rng.integers(120, 256, 3), rng.integers(0, 90, 3)).astype(np.uint8)
            write(Picture(pixels), home / "flowers" / label / f"{k}.jpg")
    return home


def test_there_are_commands_and_a_snippet():
    assert len(COMMANDS) == 7 and len(SNIPPETS) == 1


@pytest.mark.slow
def test_every_command_does_what_the_page_says(place, monkeypatch):
    for command in COMMANDS:
        verb, *arguments = shlex.split(command.replace("--budget 8m", "--budget 4s"))
        assert verb == "safelight"
        done = run_cli(*arguments, cwd=place)
        assert not done.returncode, f"{command}\n{done.stderr}"
    assert {"flowers.html", "new", "roses.png", "way.png", "latent.png"} <= {path.name for path in place.iterdir()}
    monkeypatch.chdir(place)
    exec(compile(SNIPPETS[0].replace("budget_s=480", "budget_s=4"), "snippet", "exec"), {})
