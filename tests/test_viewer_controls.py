"""What a person does with the viewer: linked view, legend, swipe, keyboard; results that stream in."""

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect
from viewer_page import (
    COLOURS,
    CONFIDENCE,
    HEIGHT,
    MASKS,
    NAMES,
    WIDTH,
    data_url,
    expected_colours,
    labels,
    ladder,
    mask_url,
    panel,
    photo,
    rgb,
    value,
)

# Gradio and its server leave sockets, event loops and deprecations behind that are not ours to mend.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def test_cross_hair_reads_every_mask(viewer):
    viewer.send(ladder())
    for x, y in [(0, 0), (25, 17), (35, 26), (47, 35), (6, 10)]:
        viewer.hover(1, x, y)
        certainty = f"{CONFIDENCE[y, x] / 255:.1%}"
        assert viewer.readings() == [f"{NAMES[MASKS[key][y, x]]} {certainty}" for key in "abc"]
        assert viewer.page.locator(".position").inner_text() == f"x {x}, y {y}"
    assert viewer.page.locator(".grid .cross:not([hidden])").count() == 3
    viewer.page.mouse.move(5, 5)
    assert viewer.readings() == ["small, a", "small, b", "small, c"]


def test_click_pins_the_cross_hair(viewer):
    viewer.send(ladder())
    viewer.hover(0, 20, 20)
    viewer.page.mouse.down()
    viewer.page.mouse.up()
    viewer.hover(1, 3, 3)
    assert viewer.page.locator(".position").inner_text() == "x 20, y 20 · pinned"
    viewer.page.mouse.down()
    viewer.page.mouse.up()
    viewer.hover(1, 5, 5)
    assert viewer.page.locator(".position").inner_text() == "x 5, y 5"


def test_wheel_and_drag_move_all_panels_alike(viewer):
    same = MASKS["c"]
    viewer.send(value(*(panel("c", f"Twin {i}", same, name=f"twin-{i}") for i in range(3))))
    viewer.hover(0, 30, 20)
    before = viewer.pixels(1)
    viewer.page.wait_for_timeout(400)  # a photo that has just rolled under the mouse leaves the wheel to the page
    viewer.page.mouse.wheel(0, -600)
    expect(viewer.page.locator(".level")).not_to_have_text("100%")  # the wheel turns when the browser gets to it
    viewer.settle()
    assert viewer.pixels(0) == viewer.pixels(1) == viewer.pixels(2) != before
    assert viewer.page.locator(".position").inner_text() == "x 30, y 20"  # the point under the mouse stayed there
    zoomed = viewer.pixels(1)
    box = viewer.card(0).locator("canvas.picture").bounding_box()
    viewer.page.mouse.move(box["x"] + 200, box["y"] + 150)
    viewer.page.mouse.down()
    viewer.page.mouse.move(box["x"] + 140, box["y"] + 120, steps=4)
    viewer.page.mouse.up()
    viewer.settle()
    assert viewer.pixels(0) == viewer.pixels(1) == viewer.pixels(2) != zoomed
    viewer.page.click("[data-action=fit]")
    viewer.settle()
    assert viewer.zoom() == "100%"
    assert viewer.pixels(1) == before


def test_zoomed_masks_stay_crisp(viewer):
    viewer.send(ladder())
    viewer.mode("mask")
    viewer.hover(2, 24, 18)
    viewer.page.mouse.wheel(0, -500)
    viewer.settle()
    flat = viewer.page.evaluate(
        """() => { const c = document.querySelectorAll(".card canvas.picture")[2];
            return [...new Set(new Uint32Array(c.getContext("2d").getImageData(0, 0, c.width, c.height).data.buffer))];
        }"""
    )
    palette = {(255 << 24 | b << 16 | g << 8 | r) for r, g, b in map(rgb, COLOURS)}
    assert set(flat) <= palette


def test_wheel_leaves_the_page_alone_when_zoomed_out(viewer):
    viewer.page.set_viewport_size({"width": 1280, "height": 500})
    viewer.send(ladder())
    viewer.hover(0, 20, 5)
    viewer.page.mouse.wheel(0, 200)
    viewer.page.wait_for_function("window.scrollY > 0")
    assert viewer.zoom() == "100%"


def test_click_hides_a_class_everywhere(viewer):
    viewer.send(ladder())
    viewer.mode("mask")
    viewer.page.locator(".chip[data-name=road]").click()
    viewer.settle()
    for index, key in enumerate("abc"):
        assert ((viewer.centres(index)[..., 3] == 0) == (MASKS[key] == 1)).all()
    assert viewer.pressed() == {"sky": "true", "road": "false", "car": "true", "tree": "true"}
    assert viewer.status() == "road hidden"
    viewer.page.click(".show-all")
    assert set(viewer.pressed().values()) == {"true"}


