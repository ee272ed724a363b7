"""What opens from the leaderboard table: details of a row, plots, the images behind a figure."""

import re
from xml.etree import ElementTree

import pytest
from playwright.sync_api import expect
from table_page import BEST, SECOND, names, saved, select

# --- details and plots ---


def test_details_show_classes_matrix_calibration_and_command(visit_table):
    page = visit_table()
    page.get_by_role("button", name=BEST).click()
    detail = page.locator(".detail")
    assert detail.locator(".classes .figure").all_inner_texts() == ["90.0", "30.0", "–"]
    assert detail.locator(".command code").inner_text() == f"python -m evaluation {BEST} --dataset camvid"
    assert "Expected calibration error 3.1 %" in detail.locator(".reliability").inner_text()
    assert detail.locator(".reliability .column").count() == 1  # the empty bin has no bar
    assert detail.locator(".sequences td").all_inner_texts() == ["101", "60.0", "90.0"]
    assert "adamw" in detail.locator(".training").inner_text()
    assert page.get_by_role("button", name=BEST).first.get_attribute("aria-expanded") == "true"


def test_confusion_matrix_is_read_with_the_keyboard(visit_table):
    page = visit_table()
    page.get_by_role("button", name=BEST).click()
    grid = page.get_by_role("grid", name="Confusion matrix")
    grid.locator("td[tabindex='0']").focus()
    assert page.locator(".readout").inner_text() == "label sky, predicted sky: 75.0 % (75 pixels)"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert page.locator(".readout").inner_text() == "label pole, predicted pole: 90.0 % (90 pixels)"
    page.keyboard.press("ArrowDown")
    assert page.locator(".readout").inner_text() == "label bicyclist, predicted pole: no pixel carries this label"
    assert grid.locator("td[tabindex='0']").count() == 1


def test_no_line_through_times_that_noise_may_order(visit_table):
    page = visit_table()
    plot = page.locator("[data-plot='cost']")
    assert plot.locator("svg").count() == 1 and plot.locator(".front").count() == 0
    assert "GMACs" in plot.locator(".mark title").first.text_content()
    assert page.locator("[data-plot='cost'] .mark title").count() == 3
    assert "1 left out" in page.locator("[data-plot='cost'] figcaption").inner_text()


def test_plots_draw_ladder_heat_map_and_losses(visit_table):
    page = visit_table()
    assert page.locator("[data-plot='ladder'] .line").count() == 2  # mIoU and boundary F
    assert page.locator("[data-plot='classes'] .heat").all_text_contents()[:2] == ["90.0", "30.0"]
    assert page.locator("[data-plot='losses'] .mark title").count() == 2  # sky and pole; bicyclist is null
    page.get_by_role("searchbox").fill("fcn8s")
    assert "at least two of the variants" in page.locator("[data-plot='ladder']").inner_text()


def test_losses_are_compared_where_they_were_trained_alike(visit_table):
    plot = visit_table("unlike").locator("[data-plot='losses']")
    titles = plot.locator(".mark title").all_text_contents()
    assert len(titles) == 4 and not [text for text in titles if "+" in text]  # two losses, two classes
    assert "trained alike" in plot.inner_text()


def test_plots_are_saved_as_svg_and_png(visit_table):
    page = visit_table("few", dark=True)
    figure = page.locator("[data-plot='cost']")
    drawing = saved(page, figure.get_by_role("button", name="as SVG"))
    root = ElementTree.fromstring(drawing)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert b"var(" not in drawing and b"color(" not in drawing  # readable by programs that know plain SVG only
    assert saved(page, figure.get_by_role("button", name="as PNG"))[:8] == b"\x89PNG\r\n\x1a\n"


# --- from a figure to its images ---


def drilled_names(page):
    page.locator("dialog .cards li").first.wait_for()
    return [name.split(". ")[1] for name in page.locator("dialog .cards strong").all_inner_texts()]


def test_a_figure_leads_to_its_images_and_the_address_restores_them(visit_table):
    page = visit_table()
    page.locator("td[data-column='miou'] button.drill").first.click()
    assert page.evaluate("document.querySelector('dialog.drill').matches(':modal')")
    assert "All classes" in page.locator("dialog h3").inner_text()
    assert "CamVid val · 101 images" in page.locator("dialog header .note").inner_text()
    page.get_by_role("radio", name="Worst first").check()
    page.wait_for_function("document.querySelectorAll('dialog .cards .pictures img').length")
    order = drilled_names(page)
    assert [name[-1] for name in order] == ["2", "0", "3", "1"]  # 30, 20, 10 and 0 wrong columns
    assert page.locator("dialog .cards li").first.get_attribute("class") == "plain"  # its file is gone
    assert "3 can be shown here" in page.locator("dialog .body .note").inner_text()
    page.locator("dialog .cards button").first.click()
    page.locator("dialog .panels[aria-busy=false]").wait_for()
    assert f"2 of 4: {order[1]}" in page.locator("dialog .turn").inner_text()
    assert [text.split("\n")[0] for text in page.locator("dialog figcaption strong").all_inner_texts()] == [
        "Where it is right and wrong",
        BEST,
        "Ground truth",
        "Photo",
    ]
    page.keyboard.press("ArrowRight")
    expect(page.locator("dialog .turn strong")).to_have_text(f"3 of 4: {order[2]}")
    page.reload()
    expect(page.locator("dialog .turn strong")).to_have_text(f"3 of 4: {order[2]}")
    page.keyboard.press("Escape")
    assert drilled_names(page) == order
    page.keyboard.press("Escape")
    expect(page.locator("dialog.drill")).to_have_count(0)
    assert "lb_of" not in page.url and names(page)[0] == BEST


def test_classes_confusions_and_pairs_lead_to_their_images(visit_table):
    page = visit_table()
    select(page, BEST, SECOND)
    page.get_by_role("button", name="The images that decide it").click()
    page.get_by_role("radio", name=re.compile("^FCN-8s .* better$")).check()
    assert drilled_names(page)[0][-1] == "1" and "difference" in page.locator("dialog .cards").inner_text()
    page.get_by_role("radio", name=re.compile("^FCN-16s .* better$")).check()
    page.wait_for_function("document.querySelector('dialog .cards strong')?.textContent.endsWith('2')")
    page.go_back()
    expect(page.locator("dialog.drill")).to_have_count(0)
    page.get_by_role("button", name=BEST).click()
    page.locator(".detail .classes button.drill", has_text="pole").click()
    assert page.locator("dialog h3").inner_text() == "pole" and drilled_names(page)
    page.get_by_role("button", name="Close").click()
    grid = page.get_by_role("grid", name="Confusion matrix")
    grid.locator("td[tabindex='0']").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator("dialog h3")).to_have_text("sky, predicted as pole")
    page.get_by_role("button", name="Close").click()
    assert "sky, predicted pole" in page.evaluate("document.activeElement.getAttribute('aria-label')")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_images_behind_a_figure_fit_a_phone_and_are_accessible(visit_table, dark):
    from axe_playwright_python.sync_playwright import Axe

    pair = f"&lb_of={BEST}%40camvid%2Fval&lb_of={SECOND}%40camvid%2Fval"
    page = visit_table("few", pair, width=390, height=844, dark=dark)
    for at in ("", page.locator("dialog .cards button strong").first):
        if at:
            at.click()
            page.locator("dialog .panels[aria-busy=false]").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.locator("dialog .body").evaluate("node => node.scrollWidth <= node.clientWidth")
        found = Axe().run(page, context="dialog.drill").response["violations"]
        assert [issue["id"] for issue in found if issue["impact"] in ("serious", "critical")] == []
