"""The page as a person uses it, in a real browser; and what screen readers and small screens find in it."""

import io
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

from safelight import Picture, write
from tests.studio.studio_support import served
from tests.studio.test_sets import TRAINING
from tests.support import BUNDLES, CHROMIUM, run_cli

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="chromium is not at hand")]
WCAG = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
PLACES = ("restore", "compress", "models", "data", "runs")
LAYER_JS = """() => { const c = document.querySelector(".pane canvas"), d = c.getContext("2d").getImageData(
    Math.round(c.width * 0.75), Math.round(c.height / 2), 1, 1).data; return [...d].join(); }"""


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("SAFELIGHT_MODELS", str(BUNDLES))
    with served(tmp_path / "state", with_sets(tmp_path / "folder")) as one:
        yield one


def with_sets(folder: Path) -> Path:
    """A folder with a set, a recipe and what a run leaves."""
    rng = np.random.default_rng(0)
    for label in ("a", "b"):
        (folder / "set" / label).mkdir(parents=True)
        for k in range(4):
            pixels = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
            write(Picture(pixels), folder / "set" / label / f"{k}.png")
    (folder / "train.toml").write_text(TRAINING)
    for run, first in (("one", 1), ("two", 2)):
        (folder / "runs" / run / "previews").mkdir(parents=True)
        (folder / "runs" / run / "run.json").write_text("{}")
        lines = [{"stage": 0, "step": k, "loss": 3 - k / 50, "val_mse": first / (1 + k)} for k in range(100)]
        (folder / "runs" / run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    write(Picture(rng.integers(0, 256, (24, 96, 3), dtype=np.uint8)), folder / "runs" / "one" / "previews" / "0.png")
    return folder


@pytest.fixture
def page(browser, server):
    """Nothing may go wrong on it, and nothing may leave the machine."""
    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    wrong: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda message: wrong.append(message.text) if is_wrong(message) else None)
    opened.on("request", lambda one: None if one.url.startswith((server.address, "blob:")) else wrong.append(one.url))
    yield opened
    opened.close()
    assert wrong == []


def is_wrong(message):
    """An error, but for the browser's own line about an answer that refuses something, which the page shows."""
    return message.type == "error" and "the server responded with a status of 422" not in message.text


@pytest.fixture
def given(tmp_path, rng):
    """Two pictures on the disk of a person."""
    folder = tmp_path / "given"
    folder.mkdir()
    for name, size in (("a.png", (700, 600, 3)), ("b.jpg", (200, 300, 3))):
        write(Picture(rng.integers(0, 256, size, dtype=np.uint8)), folder / name)
    return folder


def dropped(page, server, files):
    page.goto(f"{server.address}/#restore")
    page.get_by_text("Nothing is open").wait_for()
    page.get_by_label("Choose pictures").set_input_files(files)
    page.locator(".viewer").wait_for()
    page.get_by_role("button", name=f"Remove {files[-1].name} from the studio").wait_for()


def quiet(page):
    """Until nothing is computed any more."""
    page.wait_for_timeout(300)
    page.locator(".busy").wait_for(state="hidden")
    page.wait_for_timeout(100)