def test_double_click_shows_a_class_alone_and_all_again(viewer):
    viewer.send(ladder())
    viewer.mode("mask")
    viewer.page.locator(".chip[data-name=car]").dblclick()
    viewer.settle()
    assert ((viewer.centres(0)[..., 3] == 255) == (MASKS["a"] == 2)).all()
    assert viewer.pressed() == {"sky": "false", "road": "false", "car": "true", "tree": "false"}
    viewer.page.locator(".chip[data-name=car]").dblclick()
    assert set(viewer.pressed().values()) == {"true"}


def test_table_holds_the_shares_of_every_panel(viewer):
    viewer.send(ladder())
    heads = viewer.page.locator(".shares thead th").all_inner_texts()
    assert heads == ["Class", "FCN-32s", "FCN-16s", "FCN-8s"]
    for index, name in enumerate(NAMES):
        row = viewer.page.locator(".shares tbody tr").nth(index)
        assert row.locator("th[scope=row]").inner_text() == name
        assert row.locator("td").all_inner_texts() == [f"{(MASKS[key] == index).mean():.1%}" for key in "abc"]


def test_classes_that_are_not_there_are_named(viewer):
    mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    viewer.send(value(panel("a", "FCN-32s", mask)))
    assert list(viewer.pressed()) == ["sky"]
    assert viewer.page.locator(".absent").inner_text() == "Not found in this image: road, car, tree"


def test_swipe_shows_one_panel_on_each_side(viewer):
    viewer.send(ladder())
    viewer.mode("mask")
    viewer.page.click("[data-action=swipe]")
    viewer.page.locator(".swiping select").nth(0).select_option("model-a#0")
    viewer.page.locator(".swiping select").nth(1).select_option("model-c#0")
    viewer.settle()
    shown = viewer.centres(0, ".swiping")[..., :3]
    half = WIDTH // 2
    assert (shown[:, : half - 1] == expected_colours(MASKS["a"])[:, : half - 1]).all()
    assert (shown[:, half + 1 :] == expected_colours(MASKS["c"])[:, half + 1 :]).all()
    assert viewer.page.locator(".grid").is_hidden()


def test_divider_moves_with_mouse_and_keys(viewer):
    viewer.send(ladder())
    viewer.mode("mask")
    viewer.page.click("[data-action=swipe]")
    divider = viewer.page.get_by_role("slider", name="Divider between left and right")
    assert divider.get_attribute("aria-valuenow") == "50"
    stage = viewer.page.locator(".swiping .stage")
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    viewer.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 80)
    viewer.page.mouse.down()
    viewer.page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + 80, steps=5)
    viewer.page.mouse.up()
    assert divider.get_attribute("aria-valuenow") == "80"
    divider.focus()
    viewer.page.keyboard.press("ArrowLeft")
    assert divider.get_attribute("aria-valuenow") == "78"
    viewer.settle()
    left = viewer.centres(0, ".swiping")[:, : int(WIDTH * 0.7), :3]
    assert (left == expected_colours(MASKS["a"])[:, : int(WIDTH * 0.7)]).all()
    viewer.page.keyboard.press("Escape")
    assert viewer.page.locator(".grid").is_visible()


def test_keyboard_alone_reaches_everything(viewer):
    viewer.send(ladder())
    page, keys = viewer.page, viewer.page.keyboard
    page.locator("#send").focus()
    for _ in range(40):
        keys.press("Tab")
        if page.evaluate("document.activeElement.matches('canvas.picture')"):
            break
    assert page.evaluate("document.activeElement.matches('canvas.picture')")
    for key, mode in [("m", "mask"), ("c", "contours"), ("f", "confidence"), ("d", "difference"), ("o", "overlay")]:
        keys.press(key)
        assert page.locator(f"[data-mode={mode}]").get_attribute("aria-pressed") == "true"
    keys.press("+")
    assert viewer.zoom() == "150%"
    before = viewer.pixels(1)
    keys.press("ArrowRight")
    viewer.settle()
    assert viewer.pixels(1) != before
    keys.press("0")
    assert viewer.zoom() == "100%"
    keys.press("Shift+ArrowRight")  # starts in the middle
    keys.press("Shift+ArrowDown")
    x, y = WIDTH // 2, HEIGHT // 2 + 1
    assert page.locator(".position").inner_text() == f"x {x}, y {y} · pinned"
    assert [line.split(" ")[0] for line in viewer.readings()] == [NAMES[MASKS[key][y, x]] for key in "abc"]
    page.wait_for_function("document.querySelector('.status').textContent.startsWith('x 24, y 19; FCN-32s: ')")
    name = NAMES[MASKS["a"][y, x]]
    keys.press("h")
    assert viewer.pressed()[name] == "false"
    keys.press("s")
    assert [other for other, shown in viewer.pressed().items() if shown == "true"] == [name]
    keys.press("a")
    assert set(viewer.pressed().values()) == {"true"}
    keys.press("[")
    assert page.locator(".opacity input").input_value() == "50"
    keys.press("p")
    assert page.locator("[data-action=patterns]").get_attribute("aria-pressed") == "true"
    keys.press("r")
    assert page.locator(".reference select").input_value() == "panel:model-a#0"
    keys.press("w")
    assert page.locator(".swiping").is_visible()
    keys.press(".")
    assert page.locator(".stage .divider").get_attribute("aria-valuenow") == "55"
    keys.press("Escape")
    assert page.locator(".swiping").count() == 0


