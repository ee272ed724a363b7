"""Memory of the whole page over many sessions with large photos and many small requests, workers included.

Each session opens a photo of 16 megapixels at its own size and is stopped once the photo is decoded, as by a visitor
who changes their mind; one of `WAITING` waits for its mask. No session is closed. Then come small requests that name no
session. Bounds: `MOST_SESSIONS`, `MOST_REQUESTS`.
"""

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from PIL import Image

from evaluation.benchmark.measure import Row, Settings
from evaluation.benchmark.server import first_page, serving
from evaluation.benchmark.visitor import Visitor, peak_of, settled
from zoo.images.examples import examples

LARGE, SMALL = (4608, 3456), (160, 120)
MOST_SESSIONS, MOST_REQUESTS = 500, 100_000
WAITING = 25  # of so many sessions, one waits for its mask
CLIENTS = 4
TABLE, STEPS = b"\xff\xdb\x00\x43\x00", 50  # the head of the first table in a JPEG, and changes of one of its values


def soak(settings: Settings) -> list[Row]:
    """PSS of the page's processes: quiet, at the peak, and at the end."""
    sessions, requests = (4, 40) if settings.quick else (settings.sessions, settings.requests)
    size = (1200, 900) if settings.quick else LARGE
    with serving("app.py") as (process, address):
        first_page(process, address)
        one = Visitor(address)
        one.segment(one.upload("photo.png", next(photos(SMALL, 1))), [settings.checkpoint])
        quiet = settled(process, 5)
        with peak_of(process) as peak:
            opened = open_sessions(address, settings.checkpoint, sessions, size)
            failures = ask_often(address, settings.checkpoint, requests)
        end = settled(process, 5)
    return [
        Row(f"{sessions} sessions of {size[0] * size[1] / 1e6:.0f} megapixels that were opened", opened, "sessions"),
        Row(f"failures of {requests} small requests", failures, goal="0"),
        Row("memory of all processes, quiet", quiet, "MB"),
        Row("memory of all processes, peak", max(peak[0], quiet, end), "MB"),
        Row("memory of all processes, at the end", end, "MB"),
        Row("at the end more than quiet", end - quiet, "MB", goal="<= 512"),
    ]


def open_sessions(address: str, checkpoint: str, count: int, size: tuple[int, int]) -> int:
    """How many sessions got their photo shown, one after the other; none is closed."""
    opened = 0
    for number, content in enumerate(photos(size, count)):
        visitor = Visitor(address, f"soak-{number}")
        photo = visitor.upload(f"{number}.jpg", content)
        messages = visitor.compare(photo, [checkpoint], "full", stop=number % WAITING != 0)
        opened += any(message["msg"] == "process_generating" for message in messages)
    return opened


def ask_often(address: str, checkpoint: str, count: int) -> int:
    """How many of so many small requests without a session failed; sixteen photos take turns."""
    one = Visitor(address)
    uploads = [one.upload(f"{number}.jpg", content) for number, content in enumerate(photos(SMALL, 16))]

    def ask(share: range) -> int:
        visitor = Visitor(address)
        return sum(visitor.segment(uploads[number % 16], [checkpoint])[0] != "complete" for number in share)

    with ThreadPoolExecutor(CLIENTS) as pool:
        return sum(pool.map(ask, [range(start, count, CLIENTS) for start in range(CLIENTS)]))


def photos(size: tuple[int, int], count: int) -> Iterator[bytes]:
    """JPEGs of this size from one example, encoded once: each has another table of quantisation, thus other pixels."""
    with Image.open(examples()[0].photo) as example, io.BytesIO() as buffer:
        example.convert("RGB").resize(size, Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=85)
        content = buffer.getvalue()
    first = content.index(TABLE) + len(TABLE)
    for number in range(count):
        changed = bytearray(content)
        changed[first] += number % STEPS
        changed[first + 1] += number // STEPS % STEPS
        yield bytes(changed)
