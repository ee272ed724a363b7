"""The viewer in a small Gradio page, hand-made photos and masks of known pixels, and what tests ask of the page."""

import base64
import io
import json
from contextlib import contextmanager

import gradio as gr
import numpy as np
from PIL import Image

from zoo.page.components import component_files

WIDTH, HEIGHT = 48, 36  # 4:3; in a panel some 380 pixels wide every mask pixel covers several screen pixels
NAMES = ("sky", "road", "car", "tree")
COLOURS = ("#8080ff", "#804080", "#400080", "#808000")
MARK = (255, 45, 120)
TIMEOUT = 60_000  # milliseconds; the machine may be busy


def data_url(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def rgb(colour: str) -> tuple[int, int, int]:
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def mask_url(mask: np.ndarray, colours=COLOURS, bits: int | None = None) -> str:
    image = Image.fromarray(mask.astype(np.uint8), "P")
    image.putpalette([value for colour in colours for value in rgb(colour)])
    if bits is None:
        return data_url(image)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", bits=bits)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def labels(names=NAMES, colours=COLOURS, void=255) -> dict:
    classes = [
        {"id": i, "name": name, "color": colour} for i, (name, colour) in enumerate(zip(names, colours, strict=False))
    ]
    return {"name": "hand-made", "void": void, "classes": classes}


def staircase(step: int) -> np.ndarray:
    """Sky above, road below, the border a staircase of `step` pixels, a car and a tree on it."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    mask = (rows // step * step > HEIGHT / 2 + (columns // step * step - WIDTH / 2) / 4).astype(np.uint8)
    mask[24:30, 30:40] = 2
    mask[6:18, 4:10] = 3
    return mask


MASKS = {"a": staircase(8), "b": staircase(4), "c": staircase(1)}
CONFIDENCE = np.tile(np.linspace(40, 255, WIDTH).astype(np.uint8), (HEIGHT, 1))


def panel(key: str, title: str, ids: np.ndarray | None = None, **changes) -> dict:
    mask = MASKS[key] if ids is None else ids
    made = {
        "name": f"model-{key}",
        "title": title,
        "subtitle": f"small, {key}",
        "status": "done",
        "message": "",
        "mask": mask_url(mask),
        "confidence": data_url(Image.fromarray(CONFIDENCE)),
        "milliseconds": 61.2,
        "mean_confidence": 0.58,
        "labels": labels(),
        "shares": [float((mask == i).mean()) for i in range(len(NAMES))],
        "miou": 0.59,
        "miou_interval": [0.56, 0.62],
    }
    return made | changes


def photo(shade: int = 0) -> dict:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    pixels = np.stack([rows * 5 + shade, columns * 4, np.full_like(rows, 90)], axis=-1).astype(np.uint8)
    return {"src": data_url(Image.fromarray(pixels)), "width": WIDTH, "height": HEIGHT, "name": "street.png"}


def value(*panels: dict, **changes) -> dict:
    return {"photo": photo(), "truth": None, "panels": list(panels), "notes": []} | changes


def ladder(**changes) -> dict:
    return value(panel("a", "FCN-32s"), panel("b", "FCN-16s"), panel("c", "FCN-8s"), **changes)


def expected_colours(mask: np.ndarray, colours=COLOURS) -> np.ndarray:
    return np.array([rgb(colour) for colour in colours], dtype=np.uint8)[mask]


@contextmanager
def serve():
    """A Gradio page that shows whatever JSON is sent to it."""
    with gr.Blocks(title="Viewer", analytics_enabled=False) as page:
        gr.Markdown("# Viewer")
        sent = gr.Textbox(label="value", elem_id="sent")
        button = gr.Button("Send", elem_id="send")
        viewer = gr.HTML(value=None, apply_default_css=False, **component_files("viewer"))
        button.click(json.loads, sent, viewer)
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, ssr_mode=False, server_name="127.0.0.1")
    try:
        yield url
    finally:
        page.close()


class Page:
    """A browser page with the viewer on it, and what the tests ask of it."""

    def __init__(self, context, url: str, theme: str):
        self.context = context
        self.page = context.new_page()
        self.page.set_default_timeout(TIMEOUT)
        self.problems = []
        self.page.on("console", lambda line: line.type == "error" and self.problems.append(line.text))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.goto(f"{url}?__theme={theme}", timeout=TIMEOUT)
        self.page.wait_for_selector(".fcn-viewer", timeout=TIMEOUT)

    def send(self, given: dict | None, finished: int | None = None):
        """Sends a value and waits until `finished` panels (all, if not given) show their mask."""
        self.page.fill("#sent textarea, #sent input", json.dumps(given))
        self.page.click("#send button, button#send")
        if given is not None:
            truth = 1 if given["truth"] else 0
            count = len(given["panels"]) + truth if finished is None else finished
            self.page.wait_for_function(
                "count => document.querySelectorAll('.card[data-status=done]').length === count", arg=count
            )
        self.settle()

    def settle(self):
        """Two frames: the first draws, the second proves that it has."""
        self.page.evaluate("() => new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))")

    def mode(self, name: str):
        self.page.click(f"[data-mode={name}]")
        self.settle()

    def card(self, index: int):
        return self.page.locator(".card").nth(index)

    def centres(self, index: int, selector: str = ".card") -> np.ndarray:
        """RGBA of the canvas at the middle of every image pixel, (HEIGHT, WIDTH, 4), for the whole photo in view."""
        flat = self.page.evaluate(
            """([selector, index, width, height]) => {
                const canvas = document.querySelectorAll(selector + " canvas.picture")[index];
                const scale = Math.min(canvas.width / width, canvas.height / height);
                const left = Math.round((canvas.width - width * scale) / 2);
                const top = Math.round((canvas.height - height * scale) / 2);
                const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
                const out = [];
                for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
                    const column = Math.floor(left + (x + 0.5) * scale), row = Math.floor(top + (y + 0.5) * scale);
                    const at = (row * canvas.width + column) * 4;
                    out.push(data[at], data[at + 1], data[at + 2], data[at + 3]);
                }
                return out;
            }""",
            [selector, index, WIDTH, HEIGHT],
        )
        return np.array(flat, dtype=np.uint8).reshape(HEIGHT, WIDTH, 4)

    def pixels(self, index: int) -> bytes:
        """The whole canvas of a card as a PNG data URL."""
        return self.page.evaluate(
            "index => document.querySelectorAll('.card canvas.picture')[index].toDataURL()", index
        ).encode()

    def hover(self, index: int, x: int, y: int):
        """Puts the mouse on the middle of image pixel (x, y) of a card, whole photo in view."""
        canvas = self.card(index).locator("canvas.picture")
        box = canvas.bounding_box()
        scale = min(box["width"] / WIDTH, box["height"] / HEIGHT)
        left = (box["width"] - WIDTH * scale) / 2 + (x + 0.5) * scale
        top = (box["height"] - HEIGHT * scale) / 2 + (y + 0.5) * scale
        canvas.hover(position={"x": left, "y": top})

    def readings(self) -> list[str]:
        return self.page.locator(".grid .foot .reading").all_inner_texts()

    def zoom(self) -> str:
        return self.page.locator(".level").inner_text()

    def status(self) -> str:
        return self.page.locator(".status").text_content()

    def pressed(self) -> dict[str, str]:
        chips = self.page.locator(".chip")
        return {chip.get_attribute("data-name"): chip.get_attribute("aria-pressed") for chip in chips.all()}