def test_restore_from_the_drop_to_the_export(page, server, given, tmp_path):
    dropped(page, server, [given / "a.png", given / "b.jpg"])
    page.get_by_label("Model").select_option("restore")
    quiet(page)
    restored = page.evaluate(LAYER_JS)
    page.get_by_role("slider", name="Strength").fill("0")
    quiet(page)
    assert page.evaluate(LAYER_JS) != restored  # the strength is seen
    page.get_by_role("slider", name="Strength").fill("0.7")
    page.get_by_role("spinbutton", name="Samples").fill("1")
    page.get_by_role("spinbutton", name="Samples").press("Tab")
    page.get_by_role("button", name="Sample 1").click()
    quiet(page)
    page.get_by_role("button", name="Uncertainty", exact=True).click()
    assert page.get_by_text("standard deviation of each pixel").is_visible()
    page.get_by_role("button", name="Restored").click()
    line = page.get_by_label("Position of the line between before and after")
    box = page.locator(".handle").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] - 200, box["y"] + 30)
    page.mouse.up()
    assert float(line.input_value()) < 40
    page.locator(".viewer").focus()
    page.keyboard.press("1")
    assert page.get_by_text("100 %", exact=True).last.is_visible()
    page.keyboard.press("f")
    assert page.get_by_role("button", name="Before and after in turn").get_attribute("aria-pressed") == "true"
    page.keyboard.press("f")
    page.get_by_label("Which").select_option("dropped")
    page.locator("summary", has_text="Files").click()
    page.get_by_label("Write the samples, too").check()
    page.get_by_role("button", name="Restore and save 2 pictures").click()
    page.get_by_role("heading", name="Restore 2 pictures: done").wait_for(timeout=60_000)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download all as zip").click()
    archive = zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes()))
    made = tmp_path / "made"
    options = ("--model", "restore", "--strength", 0.7, "--samples", 1, "--temperature", 1)
    assert run_cli("enhance", given, "-o", made, *options).returncode == 0
    expected = {path.name: path.read_bytes() for path in made.iterdir() if path.suffix in (".png", ".jpg")}
    assert {name: archive.read(name) for name in archive.namelist()} == expected and len(expected) == 4


def test_settings_stand_side_by_side(page, server, given):
    dropped(page, server, [given / "b.jpg"])
    page.get_by_label("Model").select_option("restore")
    page.get_by_role("button", name="Compare with other settings").click()
    page.get_by_role("slider", name="Strength").fill("0.5")
    page.get_by_role("button", name="Compare with other settings").click()
    assert page.locator(".pane").count() == 3
    page.get_by_role("button", name="Close 0.50 · Restored, restore").click()
    assert page.locator(".pane").count() == 2


def test_failures_are_told_and_batches_forgotten(page, server, given):
    (given / "broken.png").write_bytes((given / "a.png").read_bytes()[:3000])
    dropped(page, server, [given / "b.jpg", given / "broken.png"])
    page.get_by_label("Model").select_option("restore")
    page.get_by_label("Which").select_option("dropped")
    page.get_by_role("button", name="Restore and save").click()
    page.get_by_role("heading", name="Restore 2 pictures: ended with failures").wait_for(timeout=60_000)
    assert page.get_by_text("broken.png: ").first.is_visible()
    page.once("dialog", lambda dialog: dialog.accept())  # the studio keeps its files, and asks
    page.get_by_role("button", name="Delete the results").click()
    page.get_by_text("No batch yet").wait_for()
    page.get_by_role("button", name="Remove b.jpg from the studio").click()
    page.get_by_role("button", name="Remove b.jpg from the studio").wait_for(state="detached")


def test_a_batch_is_cancelled_and_gone_on_with(page, server, given, rng):
    for k in range(6):
        write(Picture(rng.integers(0, 256, (900, 900, 3), dtype=np.uint8)), given / f"large {k}.png")
    dropped(page, server, sorted(given.glob("large*")))
    page.get_by_label("Model").select_option("restore")
    page.get_by_role("spinbutton", name="Samples").fill("4")
    page.get_by_role("spinbutton", name="Samples").press("Tab")
    page.get_by_label("Which").select_option("dropped")
    page.locator("summary", has_text="Files").click()
    page.get_by_label("Write the samples, too").check()
    page.get_by_role("button", name="Restore and save").click()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("heading", name="Restore 6 pictures: cancelled").wait_for(timeout=5000)
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("heading", name="Restore 6 pictures: done").wait_for(timeout=120_000)
    assert page.get_by_text("30 files").is_visible()


def test_what_is_no_picture_is_said(page, server, given):
    (given / "words.png").write_text("no picture")
    page.goto(f"{server.address}/#restore")
    page.get_by_label("Choose pictures").set_input_files([given / "words.png"])
    page.get_by_text("1 file could not be taken").click()
    assert page.get_by_text("words.png: ").is_visible()
    page.get_by_label("Choose pictures").set_input_files([given / "a.png", given / "b.jpg"])
    page.get_by_role("button", name="Remove b.jpg from the studio").wait_for()
    page.get_by_label("Choose pictures").set_input_files([given / "a.png", given / "b.jpg"])
    page.get_by_text("2 of 2 files were in the list already.").wait_for()
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Clear the list").click()
    page.get_by_role("button", name="Remove b.jpg from the studio").wait_for(state="detached")


