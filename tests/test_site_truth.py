"""Ground truth on the static page: what the browser reads of a label image is what Python reads, refusals included."""

import base64
import io
import json
from types import SimpleNamespace

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image, ImageCms, PngImagePlugin
from playwright.sync_api import expect
from site_page import NETWORKS, TIMEOUT, in_node, needs_engine, served, wait_until_done

from zoo.hub.catalog import find
from zoo.images.examples import examples
from zoo.images.photo import ImageError
from zoo.images.stored import read_stored
from zoo.images.truth import to_ids
from zoo.labels import CAMVID, CITYSCAPES, PASCAL_VOC, LabelSet, class_palette
from zoo.site.data import labels_data
from zoo.text import Message, texts

MASK = np.resize(np.arange(12, dtype=np.uint8), (20, 31))  # every CamVid class and void (11)
GROUND = ("background", "crack")
OWN = LabelSet("own", "own", GROUND, class_palette(GROUND), void=255)
PAIR = LabelSet("pair", "pair", ("road", "grass"), class_palette(("road", "grass")), void=255)
SETS = {"camvid": CAMVID, "cityscapes": CITYSCAPES, "voc": PASCAL_VOC, "own": OWN, "pair": PAIR}


def png(image: Image.Image, **options) -> bytes:
    with io.BytesIO() as buffer:
        image.save(buffer, "PNG", **options)
        return buffer.getvalue()


def indexed(mask: np.ndarray, colours) -> Image.Image:
    image = Image.frombytes("P", mask.shape[::-1], mask.tobytes())
    image.putpalette([value for colour in colours for value in colour])
    return image


def label_images() -> dict[str, bytes]:
    """Label images of every kind of PNG that Pillow writes, good ones and wrong ones."""
    colours = np.array([*CAMVID.palette, (0, 0, 0)], np.uint8)[MASK]
    opaque = np.dstack([colours, np.full(MASK.shape, 255, np.uint8)])
    clear = opaque.copy()
    clear[3, 4, 3] = 254
    wrong, noisy = colours.copy(), np.random.default_rng(0).integers(0, 256, (20, 31, 3), np.uint8)
    wrong[5, 6] = (1, 2, 3)
    drawn = np.where(MASK == 1, 255, 0).astype(np.uint8)
    small, three = MASK % 2, np.dstack([MASK] * 3)
    half = np.where(MASK < 6, MASK, 0)
    reverse = np.array([2, 0, 1], np.uint8)[MASK % 3]
    images = {
        "grey": Image.fromarray(MASK),
        "grey, void 255": Image.fromarray(np.where(MASK == 11, 255, MASK).astype(np.uint8)),
        "1 bit": Image.fromarray(small.astype(bool)),
        "16 bits": Image.fromarray(MASK.astype(np.uint16)),
        "16 bits, spread": Image.fromarray(MASK.astype(np.uint16) * 257),
        "16 bits, wide": Image.fromarray(MASK.astype(np.uint16) * 300),
        "grey with alpha": Image.merge("LA", [Image.fromarray(MASK), Image.new("L", (31, 20), 255)]),
        "grey, partly clear": Image.merge("LA", [Image.fromarray(MASK), Image.fromarray(MASK)]),
        "colours": Image.fromarray(colours),
        "colours with alpha": Image.fromarray(opaque),
        "colours, partly clear": Image.fromarray(clear),
        "an unknown colour": Image.fromarray(wrong),
        "noise": Image.fromarray(noisy),
        "grey noise": Image.fromarray(noisy[..., 0]),
        "ids in three channels": Image.fromarray(three),
        "sky alone": Image.new("RGB", (31, 20), (128, 128, 128)),
        "black": Image.new("RGB", (31, 20)),
        "white object": Image.fromarray(drawn),
        "white object in three channels": Image.fromarray(np.dstack([drawn] * 3)),
        "white object, indexed": indexed(drawn, [(0, 0, 0)] * 255 + [(255, 255, 255)]),
        "from one": Image.fromarray(MASK.clip(1, 11) + 1),
        "one wrong id": Image.fromarray(np.where(MASK == 5, 77, MASK).astype(np.uint8)),
        "few classes": Image.fromarray(half),
        "indexed": indexed(MASK, [*CAMVID.palette, (0, 0, 0)]),
        "indexed, 4 bits": indexed(half, CAMVID.palette[:6]),
        "indexed as VOC": indexed(MASK, PASCAL_VOC.palette),
        "indexed by frequency": indexed(reverse, [CAMVID.palette[1], CAMVID.palette[2], CAMVID.palette[0]]),
        "indexed in greys": indexed(reverse, [(2, 2, 2), (0, 0, 0), (1, 1, 1)]),
        "indexed, black last": indexed(MASK % 3, [(9, 9, 90), (8, 80, 8), (0, 0, 0)]),
        "indexed as Cityscapes": indexed(MASK % 3, CITYSCAPES.palette),
    }
    found = {name: png(image) for name, image in images.items()}
    found["cut short"] = found["colours"][:-60]
    found["a JPEG"] = jpeg(images["colours"])
    found["filtered by optimising"] = png(images["colours"], optimize=True, compress_level=9)
    return found


