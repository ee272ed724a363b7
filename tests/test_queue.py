"""Several visitors of one machine: place in the queue, Stop, results that stream, and work that is done once."""

import re
import threading

import pytest
from page_reading import PATIENCE, wait_for_masks
from page_server import GRADIO_WARNINGS, tiny_site
from PIL import Image
from playwright.sync_api import expect

from zoo.images.examples import examples
from zoo.models.segmentation import segment

pytestmark = GRADIO_WARNINGS
expect.set_options(timeout=PATIENCE)


class Gate:
    """`zoo.segment` that lets forward passes through one by one, and remembers which began."""

    def __init__(self):
        self.begun, self.change, self.open = [], threading.Condition(), 0

    def run(self, model, image, **view):
        with self.change:
            self.begun.append((model.config.variant, photo_number(image)))
            place = len(self.begun)
            self.change.notify_all()
            assert self.change.wait_for(lambda: self.open >= place, timeout=PATIENCE / 1000)
        return segment(model, image, **view)

    def wait_for(self, count: int):
        """Until `count` forward passes have begun."""
        with self.change:
            assert self.change.wait_for(lambda: len(self.begun) >= count, timeout=PATIENCE / 1000)

    def let(self, count: int):
        """Let the first `count` forward passes end."""
        with self.change:
            self.open = count
            self.change.notify_all()


def photo_number(image: Image.Image) -> int:
    """Index of the example that the image is."""
    for index, example in enumerate(examples()):
        with Image.open(example.photo) as photo:
            if photo.convert("RGB").tobytes() == image.tobytes():
                return index
    raise AssertionError("not an example")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A site of its own: what it has computed and how it computes are looked at and changed."""
    with tiny_site(tmp_path_factory.mktemp("checkpoints")) as site:
        yield site


def states(tab) -> list[str]:
    cards = tab.locator("#viewer .card").filter(has_text=re.compile("FCN-"))
    return cards.evaluate_all("cards => cards.map((card) => card.dataset.status)")


def wait_for_states(tab, *wanted: str):
    tab.wait_for_function(
        """(wanted) => [...document.querySelectorAll("#viewer .card")].filter((card) => /FCN-/.test(card.textContent))
            .map((card) => card.dataset.status).join() === wanted""",
        arg=",".join(wanted),
    )


def test_streaming_waiting_stopping_and_sharing(visit, site):
    page, address = site
    gate, free = Gate(), page.segmenter.run
    first, second = visit(address=address), visit(address=address, language="pt-BR")
    page.segmenter.run = gate.run
    try:
        # The first visitor's photo: one mask after the other, while the second waits with the same photo.
        first.locator("#examples button").nth(1).click()
        gate.wait_for(1)
        wait_for_states(first, "running", "waiting", "waiting")
        second.locator("#examples button").nth(1).click()
        told = second.locator("#waiting [role=status]")
        expect(told).to_have_text("Na fila: lugar 1 de 1")
        expect(second.locator("#waiting .waiting-time")).to_contain_text(re.compile(r"\d+ s"))
        expect(told).to_be_in_viewport()
        gate.let(1)
        gate.wait_for(2)
        wait_for_states(first, "done", "running", "waiting")
        expect(first.locator("#status")).to_have_text("1 of 3 masks ready …")
        # The first stops during the second pass: that one may end, the third must not begin.
        first.locator("#stop").click()
        expect(first.locator("#status")).to_have_text("Stopped.")
        wait_for_states(first, "done", "failed", "failed")
        gate.let(2)
        # Now it is the second visitor's turn; two of the three masks are there already.
        gate.wait_for(3)
        assert gate.begun == [("fcn32s", 1), ("fcn16s", 1), ("fcn8s", 1)]
        wait_for_states(second, "done", "done", "running")
        expect(told).to_be_hidden()
        # The third pass is the second visitor's own; the first one's third has not begun before it.
        first.locator("#examples button").nth(2).click()
        expect(first.locator("#waiting [role=status]")).to_have_text(re.compile(r"In the queue: place \d of \d"))
        first.locator("#stop").click()  # one who waits leaves the queue
        expect(first.locator("#waiting [role=status]")).to_be_hidden()
        gate.let(99)
        wait_for_masks(second)
        second.locator("#examples button").nth(3).click()
        second.wait_for_url(f"**example={examples()[3].name}**")
        wait_for_masks(second)
    finally:
        gate.let(99)
        page.segmenter.run = free
    assert gate.begun[3:] == [("fcn32s", 3), ("fcn16s", 3), ("fcn8s", 3)]  # the photo left behind was never segmented
    # All of it is kept: whoever brings the same photos again costs nothing.
    page.segmenter.run = lambda model, image, **view: pytest.fail("computed twice")
    try:
        third = visit(address=address, query=f"example={examples()[3].name}")
        third.locator("#examples button").nth(1).click()
        third.wait_for_url(f"**example={examples()[1].name}**")
        wait_for_masks(third)
        expect(third.locator("#status")).to_contain_text("3 masks in")
    finally:
        page.segmenter.run = free
