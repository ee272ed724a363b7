"""The checkpoint list in a real Chromium: grid of variants and losses, cards, filters, ticks by mouse and by key."""

import json

import gradio as gr
import pytest
from axe_playwright_python.sync_playwright import Axe
from page_server import GRADIO_WARNINGS
from playwright.sync_api import expect
from test_titles import LOSSES, NINE, VARIANTS, info

from zoo.page import components
from zoo.page.components import component_files
from zoo.page.controls import picker_value

pytestmark = GRADIO_WARNINGS
NAMES = [one.name for one in NINE]


def nine_scores() -> dict[str, dict]:
    """mIoU 0.50, 0.51, ... by weights sha256, with intervals of 2 points on each side; the last was not evaluated."""
    found = {}
    for index, one in enumerate(INFOS[:8]):
        miou = 0.50 + index / 100
        found[one.sha256] = {"miou": miou, "miou_interval": [miou - 0.02, miou + 0.02]}
    return found


INFOS = [info(one.variant, one.loss, sha256=f"{index:064d}") for index, one in enumerate(NINE)]


@pytest.fixture(scope="module")
def address():
    """A page with the list alone: shows the value that is sent, tells what it triggers and what is ticked."""
    with gr.Blocks(title="List", analytics_enabled=False) as page:
        gr.Markdown("# List")
        sent = gr.Textbox(label="value", elem_id="sent")
        button = gr.Button("Send", elem_id="send")
        with gr.Column(elem_id="controls"):
            picker = gr.HTML(None, apply_default_css=False, elem_id="picker", **component_files("picker"))
        heard = gr.Textbox(label="heard", elem_id="heard")
        button.click(json.loads, sent, picker)
        picker.preset(lambda value: f"preset {value['selected']}", picker, heard)

        def named(event: gr.EventData) -> str:
            return f"details {event.name}"

        picker.details(named, None, heard)
    launched = {"prevent_thread_lock": True, "quiet": True, "ssr_mode": False, "server_name": "127.0.0.1"}
    _, url, _ = page.launch(css_paths=[components.FOLDER / "page.css"], **launched)
    yield url
    page.close()


@pytest.fixture
def show(browser, address):
    """A function that opens the list with the given checkpoints ticked; no script may fail."""
    contexts, problems = [], []

    def open_list(infos=INFOS, selected=(), width=1280, theme="light", language="en"):
        contexts.append(browser.new_context(viewport={"width": width, "height": 844}, locale=language))
        tab = contexts[-1].new_page()
        tab.on("pageerror", lambda error: problems.append(str(error)))
        tab.goto(f"{address}?__theme={theme}")
        value = picker_value(list(infos), nine_scores(), list(selected), language)
        tab.fill("#sent textarea, #sent input", json.dumps(value))
        tab.click("#send button, button#send")
        tab.locator("#picker input").nth(len(infos) - 1).wait_for()
        return tab

    yield open_list
    for context in contexts:
        context.close()
    assert problems == []


def heard(tab):
    return tab.locator("#heard textarea, #heard input")


def ticked(tab) -> list[str]:
    return tab.locator("#picker input:checked").evaluate_all("boxes => boxes.map((box) => box.value)")


def test_nine_stand_in_a_table_of_variants_and_losses(show):
    tab = show()
    table = tab.get_by_role("table")
    assert table.get_by_role("columnheader").all_inner_texts() == ["CE", "Focal", "Dice"]
    assert table.get_by_role("rowheader").all_inner_texts() == ["FCN-32s", "FCN-16s", "FCN-8s"]
    boxes = table.get_by_role("checkbox")
    assert boxes.evaluate_all("boxes => boxes.map((box) => box.value)") == NAMES
    assert boxes.nth(1).get_attribute("aria-label") == "FCN-32s · Focal: mIoU 51.0 % ±2.0"
    assert boxes.nth(8).get_attribute("aria-label") == "FCN-8s · Dice: not evaluated"
    assert tab.locator("#picker .picker-filter").count() == 0
    tab.get_by_role("button", name=f"Open the leaderboard: {NAMES[4]}").click()
    expect(heard(tab)).to_have_value(f"details {NAMES[4]}")
    assert tab.locator("#picker .picker-link").count() == 8


