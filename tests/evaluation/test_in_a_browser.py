"""Every page that the program makes, in a real browser: nothing is cut, and nothing is wrong for screen readers."""

from dataclasses import replace

import numpy as np
import pytest

from safelight.downstream.arms import ArmScore
from safelight.downstream.judge import judge
from safelight.downstream.page import html as verdict_html
from safelight.evaluation.codec import Point, RateDistortion
from safelight.evaluation.codec_page import codec_html
from safelight.evaluation.compare_page import Compared, Numbers, compare_html
from safelight.evaluation.images import Evaluation
from safelight.evaluation.page import html as evaluation_html
from safelight.evaluation.uncertainty_view import glow
from tests.support import CHROMIUM

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="chromium is not at hand")]
WIDTHS_PX = (390, 768, 1280, 2560)
LONG = "a_name_of_a_picture_that_is_as_long_as_names_of_pictures_are_on_the_disks_of_people_who_like_long_names.tif"


def comparison(rng: np.random.Generator) -> str:
    pictures = []
    for name, size in (("wide", (40, 120, 3)), (LONG, (120, 40, 1))):
        layers = {"restored": rng.random(size), "uncertainty": glow(rng.random(size) / 9)}
        pictures.append(Compared(name, "noise; PSNR 20.2 → 28.9 dB", rng.random(size), layers))
    rows = [["wide", "noise, JPEG and more", "20.00", "28.00", "+8.00", "91 %"]] * 2
    numbers = Numbers("PSNR in dB", ["picture", "what happened", "before", "after", "gain", "in 90 %"], rows)
    return compare_html("Before and after", pictures, numbers)


def evaluation(rng: np.random.Generator) -> str:
    numbers = {"elbo_nats": -20726.5, "frechet_distance_of_samples_in_features_of_the_sets_own_classifier": 3.25}
    grids = {"Samples of class tulip": rng.random((2, 8, 16, 16, 3)), "one": rng.random((1, 1, 8, 8, 1))}
    return evaluation_html(LONG, Evaluation(numbers, ("Samples look smoother than pictures.",), grids), None)


def codec(rng: np.random.Generator) -> str:
    curves = {
        name: [Point(q, bits_per_pixel=k * (q / 60) ** 2, psnr_db=20 + q / 5, ssim=0.7 + q / 400) for q in (10, 40, 70)]
        for k, name in enumerate(("latent", "jpeg", "webp"), 1)
    }
    crops = [[rng.integers(0, 256, (64, 64, 3), dtype=np.uint8) for _ in range(4)]]
    return codec_html("A codec", RateDistortion(curves, crops, ["0.3 bits per pixel: picture, .latent, JPEG, WebP"]))


def verdict(rng: np.random.Generator) -> str:
    scores = [
        ArmScore(arm, seed, noise, accuracy=0.6 + rng.random() / 9, curve=((10, 0.5), (20, 0.6)))
        for arm in ("none", "classic", "classic_vae")
        for seed in range(4)
        for noise in ((None, 0.5, 2.0) if arm == "classic_vae" else (None,))
    ]
    return verdict_html("Does it help?", judge(scores), scores, ["Trained for 20 steps."])


PAGES = {"comparison": comparison, "evaluation": evaluation, "codec": codec, "verdict": verdict}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_pages(browser, tmp_path, rng, name, scheme):
    (tmp_path / "a.html").write_text(PAGES[name](rng), encoding="utf-8")
    for width in WIDTHS_PX:
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        seen: list[str] = []
        page.on("pageerror", lambda error, seen=seen: seen.append(str(error)))
        page.on("request", lambda request, seen=seen: seen.append(request.url))
        page.goto((tmp_path / "a.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width, "the page scrolls sideways"
        found = axe.Axe().run(page)
        assert not found.response["violations"], found.generate_report()
        assert [one for one in seen if not one.startswith(("file:", "data:"))] == []
        page.close()


def test_a_large_picture_says_how_large_it_is_shown(browser, tmp_path):
    pictures = [Compared("large", "", np.zeros((20, 3200, 3)), {}), Compared("small", "", np.zeros((20, 1600, 3)), {})]
    pictures = [replace(one, layers={"restored": one.before}) for one in pictures]
    (tmp_path / "a.html").write_text(compare_html("Before and after", pictures), encoding="utf-8")
    page = browser.new_page()
    page.goto((tmp_path / "a.html").as_uri())
    assert not page.get_by_text("Below each picture you choose").is_visible() and not page.get_by_role("radio").count()
    large, small = page.locator("figcaption").all_inner_texts()
    assert large == "large: shown here at 50% of its size, so open the files to judge fine grain" and small == "small"


def test_the_scale_stands_below_the_uncertainty(browser, tmp_path, rng):
    (tmp_path / "a.html").write_text(comparison(rng), encoding="utf-8")
    page = browser.new_page()
    page.goto((tmp_path / "a.html").as_uri())
    scale = page.locator(".scale").first
    assert page.get_by_text("Below each picture you choose").is_visible()
    assert not scale.is_visible()
    page.get_by_label("uncertainty").first.check()
    assert scale.is_visible() and scale.inner_text().split() == ["0", "2", "8", "18", "32"]
    page.close()
