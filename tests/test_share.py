"""A view that is shared: the link shows it again, and the picture for slides holds titles, panels and legend."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
from page_reading import PATIENCE, wait_for_masks
from page_server import GRADIO_WARNINGS, LADDER
from PIL import Image
from playwright.sync_api import expect
from test_page import picture

from zoo.images.examples import examples
from zoo.labels import CAMVID as LABELS

pytestmark = GRADIO_WARNINGS
expect.set_options(timeout=PATIENCE)


def asked(tab) -> dict[str, str]:
    """What the address says of the view."""
    return {name[5:]: text[0] for name, text in parse_qs(urlsplit(tab.url).query).items() if name.startswith("view_")}


def test_a_link_shows_the_view_again(visit):
    tab = visit()
    viewer = tab.locator("#viewer")
    assert asked(tab) == {}
    viewer.locator("[data-mode=difference]").click()
    viewer.locator(".reference select").select_option("truth")
    viewer.locator("[data-action=zoom_in]").click()
    viewer.locator(".chip").first.click()
    hidden = viewer.locator(".chip[aria-pressed=false]").get_attribute("data-name")
    canvas = viewer.locator("canvas.picture").nth(1)
    canvas.focus()
    tab.keyboard.press("Shift+ArrowRight")
    position = viewer.locator(".position").inner_text()
    tab.wait_for_url("**view_cross=**")
    tab.wait_for_timeout(700)  # the address is written twice a second
    view = asked(tab)
    assert view["mode"] == "difference" and view["reference"] == "truth" and view["hidden"] == hidden
    assert view["zoom"].startswith("1.50,") and "pinned" in position
    other = visit(tab.url.split("?", 1)[1])
    shown = other.locator("#viewer")
    expect(shown.locator("[data-mode=difference]")).to_have_attribute("aria-pressed", "true")
    expect(shown.locator(".reference select")).to_have_value("truth")
    expect(shown.locator(".chip[aria-pressed=false]")).to_have_attribute("data-name", hidden)
    expect(shown.locator(".position")).to_have_text(position)
    expect(shown.locator(".level")).to_have_text("150%")
    other.wait_for_timeout(700)
    assert asked(other) == view
    other.locator("#examples button").nth(1).click()  # another photo is shown whole
    other.wait_for_url(f"**example={examples()[1].name}**")
    wait_for_masks(other)
    expect(shown.locator(".level")).to_have_text("100%")
    other.wait_for_timeout(700)
    assert "zoom" not in asked(other)


def test_nonsense_in_a_link_is_left_out(visit):
    tab = visit("view_mode=x&view_zoom=1e9,-5,a&view_cross=9999,1.5&view_hidden=nobody,&view_reference=panel:none")
    expect(tab.locator("#viewer [data-mode=overlay]")).to_have_attribute("aria-pressed", "true")
    expect(tab.locator("#viewer .level")).to_have_text("100%")
    expect(tab.locator("#viewer .chip[aria-pressed=false]")).to_have_count(0)
    expect(tab.locator("#viewer .position")).to_have_text("")


def test_the_view_is_saved_as_a_picture_for_slides(visit, tmp_path):
    tab = visit(f"checkpoints={LADDER[0]},{LADDER[2]}", count=2)
    tab.locator("#viewer [data-mode=mask]").click()
    with tab.expect_download() as download:
        tab.locator("#save-view").click()
    assert download.value.suggested_filename == f"fcn-{examples()[0].name}-mask.png"
    path = tmp_path / "view.png"
    path.write_bytes(Path(download.value.path()).read_bytes())
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"))
    assert pixels.shape[1] == 1920 and 300 < pixels.shape[0] < 4000
    found = {tuple(int(part) for part in colour) for colour in np.unique(pixels.reshape(-1, 3), axis=0)}
    names = tab.locator("#viewer .chip").evaluate_all("chips => chips.map((chip) => chip.dataset.name)")
    palette = dict(zip(LABELS.classes, LABELS.palette, strict=True))
    assert names and all(tuple(palette[name]) in found for name in names)
    assert (pixels[:20] == 255).all()  # the margin, above titles
    ink = (pixels[24:64] == (15, 23, 42)).all(-1).sum()
    assert ink > 100  # titles
    picture(tab, "saved-view-page")
    tab.locator("#viewer [data-mode=difference]").click()
    tab.locator("#viewer .chip").first.dblclick()
    with tab.expect_download() as download:
        tab.locator("#save-view").click()
    with Image.open(Path(download.value.path())) as image:
        legend = np.asarray(image.convert("RGB"))[-60:]
    for mark in ((255, 45, 120), (255, 150, 0), (0, 190, 255)):  # what they mean stands below the panels
        assert (legend == mark).all(-1).sum() > 400
    tab.locator("#viewer [data-action=swipe]").click()
    with tab.expect_download() as download:
        tab.locator("#save-view").click()
    with Image.open(Path(download.value.path())) as image:
        assert image.width == 1920
