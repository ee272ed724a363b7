"""The lesson in a real Chromium: it asks first, shows what is moved, and answers its own questions."""

import json
import re

import pytest
from page_reading import PHONE, assert_no_overflow, serious_findings, wait_for_masks
from page_server import LADDER
from PIL import Image
from playwright.sync_api import expect

from zoo.images.examples import examples
from zoo.models.score_maps import summands
from zoo.page.components import FOLDER
from zoo.page.lesson_results import split_value, vessels_value
from zoo.places import REPOSITORY
from zoo.text import texts


def answered(tab, name: str, choice: int | None = None):
    """A part of the lesson, once its question has been answered, or skipped."""
    part = tab.locator(f"#learn-{name}")
    expect(part.locator(".play")).to_be_hidden()
    part.locator(f"[data-choice='{choice}']" if choice else "button.skip").click()
    expect(part.locator(".told")).to_be_visible()
    return part


def test_the_lesson_asks_first_and_shows_what_is_moved(visit, server):
    tab = visit()
    expect(tab.locator(".learn")).to_have_count(0)
    tab.get_by_role("tab", name="Learn").click()
    expect(tab.locator(".learn[data-ready]")).to_be_visible()
    tab.wait_for_url("**tab=learn**")
    check_first(tab)
    check_field(tab)
    check_sum(tab, server[0])
    check_upsampling(tab)
    check_losses(tab)
    check_split(tab)
    check_padding(tab)
    check_quiz(tab)
    tab.emulate_media(reduced_motion="reduce")
    for width in (390, 2560):
        tab.set_viewport_size({"width": width, "height": 844})
        assert_no_overflow(tab)
    assert serious_findings(tab) == []


def slide(part, name: str, value: int | float):
    """Move a slider of a part with the keys, as a person without a mouse does."""
    field = part.locator(f"input[name={name}]")
    field.focus()
    step = float(field.get_attribute("step"))
    distance = round((value - float(field.input_value())) / step)
    for _ in range(abs(distance)):
        field.press("ArrowRight" if distance > 0 else "ArrowLeft")


def check_first(tab):
    """The window moves by one cell, and another class gives another map."""
    part = answered(tab, "first", 1)
    canvas = part.locator("canvas")
    before = part.locator(".finding").inner_text()
    canvas.focus()
    canvas.press("ArrowRight")
    after = part.locator(".finding").inner_text()
    columns = [int(text.removeprefix("Column ").split(",")[0]) for text in (before, after)]
    assert columns[1] == columns[0] + 1
    part.get_by_label("Map of the class").select_option(label="sky")
    expect(part.locator(".finding")).to_contain_text("Strongest for sky")
    expect(part.locator(".chances li")).to_have_count(4)


def check_field(tab):
    """A finer grid leaves more room to thin things, on the photo and in the table."""
    part = answered(tab, "field", 2)
    expect(part.locator(".finding")).to_contain_text("32 × 32 pixels; the bright window around it, 276 × 276")
    part.get_by_role("button", name="Stride 8").click()
    expect(part.locator(".finding")).to_contain_text("8 × 8 pixels; the bright window around it, 44 × 44")
    row = part.locator("tr").filter(has=tab.get_by_role("rowheader", name="pole"))
    figures = [int(text.rstrip("%")) for text in row.locator("td span").all_inner_texts()]
    assert figures == sorted(figures) and figures[0] < figures[2]