def test_compress_shows_sizes_and_errors(page, server, given):
    dropped(page, server, [given / "b.jpg"])
    page.get_by_role("link", name="Compress").click()
    page.get_by_role("rowheader", name="AVIF").wait_for(timeout=60_000)
    row = page.get_by_role("row", name="Safelight (.latent)").inner_text()
    page.get_by_role("slider", name="Quality").fill("90")
    page.wait_for_timeout(500)
    page.get_by_text("A part of 512").wait_for(timeout=60_000)
    assert page.get_by_role("row", name="Safelight (.latent)").inner_text() != row
    page.get_by_role("button", name="JPEG to the left").click()
    assert page.locator(".frame .left").inner_text() == "JPEG"


def test_a_vae_is_looked_into(page, server, given):
    dropped(page, server, [given / "a.png", given / "b.jpg"])
    page.get_by_role("link", name="Models").click()
    page.get_by_role("button", name="images").click()
    page.get_by_role("heading", name="New pictures").wait_for()
    walk = page.get_by_alt_text("the picture at this place of the latents")
    sync_api.expect(walk).to_have_attribute("src", re.compile("blob:"), timeout=20_000)
    before = walk.get_attribute("src")
    page.get_by_role("slider", name="Direction 1").fill("2")
    sync_api.expect(walk).not_to_have_attribute("src", before, timeout=20_000)
    page.get_by_label("First picture").select_option(label="a.png")
    page.get_by_label("Last picture").select_option(label="b.jpg")
    way = page.get_by_alt_text("from the first picture to the last")
    sync_api.expect(way).to_have_attribute("src", re.compile("blob:"), timeout=20_000)


def test_a_set_is_looked_at_and_written_with_variants(page, server):
    page.goto(f"{server.address}/#data")
    page.get_by_role("button", name="Look at the set").click()
    page.get_by_text("8 pictures of 2 classes").wait_for()
    sheet = page.get_by_alt_text("contact sheet")
    sync_api.expect(sheet).to_have_attribute("src", re.compile("blob:"), timeout=20_000)
    before = sheet.get_attribute("src")
    page.get_by_label("One more step").select_option("brightness")
    page.get_by_role("button", name="Add this step").click()
    sync_api.expect(sheet).not_to_have_attribute("src", before, timeout=20_000)
    page.get_by_role("button", name="Remove step 1").click()
    page.get_by_label("Folder, inside the studio's").fill("more")
    page.get_by_role("button", name="Write", exact=True).click()
    page.get_by_role("heading", name="Augment set → more: done").wait_for(timeout=30_000)
    assert page.get_by_text("8 originals and 32 variants").is_visible()


def test_a_run_is_shown(page, server):
    page.goto(f"{server.address}/#runs")
    page.get_by_role("img", name="Squared error of held-out pictures").wait_for()
    page.get_by_alt_text("preview of the run").wait_for()
    assert page.get_by_role("button", name="Train").is_visible()
    page.get_by_label("Compare with").select_option("runs/two")
    page.get_by_role("img", name="runs/two: 2 at first").wait_for()


@pytest.mark.parametrize("place", PLACES)
def test_nothing_is_cut_and_screen_readers_find_their_way(browser, server, given, place):
    first = browser.new_page()
    dropped(first, server, [given / "b.jpg"])
    first.close()
    for width, scheme in ((390, "light"), (1280, "dark"), (2560, "light"), (390, "dark")):
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.goto(f"{server.address}/#{place}")
        if place != "data":
            page.locator("main li button").first.click()
        page.wait_for_timeout(800)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, "the page scrolls sideways"
        found = axe.Axe().run(page, options=WCAG)
        assert not found.response["violations"], found.generate_report()
        page.close()
