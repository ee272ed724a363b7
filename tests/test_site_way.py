"""The way through the static page: what overtakes what, stopping, forgetting, and what is not there."""

from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import expect
from site_page import NETWORKS, TIMEOUT, needs_engine, served, wait_until_done

from zoo.images.examples import examples
from zoo.text import Message, texts

pytestmark = needs_engine
FIRST, SECOND, THIRD = [example.name for example in examples()[:3]]
PHOTO = examples()[4].photo
PENDING = "[...window.made.keys()].filter((address) => !window.revoked.has(address)).length"
# Keeps which object URLs are made and given back.
COUNT = """
  window.made = new Map();
  window.revoked = new Set();
  const [create, revoke] = [URL.createObjectURL, URL.revokeObjectURL];
  URL.createObjectURL = (blob) => {
    const address = create(blob);
    window.made.set(address, blob.size);
    return address;
  };
  URL.revokeObjectURL = (address) => {
    window.revoked.add(address);
    revoke(address);
  };
"""


@contextmanager
def opened(folder: Path, browser, *, networks=NETWORKS[:1], more=(), script: str = "", language: str = "en"):
    """The page with masks of these networks, without a service worker, so that a test can hold back what it fetches."""
    with (
        served(folder) as address,
        browser.new_context(locale=language, service_workers="block") as context,
    ):
        page = context.new_page()
        wrong = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.add_init_script(script)
        page.goto(f"{address}?checkpoints={','.join([*networks, *more])}")
        wait_until_done(page, len(networks))
        yield page
        assert wrong == []


def example(page, name: str):
    return page.locator(f'#examples button[data-name="{name}"]')


def test_an_example_that_comes_late_does_not_replace_a_later_one(site_folder, browser):
    held = []
    with opened(site_folder, browser) as page:
        page.route(f"**/examples/{SECOND}.png", lambda route: held.append(route))
        example(page, SECOND).click()
        example(page, THIRD).click()
        expect(page.locator("#photo img")).to_have_attribute("alt", THIRD, timeout=TIMEOUT)
        with page.expect_response(f"**/examples/{SECOND}.png"):
            held[0].continue_()
        page.wait_for_timeout(500)
        assert page.get_attribute("#photo img", "alt") == THIRD

        held.clear()
        example(page, SECOND).click()
        page.set_input_files("#photo-file", PHOTO)
        expect(page.locator("#photo img")).to_have_attribute("alt", PHOTO.stem)
        with page.expect_response(f"**/examples/{SECOND}.png"):
            held[0].continue_()
        page.wait_for_timeout(500)
        assert page.get_attribute("#photo img", "alt") == PHOTO.stem


def test_another_photo_empties_the_field_of_its_ground_truth(site_folder, browser):
    truth = {"name": "truth.png", "mimeType": "image/png", "buffer": PHOTO.read_bytes()}
    with opened(site_folder, browser) as page:
        page.set_input_files("#truth", truth)
        assert page.input_value("#truth")
        page.set_input_files("#photo-file", PHOTO)
        expect(page.locator("#truth")).to_have_value("")
        page.set_input_files("#truth", truth)
        example(page, THIRD).click()
        expect(page.locator("#truth")).to_have_value("")


def test_stopping_leaves_no_panel_at_work(site_folder, browser):
    with opened(site_folder, browser, networks=NETWORKS) as page:
        page.set_input_files("#photo-file", PHOTO)
        page.locator("#viewer .card[data-status=running]").first.wait_for()
        page.click("#stop")
        stopped = texts("en")["status_stopped"]
        expect(page.locator("#status")).to_have_text(stopped)
        cards = page.locator("#viewer .card")
        expect(cards.last).to_have_attribute("data-status", "failed")
        expect(cards.last.locator(".reading")).to_have_text(stopped)
        page.click("#go")
        wait_until_done(page, 2)
        expect(cards.last).to_have_attribute("data-status", "done", timeout=TIMEOUT)


def test_what_is_forgotten_is_held_by_nothing(site_folder, browser):
    with opened(site_folder, browser, script=COUNT) as page:
        page.set_input_files("#photo-file", PHOTO)
        wait_until_done(page, 1)
        with page.expect_event("worker"):  # the worker that held the photo is gone
            page.click("#forget")
            expect(page.locator("#status")).to_have_text(texts("en")["site_forgotten"])
            assert page.evaluate(PENDING) == 0 and page.locator("#photo img").get_attribute("src") is None
            example(page, THIRD).click()


@pytest.mark.parametrize("language", ["en", "pt-BR"])
def test_a_files_name_is_shown_as_it_is(site_folder, browser, language):
    name = "my*new*plan [a](javascript:b).pdf"
    with opened(site_folder, browser, language=language) as page:
        page.set_input_files("#photo-file", {"name": name, "mimeType": "image/jpeg", "buffer": b"%PDF-1.7 nothing"})
        told = Message("error_document", name=name).in_language(language)
        expect(page.locator("#status")).to_have_text(f"{texts(language)['status_refused']} {told}")
        assert page.locator("#status a, #status em").count() == 0