def check_upsampling(tab):
    """Formula, counts and the square follow the sliders; a learned kernel brings its own size."""
    part = answered(tab, "up", 2)
    expect(part.locator(".verdict")).to_have_text("Right.")
    slide(part, "kernel", 4)
    expect(part.locator(".formula")).to_contain_text("(5 − 1) · 2 + 4 − 2 · 0 = 12")
    part.get_by_role("button", name="Bilinear").click()
    expect(part.locator(".finding")).to_contain_text("it is 1.00 everywhere")
    slide(part, "kernel", 3)
    slide(part, "active", 3)
    expect(part.locator(".finding")).to_contain_text("Input 4 paints outputs 7 to 9. ")
    assert part.locator(".fan .count").all_text_contents() == list("11212121211")
    slide(part, "padding", 1)
    expect(part.locator(".formula")).to_contain_text("= 9")
    part.get_by_role("button", name="Learned").click()
    expect(part.locator(".formula")).to_contain_text("(5 − 1) · 2 + 4 − 2 · 1 = 10")
    part.get_by_label("Class of the learned kernel").select_option(index=3)
    box = part.locator(".fan").bounding_box()
    tab.mouse.click(box["x"] + box["width"] / 2, box["y"] + 10)
    expect(part.locator(".finding")).to_contain_text("Input 3 ")


def check_losses(tab):
    """Who wins follows the loss and the number of rare pixels."""
    part = answered(tab, "loss", 1)
    expect(part.locator(".finding")).to_have_text("Cross-entropy: the pavement wins, its push is 3.4 times the pull.")
    part.get_by_role("button", name="Weighted").click()
    expect(part.locator(".finding")).to_have_text("Weighted: the crack wins, its pull is 14.0 times the push.")
    part.get_by_role("button", name="Cross-entropy").click()
    slide(part, "count", 20)
    expect(part.locator(".finding")).to_contain_text("Cross-entropy: the crack wins")
    *losses, person = part.locator(".real").last.locator("tbody tr").all()
    rows = vessels_value()["rows"]
    for line, row in zip([*losses, person], rows, strict=True):
        cells = line.locator("td span").all_inner_texts()
        figures = [figure["value"] for name, figure in row["figures"].items() if name != "mIoU"]
        expected = ["–" if value is None else f"{100 * value:.1f}" for value in figures]
        assert [cell.split("%")[0].split(" ")[0] for cell in cells] == expected
    assert person.locator("th").inner_text() == "A second person" and person.locator("td").last.inner_text() == "–"
    assert len(losses) == 5 and ", s " in losses[0].locator("td").first.inner_text()


def check_split(tab):
    """The same frames score higher where their neighbours were trained on, and the page says by how much."""
    value = split_value("en")
    part = answered(tab, "split", 2)
    expect(part.locator(".verdict")).to_have_text("Right.")
    expect(part.locator(".told")).to_contain_text(f"{100 * value['gap']:.1f} points")
    shown = [f"{100 * value['runs'][way]['miou']:.1f}%" for way in ("video", "frame")]
    expect(part.locator(".finding")).to_contain_text(f"none of this video's {len(value['frames'])} frames")
    expect(part.locator(".finding")).to_contain_text(f"frames: {shown[0]}")
    expect(part.locator("svg .near")).to_have_count(0)
    button = part.get_by_role("button", name="By frame")
    button.focus()
    button.press("Enter")
    near = len(value["frames"]) - sum(value["frames"])
    expect(part.locator("svg .near")).to_have_count(near)
    expect(part.locator("svg .scored")).to_have_count(sum(value["frames"]))
    expect(part.locator(".finding")).to_contain_text(f"{near} of this video's")
    expect(part.locator(".finding")).to_contain_text(f"frames: {shown[1]}")
    assert part.locator("svg").get_attribute("aria-label") == part.locator(".finding").inner_text()
    row = part.locator("tr").filter(has=tab.get_by_role("rowheader", name="mIoU", exact=True))
    assert row.locator("td").all_inner_texts() == [*shown, f"{100 * value['gap']:+.1f}"]
    expect(part.locator("td.chosen")).to_have_text(
        [shown[1], *(f"{100 * one['ious'][1]:.1f}%" for one in value["classes"])]
    )


