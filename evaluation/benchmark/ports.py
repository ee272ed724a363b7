"""Addresses on the loopback that answer as an empty Hub does, accept and never answer, or refuse."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


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
