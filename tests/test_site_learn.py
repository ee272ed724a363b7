"""The lesson on the static page: the served page's value in files that are fetched when its tab is opened."""

import json
from urllib.parse import parse_qs

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from site_page import NETWORKS, needs_engine, served, wait_until_done

import app
from zoo.hub.catalog import Catalog
from zoo.hub.settings import HubSettings
from zoo.page.lesson import Lesson
from zoo.text import texts

CONTEXTS = [("en", (1440, 1000)), ("pt-BR", (390, 844))]


@needs_engine
@pytest.mark.parametrize(("language", "size"), CONTEXTS)
def test_lesson_comes_when_its_tab_is_opened_and_works(site_folder, browser, language, size):
    asked, wrong, strings = [], [], texts(language, "learn")
    options = {"viewport": dict(zip(("width", "height"), size, strict=True)), "locale": language}
    with served(site_folder) as address, browser.new_context(**options, service_workers="block") as context:
        context.on("request", lambda request: asked.append(request.url))
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(address)
        wait_until_done(page, 2)
        assert not [url for url in asked if "lesson" in url]
        page.click("#rungs button")  # the strip's way into the lesson
        expect(page.locator(".learn[data-ready]")).to_be_visible()
        assert {url.rsplit("/")[-1] for url in asked if "lesson" in url} == {
            "lesson.js",
            "lesson.json",
            f"lesson.{language}.json",
        }
        assert page.locator(".learn > .part h2").all_inner_texts()[2] == strings["ask_sum_title"]
        check_sum(page, strings)
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        assert [found["id"] for found in Axe().run(page).response["violations"]] == []
        page.click("#open-compare")
        page.click("#open-learn")
        assert page.locator("#learn-sum .told").is_visible()  # not begun anew
        last = page.locator(".path a").last.get_attribute("href")
        assert set(parse_qs(last[1:])["checkpoints"][0].split(",")) <= set(NETWORKS)
        assert {url.split("/")[2] for url in asked if url.startswith("http")} == {address.split("/")[2]}
        assert wrong == []


def check_sum(page, strings: dict) -> None:
    """Once the question is answered the sum follows the cross to another pixel."""
    part = page.locator("#learn-sum")
    expect(part.locator(".play")).to_be_hidden()
    part.locator("button.skip").click()
    expect(part.locator(".told")).to_be_visible()
    assert strings["ask_sum_answer"].split("{")[0] in part.locator(".told").inner_text()
    canvas = part.locator("canvas").first
    before = part.inner_text()
    canvas.focus()
    for _ in range(6):
        canvas.press("ArrowUp")
    assert part.inner_text() != before


@needs_engine
def test_lesson_that_cannot_be_fetched_says_so_and_is_tried_anew(site_folder, browser):
    with served(site_folder) as address, browser.new_context(service_workers="block") as context:
        page = context.new_page()
        page.goto(address)
        wait_until_done(page, 2)
        page.route("**/lesson.json", lambda route: route.abort())
        page.click("#open-learn")
        expect(page.locator("#learn [role=alert]")).to_contain_text("lesson.json could not be fetched")
        page.unroute("**/lesson.json")
        page.click("#open-compare")
        page.click("#open-learn")
        expect(page.locator(".learn[data-ready]")).to_be_visible()


@needs_engine
@pytest.mark.parametrize("language", ["en", "pt-BR"])
def test_files_hold_the_value_of_the_served_page(site_folder, language):
    same, own = (
        json.loads((site_folder / f"lesson.{name}").read_text("utf-8")) for name in ("json", f"{language}.json")
    )
    value = same | own | {"network": same["network"] | own["network"]}
    expected = Lesson(app.make_page(Catalog(HubSettings()))).value(language)
    assert (site_folder / "lesson.js").read_text("utf-8") == expected.pop("script")
    assert set(value.pop("compared")["checkpoints"]) <= set(NETWORKS) and expected.pop("compared")["checkpoints"]
    assert value == json.loads(json.dumps(expected))
    assert "maps" not in own["network"] and "classes" not in same["network"]