def check_padding(tab):
    """The ruler's sizes follow the slider, and its crops the network and the padding."""
    part = answered(tab, "pad", 3)
    expect(part.locator(".verdict")).to_contain_text("Not quite.")
    expect(part.locator(".derivation")).to_contain_text("27 + 4 = 31")
    slide(part, "size", 358)
    expect(part.locator(".lane-row p").first).to_have_text("Image: 358 pixels")
    part.get_by_role("button", name="FCN-32s").click()
    expect(part.locator(".derivation")).to_contain_text("3 + 16 = 19")
    part.get_by_role("button", name="Same").click()
    expect(part.locator(".derivation")).to_contain_text("up at its end to 384")


def check_quiz(tab):
    """Right answers count, and the score is forgotten on request."""
    part = tab.locator("#learn-quiz")
    for number, choice in enumerate((1, 2, 2, 2, 1, 2, 2, 1, 1, 3, 2, 2), 1):  # the last one is wrong
        part.locator(f"input[name=quiz-{number}][value='{choice}']").check()
    part.get_by_role("button", name="Check my answers").click()
    expect(part.locator(".verdict").last).to_have_text("11 of 12 right.")
    expect(part.locator("fieldset[data-verdict=wrong]")).to_have_count(1)
    part.get_by_role("button", name="Start again").click()
    expect(part.locator("input:checked")).to_have_count(0)


def test_each_step_of_the_path_opens_the_page_in_its_state(visit):
    tab = visit("tab=learn")
    steps = tab.locator(".learn .path a")
    expect(steps).to_have_count(6)
    for index, name in enumerate(("first", "field", "field", "sum", "sum")):
        steps.nth(index).click()
        part = tab.locator(f"#learn-{name}")
        if part.locator("button.skip").is_visible():
            part.locator("button.skip").click()
        expect(part).to_be_in_viewport()
        assert f"learn={name}" in tab.url
    expect(part.locator(".marks")).to_be_visible()
    expect(tab.locator("#learn-field .choice [aria-pressed=true]")).to_have_text("Stride 32")  # a state of its own step
    place = tab.url.split("learn_pixel=")[1].split("&")[0].replace("%2C", ",").split(",")
    expect(part.locator(".finding")).to_contain_text(f"Pixel {place[0]}, {place[1]}.")
    last = steps.nth(5).get_attribute("href")
    tab.goto(tab.url.split("?")[0] + last)
    wait_for_masks(tab)
    expect(tab.locator("#viewer [data-mode=difference]")).to_have_attribute("aria-pressed", "true")


def pixel_of(part) -> tuple[int, int]:
    """The pixel that a part's finding tells of."""
    told = part.locator(".finding").inner_text()
    x, y = told.removeprefix("Pixel ").split(".")[0].split(", ")
    return int(x), int(y)


def check_sum(tab, page):
    """The numbers under the cross are the network's, by pointer and by keys; the answer is remembered."""
    part = answered(tab, "sum", 1)
    expect(part.locator(".verdict")).not_to_be_empty()
    canvas = part.locator("canvas").first
    canvas.focus()
    x, y = pixel_of(part)
    canvas.press("ArrowRight")
    canvas.press("Shift+ArrowDown")
    assert pixel_of(part) == (x + 8, y + 1)
    assert canvas.get_attribute("aria-label").endswith(part.locator(".finding").inner_text())
    canvas.click(position={"x": 3, "y": 3})
    with Image.open(examples()[0].photo) as photo:
        found = summands(page.segmenter.model(page.infos[LADDER[2]]), photo.convert("RGB"))
    x, y = pixel_of(part)
    assert (x, y) < (30, 30)
    titles = part.locator("table.sum tr.result td.top").all_inner_texts()
    classes = page.infos[LADDER[2]].labels.classes
    assert titles == [classes[mask[y, x]] for mask in found.masks.values()]
    part.get_by_role("button", name="What each skip changed").click()
    expect(part.locator(".marks")).to_be_visible()
    part.get_by_role("button", name="Ask me again").click()
    expect(part.locator(".play")).to_be_hidden()
    answered(tab, "sum", 2)


