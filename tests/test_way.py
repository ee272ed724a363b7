"""The visitor's way in a real Chromium: nothing stale is shown, history and language keep what was brought, drops."""

import base64
import io
import re
import zipfile
from pathlib import Path

import httpx
import numpy as np
import pytest
from page_reading import DESKTOP, PATIENCE, PHONE, assert_no_overflow, upload, wait_for_masks
from page_server import FOCAL, GRADIO_WARNINGS, LADDER
from PIL import Image
from playwright.sync_api import expect
from test_page import picture

from zoo.images.examples import examples
from zoo.images.photo import decode_image
from zoo.page.comparison import pixel_digest
from zoo.page.uploads import MADE

pytestmark = GRADIO_WARNINGS
expect.set_options(timeout=PATIENCE)
OWN = re.compile("my(%20|_| )street")

# Files of given names, types and content dropped on an element, as a file manager does it.
DROP = """([selector, files]) => {
  const transfer = new DataTransfer();
  for (const [name, type, content] of files) {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], name, {type}));
  }
  const target = document.querySelector(selector);
  for (const kind of ["dragenter", "dragover", "drop"]) {
    target.dispatchEvent(new DragEvent(kind, {dataTransfer: transfer, bubbles: true, cancelable: true}));
  }
}"""


@pytest.fixture
def photo(tmp_path):
    """A photo of the visitor's own."""
    path = tmp_path / "my street.png"
    with Image.open(examples()[3].photo) as whole:
        whole.crop((100, 60, 420, 300)).save(path)
    return path


def bring_own(tab, path):
    """Upload a photo and wait for its masks."""
    upload(tab, path)
    tab.wait_for_function("!document.querySelector('#viewer').textContent.includes('Ground truth')")
    wait_for_masks(tab)
    expect(tab.locator("#examples [aria-pressed=true]")).to_have_count(0)


def test_ticks_and_removed_photo_mark_the_results(visit):
    tab = visit()
    mark = tab.locator("#stale .stale")
    expect(mark).to_be_hidden()
    tab.locator(f"#picker input[value='{FOCAL}']").check()
    expect(mark).to_contain_text("Out of date. Other checkpoints are ticked now than were compared.")
    expect(tab.locator("#status p")).to_be_hidden()
    picture(tab, "out-of-date")
    assert "checkpoints" not in tab.url  # the link leads to what is shown
    tab.locator(f"#picker input[value='{FOCAL}']").uncheck()
    expect(mark).to_be_hidden()
    tab.locator(f"#picker input[value='{FOCAL}']").check()
    mark.get_by_role("button", name="Compare again").click()
    wait_for_masks(tab, 4)
    expect(mark).to_be_hidden()
    tab.wait_for_url(f"**{FOCAL}**")
    tab.get_by_role("button", name="Remove Image").click()
    expect(mark).to_contain_text("has been removed")
    expect(mark.get_by_role("button")).to_be_hidden()


def test_truth_that_is_refused_or_removed_leaves_no_score(visit, photo, tmp_path):
    tab = visit()
    Image.fromarray(np.full((360, 480), 3, np.uint8)).save(tmp_path / "labels.png")
    Image.fromarray(np.full((36, 48), 3, np.uint8)).save(tmp_path / "small.png")
    tab.get_by_role("button", name="Compare with ground truth").click()
    field = tab.locator("#truth input[type=file]")
    field.set_input_files(tmp_path / "small.png")
    expect(tab.locator("#viewer .notes")).to_contain_text("Compared without your ground truth. The label image is 48")
    expect(tab.locator("#viewer .card")).to_have_count(3)
    expect(tab.locator("#iou .iou")).to_be_hidden()
    expect(tab.locator("#stale .stale")).to_be_hidden()
    tab.locator("#truth").get_by_label("Clear").first.click()
    expect(tab.locator("#viewer .card")).to_have_count(4)  # the example's own again
    expect(tab.locator("#iou .iou")).to_be_visible()
    field.set_input_files(tmp_path / "labels.png")
    expect(tab.locator("#iou tbody tr")).to_have_count(12)
    bring_own(tab, photo)
    expect(tab.locator("#truth input[type=file]")).to_have_count(1)  # empty again
    expect(tab.locator("#iou .iou")).to_be_hidden()


