"""Inside the network on the static page: the served page's score maps, in the visitor's browser."""

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import expect
from site_page import NETWORKS, RECORD, TIMEOUT, in_node, needs_engine, pictures, served, wait_until_done

from zoo.hub.catalog import load
from zoo.images.examples import examples
from zoo.images.photo import decode_image
from zoo.models.score_maps import ladder, stages

CONTEXTS = [
    ({"viewport": {"width": 1440, "height": 1000}, "locale": "en-US"}, "Inside FCN-8s", "Fused 16"),
    ({"viewport": {"width": 390, "height": 844}, "locale": "pt-BR"}, "Por dentro de FCN-8s", "Soma 16"),
]


def on_server(name: str, index: int) -> list[np.ndarray]:
    """The masks (H, W) of the score maps that the served page shows of an example, computed in float32."""
    model, decoded = load(name), decode_image(examples()[index].photo)
    seen = decoded.seen(model.info.working_size)
    return [stage.mask for stage in stages(model, seen, mask_size=decoded.display.size, precision="fp32")]


def counted(mask: np.ndarray, truth: np.ndarray) -> float:
    """mIoU in percent of CamVid's eleven classes, counted by hand."""
    known, found = truth < 11, []
    for label in range(11):
        target, said = (truth == label) & known, (mask == label) & known
        if (union := (target | said).sum()) > 0:
            found.append((target & said).sum() / union)
    return 100 * float(np.mean(found))


@needs_engine
@pytest.mark.parametrize(("options", "heading", "fused"), CONTEXTS, ids=["wide, English", "phone, Portuguese"])
def test_strip_and_viewer_show_the_score_maps_of_the_network(site_folder, browser, options, heading, fused):
    asked, wrong = [], []
    with served(site_folder) as address, browser.new_context(**options) as context:
        context.add_init_script(RECORD)
        context.on("request", lambda request: asked.append(request.url))
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(address)
        wait_until_done(page, 2)
        page.wait_for_selector("#rungs .rung >> nth=5", timeout=TIMEOUT)
        assert heading in page.inner_text("#rungs h3") and fused in page.inner_text("#rungs ol")
        made = [np.array(image) for image in pictures(page)[-5:]]
        assert_close(made, on_server(NETWORKS[1], 0)[:-1])
        shown = page.locator("#rungs .rung small").all_inner_texts()
        with Image.open(examples()[0].truth) as stored:
            expected = [counted(mask, np.array(stored)) for mask in on_server(NETWORKS[1], 0)]
        numbers = [float(text.replace("mIoU", "").replace("%", "").replace(",", ".")) for text in shown]
        assert numbers == pytest.approx(expected, abs=0.3)

        page.click("#inside summary")
        page.wait_for_selector("#inside-viewer canvas >> nth=6", timeout=TIMEOUT)
        page.select_option("#inside-whose", NETWORKS[0])
        expect(page.locator("#rungs .rung")).to_have_count(2)
        assert page.evaluate("document.documentElement.scrollWidth") <= options["viewport"]["width"]
        assert [found["id"] for found in Axe().run(page).response["violations"]] == []
        page.click("#forget")
        assert page.is_hidden("#rungs h3") and page.is_hidden("#inside")
        assert {url.split("/")[2] for url in asked if url.startswith("http")} == {address.split("/")[2]}
        assert wrong == []


def assert_close(made: list[np.ndarray], expected: list[np.ndarray]) -> None:
    """Of each picture nearly all pixels: 16-bit weights move a few scores."""
    for mask, other in zip(made, expected, strict=True):
        assert mask.shape == other.shape and (mask == other).mean() >= 0.99


@pytest.mark.parametrize(("stride", "offset"), [(8, 0), (16, 6), (32, 19)])
def test_blocks_lie_where_the_network_looks(stride, offset):
    """Each pixel has the score in whose square its middle lies, by exact fractions."""
    (width, height), (wide, high) = (97, 53), (61, 40)
    columns, rows = (wide + offset) // stride + 1, (high + offset) // stride + 1
    values = np.arange(rows * columns, dtype=np.uint8).reshape(rows, columns)

    def place(index: int, size: int, seen: int) -> int:
        return floor(Fraction(floor(Fraction(2 * index + 1, 2) * Fraction(seen, size)) + offset, stride))

    expected = [[values[place(y, height, high), place(x, width, wide)] for x in range(width)] for y in range(height)]
    code = f"""
      import {{ readFileSync, writeSync }} from "node:fs";
      const map = {{ data: new Uint8Array(readFileSync(0)), width: {columns} }};
      const grid = {{ stride: {stride}, offset: {offset} }};
      writeSync(1, resample.blocks(map, {width}, {height}, {{ width: {wide}, height: {high} }}, grid));
    """
    assert in_node(code, values.tobytes()) == np.array(expected, np.uint8).tobytes()


@pytest.mark.parametrize("variant", ["fcn32s", "fcn16s", "fcn8s"])
def test_ladder_names_the_stages_of_a_network(make_model, variant):
    model = make_model(variant)
    found = stages(model, Image.new("RGB", (64, 64)))
    assert list(ladder(model.config)) == [(stage.name, stage.stride) for stage in found]