def test_help_sheet_opens_and_closes_by_key(viewer):
    viewer.send(ladder())
    viewer.page.locator("canvas.picture").first.focus()
    viewer.page.keyboard.press("?")
    sheet = viewer.page.get_by_role("dialog", name="Keyboard and mouse")
    assert sheet.is_visible()
    viewer.page.keyboard.press("m")  # the sheet keeps keys from the view
    assert viewer.page.locator("[data-mode=overlay]").get_attribute("aria-pressed") == "true"
    viewer.page.keyboard.press("Escape")
    assert sheet.is_hidden()


def test_keys_outside_the_viewer_stay_with_the_page(viewer):
    viewer.send(ladder())
    viewer.page.locator("#sent textarea, #sent input").fill("")
    viewer.page.locator("#sent textarea, #sent input").press_sequentially("mcd")
    assert viewer.page.locator("[data-mode=overlay]").get_attribute("aria-pressed") == "true"


def test_results_stream_in_without_moving_the_view(viewer):
    waiting = {"status": "waiting", "mask": None, "confidence": None, "milliseconds": None, "shares": None}
    running = waiting | {"status": "running"}
    viewer.send(value(panel("a", "FCN-32s"), panel("b", "FCN-16s", **running), panel("c", "FCN-8s", **waiting)), 1)
    assert viewer.card(1).locator(".message").inner_text() == "Running"
    assert viewer.card(2).locator(".message").inner_text() == "Waiting"
    viewer.mode("mask")
    viewer.page.locator(".chip[data-name=tree]").click()
    viewer.hover(0, 24, 18)
    viewer.page.mouse.down()
    viewer.page.mouse.up()
    viewer.page.mouse.wheel(0, -400)
    viewer.settle()
    zoom, picture = viewer.zoom(), viewer.pixels(0)
    canvas = viewer.card(0).locator("canvas.picture").element_handle()
    viewer.send(value(panel("a", "FCN-32s"), panel("b", "FCN-16s"), panel("c", "FCN-8s", **running)), 2)
    viewer.send(ladder())
    assert viewer.zoom() == zoom != "100%"
    assert viewer.pixels(0) == picture
    assert canvas.evaluate("node => node.isConnected")  # updated in place, not built anew
    assert viewer.pressed()["tree"] == "false"
    assert viewer.page.locator("[data-mode=mask]").get_attribute("aria-pressed") == "true"
    assert viewer.page.locator(".position").inner_text() == "x 24, y 18 · pinned"
    assert viewer.status() == "FCN-8s finished in 61 ms"


def test_another_photo_starts_whole_again(viewer):
    viewer.send(ladder())
    viewer.hover(0, 24, 18)
    viewer.page.mouse.wheel(0, -400)
    viewer.page.locator(".chip[data-name=tree]").click()
    viewer.send(ladder(photo=photo(shade=30)))
    assert viewer.zoom() == "100%"
    assert set(viewer.pressed().values()) == {"true"}


def test_panels_come_go_and_change_their_order(viewer):
    viewer.send(ladder())
    viewer.send(value(panel("c", "FCN-8s"), panel("a", "FCN-32s")))
    assert viewer.page.locator(".card .title").all_inner_texts() == ["FCN-8s", "FCN-32s"]
    viewer.mode("mask")
    assert (viewer.centres(0)[..., :3] == expected_colours(MASKS["c"])).all()
    viewer.send(value(panel("c", "FCN-8s", MASKS["a"])))  # the same checkpoint with another mask
    viewer.page.wait_for_timeout(300)
    assert (viewer.centres(0)[..., :3] == expected_colours(MASKS["a"])).all()
    viewer.send(None)
    viewer.page.locator(".empty").wait_for(state="visible")


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (mask_url(MASKS["a"][:10]), "The mask could not be read: it is 48x10 pixels, the photo is 48x36"),
        (data_url(Image.new("RGB", (WIDTH, HEIGHT))), "The mask could not be read: PNG is neither indexed nor grey"),
        ("data:image/png;base64,aGVsbG8=", "The mask could not be read: not a PNG file"),
        (mask_url(MASKS["a"])[:-60], "The mask could not be read"),
    ],
    ids=["size", "colour", "not a PNG", "cut short"],
)
def test_a_bad_mask_fails_on_its_own_card(viewer, mask, message):
    viewer.send(value(panel("a", "FCN-32s", mask=mask), panel("b", "FCN-16s")), 1)
    viewer.card(0).locator(".reading", has_text=message).wait_for()
    assert viewer.card(0).get_attribute("data-status") == "failed"
    viewer.mode("mask")
    assert (viewer.centres(1)[..., :3] == expected_colours(MASKS["b"])).all()


