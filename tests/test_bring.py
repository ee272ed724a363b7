"""Every way to bring an image or its ground truth: drop, paste, webcam, label PNG; on a desktop and on a phone."""

import base64
import io
import zipfile

import numpy as np
import pytest
from page_reading import DESKTOP, PATIENCE, PHONE, assert_no_overflow, read_mask, upload, wait_for_masks
from page_server import GRADIO_WARNINGS, LADDER
from PIL import Image
from playwright.sync_api import expect

from zoo.images.examples import examples
from zoo.images.photo import decode_image
from zoo.page.comparison import View

pytestmark = GRADIO_WARNINGS
expect.set_options(timeout=PATIENCE)
ONE = f"checkpoints={LADDER[2]}"
CLIPBOARD = ("clipboard-read", "clipboard-write")

# A DataTransfer with the file, handed to whatever `selector` finds, as the browser does for a drop or a paste.
HAND_OVER = """([selector, data, kinds]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], "street.png", {type: "image/png"}));
  const target = document.querySelector(selector);
  for (const kind of kinds) {
    const options = {bubbles: true, cancelable: true, dataTransfer: transfer, clipboardData: transfer};
    target.dispatchEvent(kind === "paste" ? new ClipboardEvent(kind, options) : new DragEvent(kind, options));
  }
}"""
SHOWS_GREEN = """() => {
  const video = document.querySelector("#photo video");
  if (!video?.videoWidth) return false;
  const context = document.createElement("canvas").getContext("2d");
  context.drawImage(video, 0, 0, 8, 8);
  return context.getImageData(0, 0, 8, 8).data.some((value, index) => index % 4 === 1 && value > 50);
}"""
DROP, PASTE = ["dragenter", "dragover", "drop"], ["paste"]
COPY = """async (data) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  await navigator.clipboard.write([new ClipboardItem({"image/png": new Blob([bytes], {type: "image/png"})})]);
}"""


@pytest.fixture
def street() -> Image.Image:
    """A photo that is no example, so that its masks are new and no ground truth belongs to it."""
    with Image.open(examples()[2].photo) as photo:
        return photo.convert("RGB").crop((0, 0, 240, 180))


def text(image: Image.Image) -> str:
    with io.BytesIO() as buffer:
        image.save(buffer, "PNG")
        return base64.b64encode(buffer.getvalue()).decode()


def assert_shown(tab, page, image: Image.Image):
    """The page shows the mask of FCN-8s on this image, exactly."""
    expect(tab.locator("#viewer .card")).to_have_count(1)  # without the ground truth of the example
    wait_for_masks(tab, 1)
    tab.locator("#viewer [data-mode=mask]").click()
    result = page.segmenter.segment(page.infos[LADDER[2]], image)
    shown = read_mask(tab, "FCN-8s", result.info.labels, image.size)
    np.testing.assert_array_equal(shown, result.mask)
    assert_no_overflow(tab)


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_images_are_dropped_on_the_photo_or_beside_it_and_pasted(visit, server, street, viewport):
    tab = visit(query=ONE, count=1, viewport=viewport)
    for size, (target, kinds) in enumerate([("#photo img", DROP), ("#viewer .grid", DROP), ("body", PASTE)]):
        image = street.crop((0, 0, 240 - 16 * size, 180))  # another photo each time, told apart by its shape
        tab.evaluate(HAND_OVER, [target, text(image), kinds])
        ratio = f"{image.width / image.height:.3f}"
        tab.wait_for_function(
            """(ratio) => Number(document.querySelector("#viewer .grid").style.getPropertyValue("--ratio")).toFixed(3)
                === ratio""",
            arg=ratio,
        )
        assert_shown(tab, server[0], image)
    assert tab.url.startswith(server[1])  # a drop beside the photo does not leave the page


def test_the_paste_button_reads_the_clipboard(visit, server, street):
    tab = visit(query=ONE, count=1, allow=CLIPBOARD)
    tab.evaluate(COPY, text(street))
    tab.get_by_role("button", name="Paste from clipboard").click()
    assert_shown(tab, server[0], street)


