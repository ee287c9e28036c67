"""How long a person waits in the studio: the first preview, a moved slider, a zoom, a cancelled batch, a walk.

    python benchmarks/studio.py [--runs 5]

A studio is started on an empty folder, and a headless chromium drops JPEG files of 12 and 48 megapixels made of
photographs (SAFELIGHT_DATA). Every time is what the page sees, from the event to the drawn picture: the median of the
runs, and the longest. Run it on a quiet machine. Needs the `dev` extra. About four minutes on two cores.
"""

import argparse
import json
import math
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Page, sync_playwright
from sets import DATA, ROOT

from safelight import Picture, read, write
from safelight.runtime.machine import cores, processor

RESULTS = ROOT / "benchmarks" / "results" / "studio.json"
SIZES = {"12 megapixels": (3000, 4000), "48 megapixels": (6000, 8000)}
SIGMA = 8
WATCH = """async begin => {
    const canvas = document.querySelector(".pane canvas"), side = 48;
    const x = Math.round(canvas.width * 0.75) - side / 2, y = Math.round(canvas.height / 2) - side / 2;
    const seen = () => canvas.getContext("2d").getImageData(x, y, side, side).data.join();
    const before = seen(), start = performance.now();
    eval(begin);
    for (;;) {
        await new Promise(requestAnimationFrame);
        if (seen() !== before) return performance.now() - start;
        if (performance.now() - start > 60000) return NaN;
    }
}"""
"""Does something in the page, and waits until the right half of the viewer looks different."""
FETCHED = """what => performance.getEntriesByType("resource").filter(one => one.name.includes(what))
    .map(one => one.responseEnd)"""
NOTE_DROP = """performance.clearResourceTimings();
    addEventListener("change", () => { window.dropped = performance.now(); }, true)"""
MOVE_STRENGTH = """const fields = [...document.querySelectorAll(".field")];
    const slider = fields.find(one => one.textContent.startsWith("Strength")).querySelector("input");
    slider.value = %.3f; slider.dispatchEvent(new Event("input"))"""
PRESS = """const event = new KeyboardEvent("keydown", {key: "%s", bubbles: true});
    document.querySelector(".viewer").dispatchEvent(event)"""
WALK = """async seconds => {
    const end = performance.now() + 1000 * seconds;
    let count = 0;
    while (performance.now() < end) {
        await (await fetch(`/api/vaes/walk?model=vae&at=${Math.sin(count)}`)).blob();
        count++;
    }
    return count / seconds;
}"""


