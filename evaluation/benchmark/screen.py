"""What a visitor of the page waits for, in Chromium: two measures of `against.py`, which every commit's page answers.

Both know the page by two things alone: the field for a photo, and a panel that says when it is done.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from evaluation.benchmark.requests import CAMERA, camera_photo
from evaluation.benchmark.server import first_page, serving
from evaluation.benchmark.sides import Side, Turn, Wanted
from evaluation.browser import chromium

PATIENCE = 300_000  # milliseconds; the machine may be slow
FIELD, NO_PHOTO = "#photo input[type=file]", "Remove Image"
PANELS = "[...document.querySelectorAll('#viewer .card')].filter((card) => card.textContent.includes('FCN-'))"
DONE = f"(number) => {PANELS}.filter((card) => card.dataset.status === 'done').length >= number"
BEGUN = f"() => {PANELS}.some((card) => card.dataset.status !== 'done')"


def visit(browser, address: str):
    """A page of the browser at this address, in English."""
    page = browser.new_page(locale="en")
    page.set_default_timeout(PATIENCE)
    page.goto(address)
    return page


@contextmanager
def start(side: Side, wanted: Wanted) -> Iterator[Turn]:
    """`python app.py` until the page answers, and until a browser shows the first mask of its first example."""

    def turn() -> dict[str, float]:
        with chromium() as browser:
            begin = time.perf_counter()
            with serving("app.py", folder=side.folder) as (process, address):
                first_page(process, address)
                answered = time.perf_counter() - begin
                page = visit(browser, address)
                page.wait_for_function(DONE, arg=1)
                shown = time.perf_counter() - begin
                page.close()
        return {"seconds": answered, "mask": shown}

    yield turn


@contextmanager
def camera(side: Side, wanted: Wanted) -> Iterator[Turn]:
    """A camera's photo on a page that has shown another, from its upload to the third mask on the screen."""
    numbers, (width, height) = count(), (240, 180) if wanted.quick else CAMERA
    with serving("app.py", folder=side.folder) as (process, address):
        first_page(process, address)

        def turn() -> dict[str, float]:
            photo = side.scratch / f"{next(numbers)}.jpg"
            photo.write_bytes(camera_photo((width, height - 2 * int(photo.stem))))  # one that the page has not seen
            with chromium() as browser:  # in each turn: two cannot be open at once
                page = visit(browser, address)
                page.wait_for_function(DONE, arg=3)
                page.get_by_role("button", name=NO_PHOTO).click()
                begin = time.perf_counter()
                page.locator(FIELD).set_input_files(photo)
                page.wait_for_function(BEGUN)
                page.wait_for_function(DONE, arg=3)
                seconds = time.perf_counter() - begin
            photo.unlink()
            return {"seconds": seconds}

        yield turn
