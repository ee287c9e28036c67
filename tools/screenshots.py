"""Takes the pictures of docs/studio.md: `make screenshots`. Needs the `dev` extra, chromium and SAFELIGHT_DATA.

A studio is started on a folder of its own, with degraded samples and some flowers; a headless browser does the rest.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import sync_playwright

from safelight import read, write

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("SAFELIGHT_DATA", ROOT.parent / "shared" / "data"))
IMAGES = ROOT / "docs" / "images"
SIGMA, SEED, FLOWERS = 25, 1, 20
WIDTH, HEIGHT = 1280, 860


def main() -> None:
    """All of them, light ones."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "pictures"
        _fill(folder)
        command = [sys.executable, "-m", "safelight", "studio", folder, "--port", "0", "--state", Path(place) / "state"]
        with subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, text=True) as studio:
            assert studio.stdout is not None
            address = studio.stdout.readline().split(": ", 1)[1].strip()
            try:
                _take(address)
            finally:
                studio.terminate()


def _fill(folder: Path) -> None:
    """Noisy samples, and a small set."""
    folder.mkdir()
    rng = np.random.default_rng(SEED)
    for path in sorted((ROOT / "examples" / "samples").glob("*.webp")):
        picture = read(path)
        noisy = picture.pixels + rng.normal(0, SIGMA, picture.pixels.shape)
        write(picture.with_(pixels=np.rint(np.clip(noisy, 0, 255)).astype(np.uint8)), folder / f"{path.stem}.png")
    for label in sorted((DATA / "labelled" / "flowers5").iterdir()):
        (folder / "flowers" / label.name).mkdir(parents=True)
        for path in sorted(label.glob("*.jpg"))[:FLOWERS]:
            shutil.copy(path, folder / "flowers" / label.name)


def _take(address: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")

        def shot(place: str, prepare: Callable[[Any], None]) -> None:
            page.goto(f"{address}#{place}")
            page.wait_for_timeout(1500)
            prepare(page)
            page.screenshot(path=IMAGES / f"studio-{place}.png")

        shot("restore", _restore)
        shot("compress", _compress)
        shot("data", lambda one: one.get_by_alt_text("contact sheet").wait_for(timeout=60_000))
        browser.close()


def _restore(page: Any) -> None:
    page.get_by_role("button", name="roman_colosseum.png").click()
    page.locator(".viewer").wait_for()
    page.get_by_role("button", name="100 %").click()
    page.get_by_role("spinbutton", name="Samples").fill("2")
    page.get_by_role("spinbutton", name="Samples").press("Tab")
    page.wait_for_timeout(20_000)  # the layers below come last


def _compress(page: Any) -> None:
    page.get_by_role("button", name="the_spices_of_life.png").click()
    page.get_by_role("rowheader", name="AVIF").wait_for(timeout=60_000)
    page.wait_for_timeout(1000)


if __name__ == "__main__":
    main()