def main() -> None:
    """Measure all of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--vae", type=Path, default=ROOT / "tests" / "bundles" / "images", help="to walk through")
    asked = parser.parse_args()
    found: dict[str, Any] = {"processor": processor(), "threads": cores(), "runs": asked.runs}
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        files = {name: _photograph(Path(place), size) for name, size in SIZES.items()}
        folder = Path(place) / "folder"
        shutil.copytree(asked.vae, folder / "vae")
        command = [sys.executable, "-m", "safelight", "studio", folder, "--port", "0", "--state", Path(place) / "state"]
        with subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, text=True) as studio:
            assert studio.stdout is not None
            address = studio.stdout.readline().split(": ", 1)[1].strip()
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 900}, bypass_csp=True)
            try:
                for name, path in files.items():
                    found |= {
                        f"{name}, {what}": times for what, times in _measure(page, address, path, asked.runs).items()
                    }
                found["cancelled batch"] = _cancelled(page, address, asked.runs)
                found["pictures a second of the walk"] = _walk(page, address)
            finally:
                browser.close()
                studio.terminate()
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for name, value in found.items():
        print(f"{name}: {value}")


def _photograph(place: Path, size: tuple[int, int]) -> Path:
    """A noisy JPEG of that size, made of photographs side by side."""
    height, width = size
    rng, rows = np.random.default_rng(0), []
    photographs = [read(path).pixels for path in sorted((DATA / "photos").glob("*.webp"))]
    photographs = [one for one in photographs if one.shape[2] == 3]
    while sum(row.shape[0] for row in rows) < height:
        row: list[np.ndarray] = []
        while sum(one.shape[1] for one in row) < width:
            row.append(photographs[int(rng.integers(len(photographs)))])
        low = min(one.shape[0] for one in row)
        rows.append(np.concatenate([one[:low] for one in row], axis=1)[:, :width])
    whole = np.concatenate(rows)[:height].astype(np.float32)
    noisy = np.rint(np.clip(whole + rng.normal(0, SIGMA, whole.shape), 0, 255)).astype(np.uint8)
    path = place / f"{math.prod(size) // 1_000_000} megapixels.jpg"
    write(Picture(noisy), path)
    return path


def _measure(page: Page, address: str, path: Path, runs: int) -> dict[str, list[float]]:
    """Seconds: median and longest."""
    times: dict[str, list[float]] = {}
    for _ in range(runs):
        page.goto(address)
        page.get_by_text("Nothing is open").wait_for()
        page.evaluate(NOTE_DROP)
        with page.expect_response(lambda one: "/restored/" in one.url, timeout=120_000) as answer:
            page.get_by_label("Choose pictures").set_input_files(path)
        answer.value.finished()  # who asks the page again and again slows it
        page.wait_for_timeout(300)
        dropped = page.evaluate("window.dropped")
        for what, address_part in (("first view, s", "/tiles/"), ("first preview, s", "/restored/")):
            times.setdefault(what, []).append(min(page.evaluate(FETCHED, address_part)) - dropped)
        page.get_by_role("button", name=f"Remove {path.name} from the studio").click()
        page.get_by_text("Nothing is open").wait_for()
    page.get_by_label("Choose pictures").set_input_files(path)
    page.locator(".viewer").wait_for()
    page.get_by_role("button", name="100 %").click()
    _quiet(page)
    strengths = np.linspace(0.9, 0.1, runs)
    times["strength moved, s"] = [_watched(page, MOVE_STRENGTH % strength) for strength in strengths]
    times["picture moved, s"] = [_watched(page, PRESS % "ArrowRight") for _ in range(runs)]
    times["zoomed, s"] = [_watched(page, PRESS % key) for _ in range(runs) for key in ("-", "+")]
    page.get_by_role("button", name=f"Remove {path.name} from the studio").click()
    return {what: _told(values) for what, values in times.items()}


def _watched(page: Page, begin: str) -> float:
    took = float(page.evaluate(WATCH, begin))
    _quiet(page)
    return took


def _quiet(page: Page) -> None:
    page.wait_for_timeout(300)
    page.locator(".busy").wait_for(state="hidden", timeout=120_000)
    page.wait_for_timeout(200)


def _told(milliseconds: Sequence[float]) -> list[float]:
    return [round(statistics.median(milliseconds) / 1000, 3), round(max(milliseconds) / 1000, 3)]


def _cancelled(page: Page, address: str, runs: int) -> list[float]:
    """Seconds from the press to the end of a batch with samples, at moments that differ."""
    folder = Path(tempfile.mkdtemp())
    try:
        path = _photograph(folder, SIZES["12 megapixels"])
        page.goto(address)
        page.get_by_label("Choose pictures").set_input_files(path)
        page.locator(".viewer").wait_for()
        page.get_by_role("spinbutton", name="Samples").fill("4")
        page.get_by_role("spinbutton", name="Samples").press("Tab")
        page.locator("summary", has_text="Files").click()
        page.get_by_label("Write the samples, too").check()
        times = []
        for k in range(runs):
            page.get_by_role("button", name="Restore and save").click()
            page.get_by_role("button", name="Cancel").wait_for()
            page.wait_for_timeout(3000 + 700 * k)
            began = time.monotonic()
            page.get_by_role("button", name="Cancel").click()
            page.get_by_role("button", name="Go on").wait_for(timeout=120_000)
            times.append(1000 * (time.monotonic() - began))
            page.once("dialog", lambda dialog: dialog.accept())
            page.get_by_role("button", name=re.compile("Delete the results|Remove from the list")).click()
            page.get_by_text("No batch yet").wait_for()
        return _told(times)
    finally:
        shutil.rmtree(folder)


def _walk(page: Page, address: str) -> float:
    """Pictures of a walk through latents that the server gives to one page, which asks for one after another."""
    page.goto(f"{address}#models")
    page.wait_for_timeout(3000)
    return round(float(page.evaluate(WALK, 5)), 1)


if __name__ == "__main__":
    main()
