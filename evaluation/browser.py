"""Exported files in Chromium, by onnxruntime-web's WebAssembly: for `python -m evaluation.exports` and the benchmark.

A page on the loopback holds the folder `dist` of the npm package and the file; Playwright drives it. Nothing is
fetched from another host.
"""

import base64
import contextlib
import shutil
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from evaluation.measuring.evaluate import EvaluationError
from zoo.checkpoints.web_runtime import BUNDLE

PAGE = Path(__file__).with_suffix(".html")


class Quiet(SimpleHTTPRequestHandler):
    """Files of a folder, with the types that browsers insist on, and no log."""

    extensions_map = SimpleHTTPRequestHandler.extensions_map | {".mjs": "text/javascript", ".wasm": "application/wasm"}

    def log_message(self, *_) -> None:
        pass


class Isolated(Quiet):
    """The same with the headers of cross-origin isolation, without which a page has one thread."""

    def end_headers(self) -> None:
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()


@contextlib.contextmanager
def served(folder: str | Path, handler: type[Quiet] = Quiet) -> Iterator[str]:
    """Address of a folder on the loopback, served until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=folder))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def site(dist: Path, files: dict[str, Path], handler: type[Quiet] = Quiet) -> Iterator[str]:
    """Address of a page on the loopback with onnxruntime-web from `dist` and these files, by the names given.

    Raises EvaluationError where `dist` is not the folder of that name of the npm package onnxruntime-web.
    """
    if missing := [name for name in BUNDLE if not (dist / name).is_file()]:
        raise EvaluationError(f"{dist}: has no {missing[0]}; name the folder dist of the npm package onnxruntime-web")
    with TemporaryDirectory() as folder:
        for name, path in ({name: dist / name for name in BUNDLE} | files).items():
            shutil.copy(path, Path(folder) / name)
        with served(folder, handler) as address:
            yield address


@contextlib.contextmanager
def chromium() -> Iterator:
    """Playwright's Chromium: the system's where there is one. Raises EvaluationError without Playwright.

    One at a time: Playwright's loop cannot be entered twice.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        raise EvaluationError("a browser needs Playwright; run: pip install -r tests/requirements.txt") from None
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def in_browser(browser, dist: Path, path: Path) -> Iterator[Callable[[np.ndarray], np.ndarray]]:
    """A function from an image (H, W, 3) uint8 to the mask (H, W) uint8 that the file gives in a browser.

    `browser` is Playwright's. An image that is given again is not sent again.
    """
    with site(dist, {"index.html": PAGE, "network.onnx": path}) as address, browser.new_page() as page:
        page.goto(address)
        page.evaluate("prepare('network.onnx')")
        shown = None

        def mask(image: np.ndarray) -> np.ndarray:
            nonlocal shown
            if shown is not image:
                pixels = base64.b64encode(np.ascontiguousarray(image)).decode()
                page.evaluate("photo => show(...photo)", [pixels, *image.shape[:2]])
                shown = image
            return np.frombuffer(base64.b64decode(page.evaluate("mask()")), np.uint8).reshape(image.shape[:2])

        yield mask
