"""Several images on the static page: a table, and a zip of the masks that the served page would make."""

import base64
import csv
import io
import json
import zipfile

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import expect
from site_page import NETWORKS, TIMEOUT, in_node, needs_engine, served, wait_until_done

from zoo.hub.catalog import load
from zoo.images.examples import examples
from zoo.images.photo import decode_image
from zoo.models.segmentation import segment
from zoo.text import Message, texts

CONTEXTS = [("en", (1440, 1000)), ("pt-BR", (390, 844))]
BROKEN = {"name": "=broken.jpg", "mimeType": "image/jpeg", "buffer": b"no picture at all"}


def on_server(name: str, index: int) -> np.ndarray:
    """The mask (H, W) that the served page shows of an example, computed in float32."""
    decoded = decode_image(examples()[index].photo)
    seen = decoded.seen(load(name).info.working_size)
    return segment(load(name), seen, mask_size=decoded.display.size, precision="fp32").mask


def as_file(path) -> dict:
    return {"name": path.name, "mimeType": "image/png", "buffer": path.read_bytes()}


@needs_engine
@pytest.mark.parametrize(("language", "size"), CONTEXTS)
def test_batch_gives_a_table_and_a_zip_of_masks(site_folder, browser, tmp_path, language, size):
    asked, wrong, strings = [], [], texts(language)
    options = {"viewport": dict(zip(("width", "height"), size, strict=True)), "locale": language}
    with served(site_folder) as address, browser.new_context(**options) as context:
        context.on("request", lambda request: asked.append(request.url))
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(address)
        wait_until_done(page, 2)
        page.click("#open-batch")
        page.click("#batch-go")
        expect(page.locator("#batch-status")).to_have_text(strings["error_no_image"])
        page.set_input_files("#batch-files", [BROKEN, *(as_file(example.photo) for example in examples()[:2])])
        page.click("#batch-go")
        expect(page.locator("#batch-download")).to_be_visible(timeout=TIMEOUT)
        assert page.inner_text("#batch-table .batch-state") == Message("batch_done", total=3).in_language(language)
        rows = page.locator("#batch-table tbody tr")
        assert rows.count() == 3 and strings["error_not_an_image"] in rows.filter(has_text="broken").inner_text()
        with page.expect_download() as found:
            page.click("#batch-download")
        found.value.save_as(tmp_path / "masks.zip")
        check_zip(tmp_path / "masks.zip")
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        assert [found["id"] for found in Axe().run(page).response["violations"]] == []

        page.click("#batch-go")  # a comparison ends it: one at a time
        page.click("#open-compare")
        page.click("#go")
        wait_until_done(page, 2)
        stopped = strings["batch_stopped"].split("{")[0]
        expect(page.locator("#batch-table .batch-state")).to_contain_text(stopped)
        page.click("#forget")
        expect(page.locator("#batch-table .batch")).to_be_hidden()
        assert page.input_value("#batch-files") == ""
        assert {url.split("/")[2] for url in asked if url.startswith("http")} == {address.split("/")[2]}
        assert wrong == []


def check_zip(path) -> None:
    """The masks are those of a server on nearly all pixels, and the CSV has their shares."""
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        stems = [example.photo.stem for example in examples()[:2]]
        expected = {f"masks/{network}/{stem}.png" for network in NETWORKS for stem in stems}
        assert set(archive.namelist()) == expected | {"table.csv"}
        masks = {name: np.array(Image.open(archive.open(name))) for name in expected}
        lines = list(csv.DictReader(io.StringIO(archive.read("table.csv").decode(), newline="")))
    for index, stem in enumerate(stems):
        found = [masks[f"masks/{network}/{stem}.png"] for network in NETWORKS]
        for network, mask in zip(NETWORKS, found, strict=True):
            assert (mask == on_server(network, index)).mean() >= 0.999
            (line,) = [row for row in lines if row["image"] == f"{stem}.png" and row["checkpoint"] == network]
            assert float(line["road"]) == pytest.approx((mask == 3).mean(), abs=1e-9)
            assert float(line["disagreement"]) == pytest.approx((found[0] != found[1]).mean(), abs=1e-9)
    (refused,) = [row for row in lines if row["error"]]
    assert refused["image"] == "'=broken.jpg"  # no formula for a spreadsheet


def test_zip_is_one_that_python_reads():
    files = {"a.txt": b"a", "masks/rua são joão.png": bytes(range(256)) * 300, "empty": b""}
    given = {name: base64.b64encode(content).decode() for name, content in files.items()}
    code = """
      import { readFileSync, writeSync } from "node:fs";
      const given = Object.entries(JSON.parse(readFileSync(0)));
      const files = given.map(([name, content]) => [name, new Uint8Array(Buffer.from(content, "base64"))]);
      writeSync(1, new Uint8Array(await zipped(files).arrayBuffer()));
    """
    content = in_node(code, json.dumps(given).encode(), {"site/zip.js": "{ zipped }"})
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == files
