"""Addresses on the loopback that answer as an empty Hub does, drip, accept and never answer, or refuse."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


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


class DrippingHub(BaseHTTPRequestHandler):
    """A Hub with one checkpoint whose weights come byte by byte and never end."""

    def __init__(self, name: str, config: bytes, *arguments):
        self.name, self.config = name, config
        super().__init__(*arguments)

    def do_GET(self) -> None:
        if "/resolve/" not in self.path:
            document = json.loads(self.config)
            weights = {"size": 10**8, "lfs": {"sha256": document["weights"]["sha256"], "size": 10**8}}
            siblings = [
                {"rfilename": "config.json", "size": len(self.config)},
                {"rfilename": "model.safetensors"} | weights,
            ]
            answer = {"id": self.name, "sha": "a" * 40, "tags": ["fcn-zoo"], "siblings": siblings, "private": False}
            self.send(json.dumps(answer | {"config": document}).encode())
        elif self.path.partition("?")[0].endswith("config.json"):
            self.send(self.config)
        else:
            self.start(10**8)
            try:
                while True:
                    self.wfile.write(b"x")
                    time.sleep(0.2)
            except OSError:  # nobody waits any more
                self.close_connection = True

    def start(self, length: int) -> None:
        """The head of an answer."""
        self.send_response(200)
        self.send_header("X-Repo-Commit", "a" * 40)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def send(self, content: bytes) -> None:
        """A whole answer."""
        self.start(len(content))
        self.wfile.write(content)

    def log_message(self, *_) -> None:
        """Say nothing of requests."""


@contextmanager
def dripping_hub(name: str, config: Path) -> Iterator[str]:
    """The address of a Hub that has a checkpoint of this name and configuration, of which the weights only drip."""
    handler = partial(DrippingHub, name, config.read_bytes())
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads, server.block_on_close = True, False
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@contextmanager
def answering_port() -> Iterator[str]:
    """The address of a Hub that answers at once."""
    with ThreadingHTTPServer(("127.0.0.1", 0), EmptyHub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@contextmanager
def silent_port() -> Iterator[str]:
    """An address where connections are accepted by the kernel and never answered."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def refusing_port() -> Iterator[str]:
    """An address where nobody listens: bound, so that nobody else takes it."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{unused.getsockname()[1]}"