def test_a_bad_confidence_leaves_the_mask_alone(viewer):
    viewer.send(value(panel("a", "FCN-32s", confidence="data:image/png;base64,aGVsbG8="), panel("b", "FCN-16s")))
    viewer.mode("confidence")
    told = "The confidence could not be read: not a PNG file"
    viewer.card(0).locator(".message", has_text=told).wait_for()
    viewer.mode("mask")
    assert (viewer.centres(0)[..., :3] == expected_colours(MASKS["a"])).all()


def test_failed_panel_shows_its_message(viewer):
    failed = {"status": "failed", "message": "The Hub did not answer.", "mask": None, "confidence": None}
    viewer.send(value(panel("a", "FCN-32s"), panel("b", "FCN-16s", **failed)), 1)
    assert viewer.card(1).locator(".message").inner_text() == "Failed"
    assert viewer.card(1).locator(".reading").inner_text() == "The Hub did not answer."
    assert viewer.status() == "FCN-16s failed: The Hub did not answer."


def test_card_names_score_interval_and_time(viewer):
    viewer.send(ladder())
    card = viewer.card(2)
    assert card.locator(".title").inner_text() == "FCN-8s"
    assert card.locator(".miou").inner_text() == "mIoU 59.0% ±3.0"
    assert card.locator(".miou").get_attribute("title") == "95 % interval 56.0% to 62.0%"
    assert card.locator(".speed").inner_text() == "61 ms"


def test_panels_with_one_title_are_told_apart(viewer):
    losses = [panel("a", "FCN-8s", subtitle="small, ce"), panel("b", "FCN-8s", subtitle="small, dice")]
    viewer.send(value(*losses))
    assert viewer.page.locator(".card .title").all_inner_texts() == ["FCN-8s · ce", "FCN-8s · dice"]
    remote = [panel(key, "FCN-8s · CE", subtitle=f"vgg16bn · camvid · ana/{key}@0123456") for key in "ab"]
    viewer.send(value(*remote))
    found = ["FCN-8s · CE · ana/a@0123456", "FCN-8s · CE · ana/b@0123456"]
    assert viewer.page.locator(".card .title").all_inner_texts() == found


def test_strings_and_numbers_follow_the_page(viewer):
    strings = {"overlay": "Sobreposição", "waiting": "Aguardando", "milliseconds": "{value} ms"}
    viewer.send(ladder(strings=strings, locale="pt-BR", notes=["Imagem reduzida."]))
    assert viewer.page.locator("[data-mode=overlay]").inner_text() == "Sobreposição"
    assert viewer.card(0).locator(".miou").inner_text().replace("\xa0", " ").startswith("mIoU 59,0")
    assert viewer.page.locator(".notes li").all_inner_texts() == ["Imagem reduzida."]


HOSTILE = '<img src=x onerror="window.hacked=1">&lt;b&gt;${1}{{x}}</script>'


def test_hostile_names_are_shown_as_text(viewer):
    names = (HOSTILE, "__proto__", "constructor", "quote\"'")
    bad = labels(names, ("#8080ff", "red;background:url(x)", "javascript:1", "#808000"))
    first = panel("a", HOSTILE, name=HOSTILE, subtitle=HOSTILE, labels=bad)
    failed = panel("b", "FCN-16s", status="failed", message=HOSTILE, mask=None, confidence=None, labels=bad)
    viewer.send(value(first, failed, notes=[HOSTILE]), 1)
    assert viewer.card(0).locator(".title").inner_text() == HOSTILE
    assert viewer.card(1).locator(".reading").inner_text() == HOSTILE
    assert viewer.page.locator(".chip .name").first.inner_text() == HOSTILE
    assert viewer.page.locator(".shares tbody th").all_inner_texts() == list(names)
    viewer.hover(0, 0, 0)
    assert viewer.readings()[0].startswith(HOSTILE)
    viewer.page.click("[data-action=swipe]")
    assert viewer.page.locator(".fcn-viewer img, .fcn-viewer script").count() == 0
    assert viewer.page.evaluate("window.hacked === undefined")