def test_headings_tick_rows_and_columns_also_by_key(show):
    tab = show()
    tab.get_by_role("button", name="Focal", exact=True).click()
    assert ticked(tab) == [f"{variant}-focal" for variant in VARIANTS]
    tab.get_by_role("button", name="FCN-8s", exact=True).focus()
    tab.keyboard.press("Enter")
    expect(tab.locator("#picker input:checked")).to_have_count(5)
    tab.keyboard.press("Enter")
    expect(tab.locator("#picker input:checked")).to_have_count(2)  # the row's own are gone, the column's rest stays
    assert ticked(tab) == ["fcn32s-focal", "fcn16s-focal"]
    tab.locator(f"#picker input[value='{NAMES[0]}']").focus()
    tab.keyboard.press("Space")
    assert ticked(tab) == [NAMES[0], "fcn32s-focal", "fcn16s-focal"]


@pytest.mark.parametrize(
    ("preset", "names"),
    [
        ("Ladder", [f"{variant}-focal" for variant in VARIANTS]),  # 0.57 is the best score: its ladder is shown
        ("Losses", [f"fcn8s-{loss}" for loss in LOSSES]),
        ("Best", ["fcn8s-focal"]),
        ("All", NAMES),
    ],
)
def test_each_preset_is_one_click(show, preset, names):
    tab = show()
    tab.get_by_role("button", name=preset, exact=True).click()
    expect(heard(tab)).to_have_value(f"preset {names}")
    assert ticked(tab) == names


def test_more_than_nine_cards_get_filters_and_the_limit_holds(show):
    remote = [info("fcn8s", "ce", source="hub", location=f"ana/net{index}", revision="0" * 40) for index in range(10)]
    tab = show([*INFOS, *remote], [*NAMES[:8], "ana/net0"])
    expect(tab.locator("#picker input:disabled")).to_have_count(10)
    assert tab.locator("#picker .picker-list > .picker-item").count() == 10  # the Hub's stand below the grid
    filters = tab.locator("#picker .picker-filters")
    filters.get_by_role("button", name="FCN-8s", exact=True).click()
    expect(tab.locator("#picker input")).to_have_count(13)
    filters.get_by_role("button", name="Dice", exact=True).click()
    expect(tab.locator("#picker input")).to_have_count(1)
    assert tab.get_by_role("table").count() == 0
    filters.get_by_role("button", name="All", exact=True).first.click()
    filters.get_by_role("button", name="All", exact=True).last.click()
    expect(tab.locator("#picker input")).to_have_count(19)


def test_one_loss_stands_on_cards(show):
    tab = show([one for one in INFOS if one.loss == "ce"], language="pt-BR")
    assert tab.locator("#picker .picker-title").first.inner_text().startswith("FCN-32s · CE")
    assert "mIoU 50,0 % ±2,0" in tab.locator("#picker .picker-item").first.inner_text()
    assert tab.get_by_role("table").count() == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_grid_is_readable_everywhere(show, theme, width):
    tab = show(selected=NAMES[:4], width=width, theme=theme)
    tab.emulate_media(reduced_motion="reduce")
    found = Axe().run(tab, context="#picker").response["violations"]
    assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    cut = "cells => cells.filter((cell) => cell.scrollWidth > cell.clientWidth + 1).map((cell) => cell.textContent)"
    assert tab.locator("#picker :is(.picker-all, .picker-grid label)").evaluate_all(cut) == []
    small = "nodes => nodes.filter((node) => Math.min(node.offsetWidth, node.offsetHeight) < 24).length"
    assert tab.locator("#picker button").evaluate_all(small) == 0
