"""How long the page takes to start while the Hub answers, refuses, or swallows what it is sent."""

import json
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from gradio_client import Client, handle_file

from evaluation.benchmark.measure import Row, Settings
from evaluation.benchmark.server import first_page, serving
from zoo.examples import examples


class EmptyHub(BaseHTTPRequestHandler):
    """A Hub on which the named author has nothing."""

    def do_GET(self) -> None:
        content = json.dumps([]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_) -> None:
        """Say nothing of requests."""


@contextmanager
def answering() -> Iterator[int]:
    """Port of a Hub that answers at once."""
    with ThreadingHTTPServer(("127.0.0.1", 0), EmptyHub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@contextmanager
def silent() -> Iterator[int]:
    """Port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@contextmanager
def refusing() -> Iterator[int]:
    """Port where nobody listens: bound, so that nobody else takes it."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        yield closed.getsockname()[1]


def hub(settings: Settings) -> list[Row]:
    """Seconds from the command to the first page and to the first mask, in turns."""
    hubs = {"answers": answering, "refuses": refusing, "is silent": silent}
    found = {name: [] for name in hubs}
    for _ in range(1 if settings.quick else 3):
        for name, endpoint in hubs.items():
            with endpoint() as port:
                found[name].append(first_mask(port, settings.checkpoint))
    pages, masks = (
        {name: statistics.median(times[index] for times in found[name]) for name in hubs} for index in (0, 1)
    )
    rows = [Row(f"first page, the Hub {name}", pages[name], "s") for name in hubs]
    rows += [Row(f"first mask, the Hub {name}", masks[name], "s") for name in hubs]
    late = max(times[name] - times["answers"] for times in (pages, masks) for name in hubs)
    return [*rows, Row("largest delay by a Hub that is away", late, "s", goal="<= 2")]


def first_mask(port: int, checkpoint: str) -> tuple[float, float]:
    """Seconds to the first page and to the first mask of a page whose Hub is at this port."""
    with tempfile.TemporaryDirectory() as cache:
        named = {"HF_ENDPOINT": f"http://127.0.0.1:{port}", "FCN_ZOO_AUTHORS": "someone", "FCN_ZOO_CACHE": cache}
        begin = time.perf_counter()
        with serving("app.py", environment=named) as (process, address):
            first_page(process, address)
            page = time.perf_counter() - begin
            client = Client(address, verbose=False, httpx_kwargs={"timeout": 600})
            client.predict(handle_file(examples()[0].photo), [checkpoint], api_name="/segment")
            return page, time.perf_counter() - begin