def jpeg(image: Image.Image) -> bytes:
    with io.BytesIO() as buffer:
        image.save(buffer, "JPEG")
        return buffer.getvalue()


def in_python(content: bytes, labels: LabelSet) -> dict:
    """The ids that Python reads, or its refusal as the page shows it."""
    try:
        mask = to_ids(read_stored(content), labels)
    except ImageError as error:
        message = error.args[0]
        assert isinstance(message, Message)
        return {"refused": message.in_language("pt-BR")}
    return {"ids": mask.ravel().tolist()}


READ = """
  import { readFileSync, writeSync } from "node:fs";
  const { files, labels, strings, limits } = JSON.parse(readFileSync(0));
  speak(strings, "pt-BR");
  const found = {};
  for (const [name, content] of Object.entries(files)) {
    const file = new Blob([Buffer.from(content, "base64")]);
    try {
      found[name] = { ids: [...(await readTruth(file, labels, limits)).ids] };
    } catch (error) {
      found[name] = { refused: error.key ? inWords(error) : error.stack };
    }
  }
  writeSync(1, JSON.stringify(found));
"""


@pytest.mark.parametrize("labels", SETS.values(), ids=SETS)
def test_label_images_are_read_as_by_python_with_the_same_words(labels):
    files = label_images()
    given = {
        "files": {name: base64.b64encode(content).decode() for name, content in files.items()},
        "labels": labels_data(SimpleNamespace(labels=labels), "pt-BR"),
        "strings": texts("pt-BR"),
        "limits": {"bytes": 1e9, "pixels": 1e9, "side": 1e9},
    }
    imports = {"site/truth.js": "{ readTruth }", "site/shown.js": "{ inWords }", "base/texts.js": "{ speak }"}
    found = json.loads(in_node(READ, json.dumps(given).encode(), imports))
    expected = {name: in_python(content, labels) for name, content in files.items()}
    assert found == expected
    assert any("ids" in one for one in expected.values()) and any("refused" in one for one in expected.values())


def own_truth(size: tuple[int, int], colour=None) -> bytes:
    """The first example's ground truth as a colour PNG whose profile and gamma a browser would apply."""
    with Image.open(examples()[0].truth) as stored:
        mask = np.array(stored)
    colours = np.array([*CAMVID.palette, (0, 0, 0)], np.uint8)[mask.clip(0, 11)]
    if colour:
        colours[:4] = colour
    image = Image.fromarray(colours).resize(size, Image.Resampling.NEAREST)
    chunks = PngImagePlugin.PngInfo()
    chunks.add(b"gAMA", (100_000).to_bytes(4))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    return png(image, pnginfo=chunks, icc_profile=profile.tobytes())


@needs_engine
@pytest.mark.parametrize(("language", "size"), [("en", (1440, 1000)), ("pt-BR", (390, 844))])
def test_colour_masks_of_ones_own_score_the_masks(site_folder, browser, language, size):
    options = {"viewport": dict(zip(("width", "height"), size, strict=True)), "locale": language}
    with served(site_folder) as address, browser.new_context(**options) as context:
        page = context.new_page()
        page.goto(f"{address}?checkpoints={NETWORKS[1]}")
        wait_until_done(page, 1)
        scored = page.inner_text("#iou tbody")
        page.set_input_files("#photo-file", examples()[0].photo)
        expect(page.locator("#iou tbody")).to_be_hidden(timeout=TIMEOUT)
        wait_until_done(page, 1)
        page.click("#truth-fold summary")
        give(page, own_truth((480, 360)))
        expect(page.locator("#iou tbody")).to_have_text(scored, use_inner_text=True, timeout=TIMEOUT)
        give(page, own_truth((480, 360), (1, 2, 3)))
        refusal = Message("error_truth_colour", colour="#010203", dataset="CamVid").in_language(language)
        expect(page.locator("#viewer .notes")).to_contain_text(refusal, timeout=TIMEOUT)
        give(page, own_truth((240, 180)))
        sizes = {"width": 240, "height": 180, "photo_width": 480, "photo_height": 360}
        refusal = Message("error_truth_size", **sizes).in_language(language)
        expect(page.locator("#viewer .notes")).to_contain_text(refusal, timeout=TIMEOUT)
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        assert [found["id"] for found in Axe().run(page).response["violations"]] == []


def give(page, content: bytes) -> None:
    page.set_input_files("#truth", {"name": "truth.png", "mimeType": "image/png", "buffer": content})


def test_label_sets_travel_with_what_reading_them_needs():
    data = labels_data(SimpleNamespace(labels=OWN), "en")
    assert data["backgrounds"] == ["background"] and len(data["made_up"]) == 256 and data["foreign"] == []
    data = labels_data(find(NETWORKS[1]), "en")
    assert data["codes"]["#000000"] == 11 and data["made_up"] == []
    assert [other["title"] for other in data["foreign"]] == ["Cityscapes", "PASCAL VOC"]