def test_text_is_pasted_into_a_field_and_nowhere_else(visit, street):
    tab = visit(query=ONE, count=1)
    tab.get_by_role("button", name="Checkpoints on the Hugging Face Hub").click()
    field = "#hub-name :is(input, textarea)"
    tab.locator(field).focus()
    before = tab.locator("#photo img").get_attribute("src")
    tab.evaluate(HAND_OVER, [field, text(street), PASTE])
    tab.evaluate("document.body.dispatchEvent(new ClipboardEvent('paste', {bubbles: true}))")  # a paste without a file
    assert tab.locator("#photo img").get_attribute("src") == before


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_webcam_takes_a_photo(visit, server, viewport):
    tab = visit(query=ONE, count=1, viewport=viewport, allow=("camera",))
    tab.get_by_role("button", name="Capture from camera").click()
    tab.get_by_text("Click to Access Webcam").click()
    tab.wait_for_function(SHOWS_GREEN)  # before the first frame is there, the button takes a black photo or none
    tab.get_by_role("button", name="capture photo").click()
    expect(tab.locator("#viewer .card")).to_have_count(1)
    wait_for_masks(tab, 1)
    # Chromium's fake camera: a green picture with a moving disc, 640 x 480 unless the page asks for less.
    photo = tab.locator("#viewer").evaluate("viewer => new URL(document.querySelector('#photo img').src).pathname")
    shown = Image.open(io.BytesIO(tab.request.get(server[1].rstrip("/") + photo).body())).convert("RGB")
    assert np.asarray(shown).reshape(-1, 3).mean(0).argmax() == 1
    assert server[0].segmenter.segment(server[0].infos[LADDER[2]], shown).mask.size == shown.width * shown.height


def test_ground_truth_of_ones_own_is_compared_and_a_wrong_one_explained(visit, server, street, tmp_path):
    page, _ = server
    street.save(tmp_path / "street.png")
    mask = page.segmenter.segment(page.infos[LADDER[2]], street).mask
    labels = mask.copy()
    labels[:90] = 11  # void: left out
    labels[90:, :120] = (mask[90:, :120] + 1) % 11  # all wrong: half of what counts
    Image.fromarray(labels).save(tmp_path / "labels.png")
    Image.fromarray(labels[:100]).save(tmp_path / "small.png")
    tab = visit(query=ONE, count=1)
    upload(tab, tmp_path / "street.png")
    expect(tab.locator("#viewer .card")).to_have_count(1)
    wait_for_masks(tab, 1)
    tab.get_by_role("button", name="Compare with ground truth").click()
    tab.locator("#truth input[type=file]").set_input_files(tmp_path / "labels.png")
    expect(tab.locator("#viewer .card")).to_have_count(2)
    wait_for_masks(tab, 1)
    tab.locator("#viewer [data-mode=difference]").click()
    tab.locator("#viewer .reference select").select_option("truth")
    expect(tab.locator("#viewer .card .differing").first).to_have_text("50.0% wrong")
    expect(tab.locator("#iou tbody tr").last).to_contain_text("mIoU")
    tab.locator("#truth").get_by_role("button", name="Remove").or_(
        tab.locator("#truth button[aria-label=Clear]")
    ).click()
    tab.locator("#truth input[type=file]").set_input_files(tmp_path / "small.png")
    expect(tab.locator("#viewer .notes")).to_contain_text("Both must have the same size")


def test_a_large_photo_keeps_its_own_size_when_asked(visit, server, street, tmp_path):
    page, _ = server
    large = street.resize((1600, 1200), Image.Resampling.BICUBIC)
    large.save(tmp_path / "large.png")
    tab = visit(query=ONE, count=1)
    upload(tab, tmp_path / "large.png")
    note = tab.get_by_text("Image reduced from 1600 × 1200 to 1024 × 768 pixels.", exact=False)
    expect(note).to_be_visible()
    wait_for_masks(tab, 1)
    info, seen, view = page.infos[LADDER[2]], decode_image(tmp_path / "large.png").image, View((1600, 1200))
    np.testing.assert_array_equal(downloaded(tab), page.segmenter.segment(info, seen, view=view).mask)
    tab.get_by_label("Full resolution").check()
    expect(tab.locator("#stale")).to_contain_text("size")
    tab.locator("#go").click()
    expect(tab.locator("#stale .stale")).to_be_hidden()
    wait_for_masks(tab, 1)
    expected = page.segmenter.segment(info, large, view=View((1600, 1200), "full")).mask
    np.testing.assert_array_equal(downloaded(tab), expected)


def downloaded(tab) -> np.ndarray:
    """The mask in the zip that the page hands out."""
    with tab.expect_download() as download:
        tab.locator("#download").click()
    with zipfile.ZipFile(io.BytesIO(download.value.path().read_bytes())) as archive:
        return np.array(Image.open(io.BytesIO(archive.read(f"masks/{LADDER[2]}.png"))))
