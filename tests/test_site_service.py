"""The static page's service worker: it answers for the page's own files and leaves alone what lies beside them."""

from collections.abc import Iterator

import pytest
from site_page import served

from zoo.site import build

HTML = "<!doctype html><title>{}</title><script>navigator.serviceWorker?.register('service.js')</script>"


@pytest.fixture
def folder(tmp_path) -> Iterator:
    """A page of the static page's service worker alone, with a picture, and another page in a folder of its own."""
    (tmp_path / "other").mkdir()
    (tmp_path / "index.html").write_text(HTML.format("ours"))
    (tmp_path / "other" / "index.html").write_text("<!doctype html><title>another</title>")
    (tmp_path / "notes.txt").write_text("not of the page")
    (tmp_path / "told.txt").write_text("of the page")
    site = {"files": ["./", "told.txt"], "version": "1"}
    (tmp_path / "service.js").write_text(build.script("service", site))
    return tmp_path


def test_other_pages_and_single_files_are_no_case_of_the_page(folder, browser):
    with served(folder) as address, browser.new_context() as context:
        page = context.new_page()
        page.goto(address)
        page.evaluate("navigator.serviceWorker.ready")
        page.wait_for_function("navigator.serviceWorker.controller")
        for place, words in [("told.txt", "of the page"), ("notes.txt", "not of the page")]:
            page.goto(address + place)
            assert page.inner_text("body") == words
        for place, title in [("other/", "another"), ("other/index.html", "another"), ("?lang=en", "ours")]:
            page.goto(address + place)
            assert page.title() == title
    assert_kept(folder, browser)


def assert_kept(folder, browser) -> None:
    """Without a network the page and its files are there, isolated so that it may have threads."""
    with browser.new_context() as context:
        page = context.new_page()
        with served(folder) as address:
            page.goto(address)
            page.evaluate("navigator.serviceWorker.ready")
            page.wait_for_function("navigator.serviceWorker.controller")
        for place in ("", "index.html", "?example=a"):
            page.goto(address + place)
            assert page.title() == "ours" and page.evaluate("crossOriginIsolated")
        page.goto(f"{address}told.txt")
        assert page.inner_text("body") == "of the page"
