"""What a new user does: open the page as `python app.py` serves it, with the bundled checkpoints and real results.

FCN_SCREENSHOTS=FOLDER writes the pictures of the README.
"""

import os
from pathlib import Path

import pytest
from page_reading import PATIENCE, read_mask, upload, wait_for_masks
from page_server import GRADIO_WARNINGS, serve
from PIL import Image
from playwright.sync_api import expect

import app
from zoo.hub.catalog import Catalog, load
from zoo.hub.settings import HubSettings
from zoo.images.examples import examples
from zoo.models import compiled
from zoo.models.segmentation import segment

pytestmark = GRADIO_WARNINGS
LADDER = [f"{variant}-vgg16bn-w25-ce-camvid" for variant in ("fcn32s", "fcn16s", "fcn8s")]


@pytest.fixture(scope="module")
def address():
    """The page with everything that ships, and no Hub, in float32 on every machine, as what it is compared with."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "multiplies_bfloat16", lambda: False)
        with serve(app.make_page(Catalog(HubSettings()))) as url:
            yield url


@pytest.fixture(params=[1.25])
def tab(browser, address, request):
    """A visitor's tab: the ladder ticked, the first example compared; `param` is screen pixels per CSS pixel."""
    window = {"viewport": {"width": 1360, "height": 1240}, "device_scale_factor": request.param}
    context = browser.new_context(locale="en-US", **window)
    tab = context.new_page()
    tab.set_default_timeout(PATIENCE)
    tab.goto(f"{address}?checkpoints={','.join(LADDER)}")
    wait_for_masks(tab)
    yield tab
    context.close()


def take(tab, name: str, element: str | None = None):
    """A screenshot of the window (or an element), where screenshots are asked for."""
    if folder := os.environ.get("FCN_SCREENSHOTS"):
        tab.mouse.move(0, 0)
        tab.wait_for_timeout(1500)
        (tab.locator(element) if element else tab).screenshot(path=Path(folder) / f"{name}.png")


def assert_masks(tab, photo: Image.Image):
    """Each panel shows, pixel for pixel, what its checkpoint says of the photo.

    Where logits are enlarged to the photo's size, two pixels in a quarter of a million were seen to differ.
    """
    tab.locator("#viewer [data-mode=mask]").click()
    tab.wait_for_timeout(300)
    for name in LADDER:
        model = load(name)
        title = f"FCN-{model.info.variant[3:]}"
        shown = read_mask(tab, title, model.info.labels, photo.size)
        same = shown == segment(model, photo).mask
        assert same.all() if max(photo.size) == model.info.working_size else same.mean() > 0.9999
    tab.locator("#viewer [data-mode=overlay]").click()


# Four panels beside one another: at 3 each photo pixel covers more than one of the screen's.
@pytest.mark.parametrize("tab", [3], indirect=True)
def test_three_real_masks_for_every_example_and_for_a_photo_of_ones_own(tab, tmp_path):
    strip = tab.locator("#examples button")
    assert strip.count() == len(examples())
    for index, example in enumerate(examples()):
        strip.nth(index).click()
        expect(strip.nth(index)).to_have_attribute("aria-pressed", "true")
        tab.wait_for_timeout(1000)
        wait_for_masks(tab)
        with Image.open(example.photo) as photo:
            assert_masks(tab, photo.convert("RGB"))
    with Image.open(examples()[0].photo) as photo:
        own = photo.convert("RGB").transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    own.save(tmp_path / "street.png")
    upload(tab, tmp_path / "street.png")
    tab.wait_for_url(lambda url: "example=" not in url)  # the address is written when the masks are there
    wait_for_masks(tab)
    assert_masks(tab, own)


def test_the_leaderboard_ranks_the_ladder_by_our_own_results(tab):
    take(tab, "compare")
    tab.get_by_role("tab", name="Leaderboard").click()
    rows = tab.locator("#leaderboard tbody tr th[scope=row]")
    expect(rows.first).to_be_visible()
    names = [text for text in rows.all_inner_texts() if "camvid" in text]
    found = [next(name for name in LADDER if name in text) for text in names if any(name in text for name in LADDER)]
    assert found[:3] == LADDER[::-1]
    take(tab, "leaderboard")


def test_the_inside_of_fcn8s_shows_each_rung(tab):
    tab.locator("#inside").get_by_role("button").first.click()
    cards = tab.locator("#inside-viewer .card[data-status=done]")
    expect(cards.first).to_be_visible(timeout=PATIENCE)
    tab.wait_for_timeout(2000)
    assert cards.count() >= 2
    take(tab, "inside", "#inside")