def test_the_lesson_in_portuguese_on_a_phone_in_the_dark(visit):
    tab = visit("tab=learn&learn=sum&learn_pixel=100,120", PHONE, "pt-BR", "dark")
    part = answered(tab, "sum")
    expect(part.locator(".finding")).to_contain_text("Pixel 100, 120.")
    expect(part.locator("h2")).to_have_text(texts("pt-BR", "learn")["ask_sum_title"])
    expect(part).to_be_in_viewport()
    assert_no_overflow(tab)
    assert serious_findings(tab) == []


def test_the_strip_of_score_maps_is_there_from_the_first_visit_and_leads_to_the_lesson(visit):
    tab = visit(viewport=PHONE)
    strip = tab.locator(".rungs")
    expect(strip.locator("img")).to_have_count(6)
    assert_no_overflow(tab)
    assert strip.locator(".sign").all_inner_texts()[1].startswith("+")
    strip.get_by_role("button").click()
    expect(tab.locator(".learn[data-ready]")).to_be_visible()


# For each question of the quiz: the part that answers it, and the words there that do.
ANSWERED_BY = {
    1: ("first", "the very same weights slide over an image of any size"),
    2: ("first", "each of which sees a window of 276 × 276 pixels"),
    3: (
        "field",
        "one class for its whole cell. A pole is a few pixels wide: in most cells it is the minority",
    ),
    4: ("sum", "Two skips add the scores of pool4 (stride 16) and pool3 (stride 8)"),
    5: ("sum", "pool4 (stride 16) and pool3 (stride 8): enlarge ×2, add, enlarge ×2, add, enlarge ×8"),
    6: ("up", "(5 − 1) · 2 + 4 − 2 · 1 = 10"),
    7: ("up", "Where the kernel is a multiple of the stride, every output is painted equally often"),
    8: ("up", "The square is the output of an input of ones: away from the edges it is 1.00 everywhere"),
    9: ("sum", "pixels of a border of the ground truth, where only"),
    10: ("sum", "the class with the largest sum wins"),
    11: ("loss", "Down: the pavement pushes"),
    12: ("pad", "3 + 16 = 19 pixels are cropped"),
}


def test_the_twelve_questions_can_be_answered_from_the_page_alone(visit):
    tab = visit("tab=learn")
    for name in ("first", "field", "sum", "up", "loss", "split", "pad"):
        answered(tab, name)
    up = tab.locator("#learn-up")
    for name, value in (("inputs", 5), ("stride", 2), ("kernel", 4), ("padding", 1)):
        slide(up, name, value)
    up.get_by_role("button", name="Bilinear").click()
    pad = tab.locator("#learn-pad")
    pad.get_by_role("button", name="FCN-32s").click()
    for number, (part, words) in ANSWERED_BY.items():
        expect(tab.locator(f"#learn-{part}"), f"question {number}").to_contain_text(words)
    expect(pad).to_contain_text("−99 + 96 = −3")
    assert len(ANSWERED_BY) == tab.locator("#learn-quiz fieldset").count() == 12


@pytest.mark.parametrize(("language", "name"), [("en", "lesson-skips.md"), ("pt-BR", "aula-saltos.md")])
def test_the_teachers_sheet_has_the_pages_questions_and_their_answers_apart(language, name):
    sheet = (REPOSITORY / "docs" / name).read_text(encoding="utf-8")
    strings = texts(language, "learn")
    questions, answers = sheet.split("\n## ")[1:]
    for number in range(1, 13):
        lines = [f"{number}. {strings[f'quiz_{number}_question']}", ""]
        lines += [
            f"   - {letter}) {strings[f'quiz_{number}_choice_{choice}']}" for choice, letter in enumerate("ABC", 1)
        ]
        assert "\n".join(lines) in questions
    quiz = (FOLDER / "learn" / "script" / "quiz.js").read_text(encoding="utf-8")
    right = json.loads(re.search(r"const RIGHT = (\[.*?\]);", quiz)[1])
    assert " · ".join(f"{number} {'ABC'[choice - 1]}" for number, choice in enumerate(right, 1)) in answers
    assert "break-before: page" in questions