def test_a_photo_that_cannot_be_read_leaves_no_doubt(visit, tmp_path):
    tab = visit()
    (tmp_path / "text.png").write_text("this is no image")
    upload(tab, tmp_path / "text.png")
    expect(tab.locator("#status")).to_contain_text("Not compared. This file is not an image that can be read.")
    expect(tab.locator("#stale")).to_contain_text("of another image than the one that is chosen now")


def test_back_and_forward_move_between_comparisons_and_tabs(visit, photo):
    tab = visit()
    first = tab.locator("#examples button").nth(0)
    tab.locator("#examples button").nth(1).click()
    tab.wait_for_url(f"**example={examples()[1].name}**")
    bring_own(tab, photo)
    tab.get_by_role("button", name="Losses").click()
    wait_for_masks(tab, 2)
    tab.wait_for_url("**checkpoints=**")
    tab.get_by_role("tab", name="Leaderboard").click()
    tab.wait_for_url("**tab=leaderboard**")
    tab.go_back()
    expect(tab.locator("#viewer")).to_be_visible()
    expect(tab.locator("#picker input:checked")).to_have_count(2)
    tab.go_back()
    expect(tab.locator("#picker input:checked")).to_have_count(3)
    wait_for_masks(tab, 3)
    expect(tab.locator("#photo img").first).to_have_attribute("src", OWN)
    tab.go_back()
    expect(tab.locator("#examples button").nth(1)).to_have_attribute("aria-pressed", "true")
    wait_for_masks(tab, 3)
    expect(tab.locator("#viewer .card")).to_have_count(4)
    tab.go_back()
    expect(first).to_have_attribute("aria-pressed", "true")
    tab.go_forward()
    tab.go_forward()
    expect(tab.locator("#photo img").first).to_have_attribute("src", OWN)
    wait_for_masks(tab, 3)
    expect(tab.locator("#viewer .card")).to_have_count(3)
    expect(tab.locator("#stale .stale")).to_be_hidden()


def test_steps_through_the_history_faster_than_masks_end_where_the_visitor_is(visit):
    tab = visit()
    for step in (1, 2, 3):
        tab.locator("#examples button").nth(step).click()
        tab.wait_for_url(f"**example={examples()[step].name}**")
    wait_for_masks(tab)
    for moves, shown in (((-1, -1, -1), 0), ((1, 1, 1, -1), 2)):
        steps = "; ".join(f"history.go({move}); await new Promise((then) => setTimeout(then, 40))" for move in moves)
        tab.evaluate(f"(async () => {{ {steps} }})()")
        expect(tab.locator("#examples button").nth(shown)).to_have_attribute("aria-pressed", "true")
        tab.wait_for_function(f"document.querySelector('#visit').dataset.shown.startsWith('{examples()[shown].name}|')")
        wait_for_masks(tab)
        expect(tab.locator("#stale .stale")).to_be_hidden()
    assert f"example={examples()[2].name}" in tab.url
    tab.go_forward()  # no step was written over by a comparison that came late
    tab.wait_for_url(f"**example={examples()[3].name}**")


def test_an_example_that_is_picked_while_another_one_runs_is_compared(visit):
    tab = visit()
    tab.evaluate("[1, 2, 3].forEach((place) => document.querySelectorAll('#examples button')[place].click())")
    tab.wait_for_url(f"**example={examples()[3].name}**")
    wait_for_masks(tab)
    expect(tab.locator("#stale .stale")).to_be_hidden()


def test_language_and_reload_keep_the_visitors_photo(visit, photo):
    tab = visit()
    bring_own(tab, photo)
    visit.leave(lambda: tab.locator("#language").get_by_text("Português").click())
    expect(tab.locator("#go")).to_have_text("Comparar")
    expect(tab.locator("#photo img").first).to_have_attribute("src", OWN)
    wait_for_masks(tab)
    expect(tab.locator("#viewer .card")).to_have_count(3)
    visit.reload(tab)
    wait_for_masks(tab)
    expect(tab.locator("#viewer .card")).to_have_count(3)


