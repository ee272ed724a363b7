"""What browser tests ask of the page: wait for its masks, read them back from the screen, give it a file."""

import numpy as np
from axe_playwright_python.sync_playwright import Axe

DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
PATIENCE = 90_000  # milliseconds; the machine may be busy

# The colour at the middle of every photo pixel of one panel, as the browser shows it in the mode "Mask".
READ_CANVAS = """([title, width, height, viewer]) => {
  const cards = [...document.querySelectorAll(`${viewer} .card`)];
  const canvas = cards.find((card) => card.textContent.includes(title)).querySelector("canvas.picture");
  const scale = Math.min(canvas.width / width, canvas.height / height);
  const left = (canvas.width - width * scale) / 2, top = (canvas.height - height * scale) / 2;
  const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const colours = [];
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
    const at = 4 * (Math.floor(top + (y + 0.5) * scale) * canvas.width + Math.floor(left + (x + 0.5) * scale));
    colours.push((data[at] << 16) | (data[at + 1] << 8) | data[at + 2]);
  }
  return colours;
}"""


def wait_for_masks(tab, count=3):
    """Until `count` checkpoints are done and no other is on its way (ground truth is a card of its own)."""
    tab.wait_for_function(
        """(count) => {
          const cards = [...document.querySelectorAll("#viewer .card")];
          const models = cards.filter((card) => /FCN-/.test(card.textContent));
          return models.length === count && cards.every((card) => card.dataset.status === "done");
        }""",
        arg=count,
        timeout=PATIENCE,
    )


def read_mask(tab, title, labels, size, viewer="#viewer") -> np.ndarray:
    """The (H, W) mask of class ids that a panel shows; tells colours apart by the palette."""
    width, height = size
    colours = np.array(tab.evaluate(READ_CANVAS, [title, width, height, viewer])).reshape(height, width)
    mask = np.full((height, width), 255, np.uint8)
    for index, (red, green, blue) in enumerate(labels.palette):
        mask[colours == (red << 16 | green << 8 | blue)] = index
    return mask


def upload(tab, path):
    """Give the photo input a file, as the file dialog would."""
    tab.get_by_role("button", name="Remove Image").click()
    tab.locator("#photo input[type=file]").set_input_files(path)


def assert_no_overflow(tab):
    assert tab.evaluate("document.documentElement.scrollWidth") <= tab.viewport_size["width"]


def serious_findings(tab) -> list[str]:
    """axe-core's serious and critical findings."""
    found = Axe().run(tab).response["violations"]
    return [
        f"{one['id']}: {node['html'][:160]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]