def test_the_camera_asks_for_a_checkpoint_where_none_is_ticked(site_folder, browser):
    with opened(site_folder, browser) as page:
        page.locator("#picker input:checked").uncheck()
        page.click("#camera-open")
        expect(page.locator(".camera-rate")).to_have_text(texts("en")["error_no_checkpoint"])


def test_a_leaderboard_that_cannot_be_fetched_is_said_and_tried_again(site_folder, browser):
    name = "leaderboard.json"
    with opened(site_folder, browser) as page:
        page.route(f"**/{name}", lambda route: route.abort())
        page.click("#open-leaderboard")
        expect(page.locator("#board-problem")).to_have_text(Message("site_not_here", name=name).in_language("en"))
        page.unroute(f"**/{name}")
        page.click("#open-leaderboard")
        page.locator("#leaderboard tr[data-key]").first.wait_for()
        assert page.inner_text("#board-problem") == ""


# A drop on an element of so many files; gives whether the page took them from the browser.
DROP = """([selector, names]) => {
  const dataTransfer = new DataTransfer();
  for (const name of names) dataTransfer.items.add(new File(["none"], name, { type: "image/png" }));
  const event = new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer });
  document.querySelector(selector).dispatchEvent(event);
  return event.defaultPrevented;
}"""
BROUGHT = "[...document.querySelector('#batch-files').files].map((file) => file.name)"


def test_files_go_to_the_tab_that_is_for_them(site_folder, browser):
    with opened(site_folder, browser) as page:
        shown = page.get_attribute("#photo img", "alt")
        assert page.evaluate(DROP, ["#viewer", ["a.png", "b.png"]])
        assert page.is_visible("#tab-batch") and page.evaluate(BROUGHT) == ["a.png", "b.png"]
        assert not page.evaluate(DROP, ["#batch-files", ["c.png"]])  # the browser puts it there by itself
        assert page.evaluate(DROP, ["#batch-table", ["d.png"]])
        assert page.evaluate(BROUGHT) == ["d.png"] and page.get_attribute("#photo img", "alt") == shown
        page.click("#open-code")
        assert page.evaluate(DROP, ["#code", ["e.png"]])
        assert page.is_visible("#tab-compare") and page.get_attribute("#photo img", "alt") == "e"


def test_what_answered_in_place_of_a_network_is_not_kept(site_folder, browser):
    with opened(site_folder, browser) as page:
        page.route("**/networks/*", lambda route: route.fulfill(body="<html>log in</html>", content_type="text/html"))
        page.locator(f'#picker input[value="{NETWORKS[1]}"]').check()
        page.click("#go")
        second = page.locator("#viewer .card").nth(1)
        expect(second).to_have_attribute("data-status", "failed", timeout=TIMEOUT)
        page.unroute("**/networks/*")
        page.click("#go")
        expect(second).to_have_attribute("data-status", "done", timeout=TIMEOUT)


def test_looking_inside_again_and_again_takes_no_more_memory(site_folder, browser):
    held = []
    with opened(site_folder, browser, script=COUNT) as page:
        for _ in range(3):
            page.click("#inside summary")
            page.locator("#inside-viewer .card[data-status=done]").first.wait_for()
            page.click("#inside summary")
            page.locator("#inside-viewer .card").first.wait_for(state="hidden")
            page.wait_for_function("!document.querySelector('#inside').open")
            page.wait_for_timeout(1500)
            held.append(page.evaluate(PENDING))
        assert len(set(held)) == 1


@pytest.mark.parametrize("language", ["en", "pt-BR"])
def test_a_page_without_its_data_says_so(site_folder, browser, language):
    name = f"data.{language}.json"
    with (
        served(site_folder) as address,
        browser.new_context(locale=language, service_workers="block") as context,
    ):
        page = context.new_page()
        page.route(f"**/{name}", lambda route: route.abort())
        page.goto(address)
        expect(page.locator("#edition")).to_have_text(Message("site_not_here", name=name).in_language(language))


def test_networks_that_the_page_lacks_are_named(site_folder, browser):
    lacking = "fcn8s-vgg16-in-ce+dice-camvid+street"
    told = Message("site_not_offered", names=f"{lacking}, toString").in_language("en")
    with opened(site_folder, browser, networks=NETWORKS[:1], more=["", lacking, "toString"]) as page:
        expect(page.locator("#viewer .notes")).to_contain_text(told)
        page.click("#open-leaderboard")
        page.locator(f'#leaderboard input[aria-label*="{lacking}"]').first.check()
        page.get_by_role("button", name=texts("en", "table")["compare_selected"]).click()
        told = Message("site_not_offered", names=lacking).in_language("en")
        expect(page.locator("#status")).to_contain_text(told)
        assert page.is_visible("#tab-compare") and page.locator("#picker input:checked").count() == 1