def test_unknown_names_in_a_link_are_reported(visit):
    tab = visit(f"checkpoints={LADDER[0]},fcn8s-of-nobody&example=nowhere", count=1)
    expect(tab.get_by_text("The link names checkpoints that are not on offer here: fcn8s-of-nobody.")).to_be_visible()
    expect(tab.get_by_text("There is no example 'nowhere'")).to_be_visible()
    picture(tab, "unknown-names")


def test_dropped_files_that_are_no_image_get_an_answer(visit):
    tab = visit()
    for name, kind, words in (
        ("paper.pdf", "application/pdf", "paper.pdf is a document"),
        ("thing.xyz", "", "thing.xyz is not an image"),
    ):
        for place in ("#results", "#photo"):
            tab.evaluate(DROP, [place, [[name, kind, "AAAA"]]])
            expect(tab.get_by_text(words, exact=False).last).to_be_visible()
            tab.get_by_role("button", name="Close").last.click()
    wait_for_masks(tab)
    tab.evaluate(DROP, ["#photo", [["trip.avi", "video/x-msvideo", "AAAA"]]])  # a video goes where videos are taken
    expect(tab.get_by_role("tab", name="Batch")).to_have_attribute("aria-selected", "true")
    expect(tab.get_by_text("not a video that can be read").last).to_be_visible()


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_several_dropped_images_become_a_batch(visit, viewport):
    tab = visit(viewport=viewport)
    files = [[f"{one.name}.png", "image/png", base64.b64encode(one.photo.read_bytes()).decode()] for one in examples()]
    for dropped in (files[:2], files[1:3]):  # the second time on a field that is full
        tab.evaluate(DROP, ["#headline", dropped])
        expect(tab.get_by_role("tab", name="Batch")).to_have_attribute("aria-selected", "true")
        expect(tab.locator("#batch-table tbody th")).to_have_text(sorted(name for name, *_ in dropped))
        expect(tab.locator(".batch-state")).to_have_text("2 images done.")
    expect(tab.locator("#batch-table thead th")).to_have_count(5)
    assert_no_overflow(tab)
    picture(tab, f"batch-{viewport['width']}")
    with tab.expect_download() as download:
        tab.locator("#batch-download").click()
    with zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes())) as archive:
        assert len([name for name in archive.namelist() if name.startswith("masks/")]) == 6
    if viewport is DESKTOP:
        tab.go_back()
        expect(tab.get_by_role("tab", name="Compare")).to_have_attribute("aria-selected", "true")


def test_a_photo_is_deleted_at_once_with_all_that_was_made_of_it(visit, server, photo):
    page, address = server
    tab = visit()
    bring_own(tab, photo)
    with tab.expect_download():
        tab.locator("#download").click()
    kept = tab.evaluate("window.history.state.photo")
    made = [path for path in MADE if path.endswith("fcn-my street.zip")][-1:]
    digest = pixel_digest(decode_image(photo).image)
    assert Path(kept).exists() and any(digest in key for key in page.segmenter.results.slots)
    tab.locator("#forget").click()
    expect(tab.locator("#status")).to_contain_text("Deleted: your images")
    expect(tab.locator("#viewer .empty")).to_be_visible()
    expect(tab.locator("#stale .stale")).to_be_hidden()
    expect(tab.locator("#photo img")).to_have_count(0)
    assert not any(Path(path).exists() for path in (kept, *made)) and len(made) == 1
    assert not any(digest in key for key in page.segmenter.results.slots)
    assert httpx.get(f"{address}gradio_api/file={kept}").status_code in (403, 404)
    tab.locator("#examples button").nth(1).click()
    wait_for_masks(tab)
    tab.locator("#forget").click()  # an example is everybody's
    expect(tab.locator("#viewer .empty")).to_be_visible()
    tab.locator("#examples button").nth(1).click()
    wait_for_masks(tab)
    assert tab.evaluate("window.history.state?.photo ?? null") is None
